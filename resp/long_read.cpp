#include "resp/long_read.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "config/base/check.hpp"
#include "resp/executor.hpp"
#include "resp/numbers.hpp"
#include "resp/reply.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// Not a std::exception: nothing between the cursor and run_long_read() may take it for a command
// that failed.
struct Stopped {};

void check(const std::atomic<bool>& stop) {
  if (stop.load(std::memory_order_relaxed)) {
    throw Stopped();
  }
}

template <class Port>
class Stoppable : public Port {
 public:
  Stoppable(std::unique_ptr<Port> cursor, const std::atomic<bool>& stop)
      : cursor_(std::move(cursor)), stop_(stop) {}
  bool valid() const override { return cursor_->valid(); }
  void next() override {
    check(stop_);
    cursor_->next();
  }
  std::string_view key() const override { return cursor_->key(); }
  std::string_view value() const override { return cursor_->value(); }

 protected:
  std::unique_ptr<Port> cursor_;
  const std::atomic<bool>& stop_;
};
using StoppableReverseCursor = Stoppable<rocks::ReverseCursor>;
class StoppableCursor final : public Stoppable<rocks::Cursor> {
 public:
  using Stoppable::Stoppable;
  void seek(std::string_view key) override {
    check(stop_);
    cursor_->seek(key);
  }
};

// The view, until it is to stop.
class StoppableReader final : public rocks::Reader {
 public:
  StoppableReader(rocks::Reader& view, const std::atomic<bool>& stop) : view_(view), stop_(stop) {}

  std::optional<std::string_view> get(rocks::Family family, std::string_view key) override {
    check(stop_);
    return view_.get(family, key);
  }
  std::unique_ptr<rocks::Cursor> cursor(rocks::Family family,
                                        std::string_view from,
                                        std::string_view to) override {
    return std::make_unique<StoppableCursor>(view_.cursor(family, from, to), stop_);
  }
  std::unique_ptr<rocks::ReverseCursor> reverse_cursor(rocks::Family family,
                                                       std::string_view from,
                                                       std::string_view to) override {
    return std::make_unique<StoppableReverseCursor>(view_.reverse_cursor(family, from, to), stop_);
  }
  void expect_reads(rocks::Family family, std::span<const std::string> keys) override {
    view_.expect_reads(family, keys);
  }

 private:
  rocks::Reader& view_;
  const std::atomic<bool>& stop_;
};

uint64_t size_of(Context& context, std::string_view name) {
  Key key = context.find(name);
  return key.live ? key.meta.size : 0;
}

uint64_t sizes_of(Context& context, Args names) {
  uint64_t sum = 0;
  for (std::string_view name : names) {
    sum += size_of(context, name);
  }
  return sum;
}

uint64_t magnitude(int64_t number) {
  return number < 0 ? uint64_t{0} - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
}

// Behind the word COUNT; without it what Redis' default is.
uint64_t count_option(Args args) {
  for (size_t i = 0; i + 1 < args.size(); ++i) {
    if (same_word(args[i], "count")) {
      std::optional<int64_t> count = parse_integer(args[i + 1]);
      return count ? magnitude(*count) : 0;
    }
  }
  return 10;
}

uint64_t lrange_length(uint64_t size, Args args) {
  std::optional<int64_t> first = parse_integer(args[2]);
  std::optional<int64_t> last = parse_integer(args[3]);
  if (!first || !last) {
    return 0;
  }
  const auto all = static_cast<int64_t>(size);
  const int64_t from = *first < 0 ? std::max<int64_t>(0, all + *first) : *first;
  const int64_t to = *last < 0 ? all + *last : std::min(*last, all - 1);
  return from > to ? 0 : static_cast<uint64_t>(to - from) + 1;
}

}  // namespace

uint64_t elements_read(Context& context, const CommandSpec& command, Args args) {
  const std::string_view name = command.name;
  if (name == "keys" || name == "scan") {
    Database& state = context.state();
    const uint64_t keys = state.counts(state.physical(context.database())).keys;
    return name == "keys" ? keys : std::min(keys, count_option(args.subspan(2)));
  }
  if (name == "mget" || name == "exists" || name == "touch") {
    return args.size() - 1;
  }
  if (name == "smismember") {
    return args.size() - 2;
  }
  if (name == "lcs") {  // a table of so many cells, each a thousandth of a record's time
    constexpr uint64_t kCells = 1000;
    const uint64_t a = context.find(args[1]).meta.value.size();
    return a * context.find(args[2]).meta.value.size() / kCells;
  }
  if (name == "sinter" || name == "sunion" || name == "sdiff") {
    return sizes_of(context, args.subspan(1));
  }
  if (name == "sintercard") {
    std::optional<int64_t> keys = parse_integer(args[1]);
    return keys && *keys > 0 && magnitude(*keys) <= args.size() - 2
               ? sizes_of(context, args.subspan(2, magnitude(*keys)))
               : 0;
  }
  const uint64_t size = size_of(context, args[1]);
  if (name == "lrange") {
    return lrange_length(size, args);
  }
  if (name == "sscan") {
    return std::min(size, count_option(args.subspan(3)));
  }
  if (name == "srandmember") {
    std::optional<int64_t> count = args.size() > 2 ? parse_integer(args[2]) : 1;
    if (!count || size == 0) {
      return 0;
    }
    return *count < 0 ? magnitude(*count) : std::min(size, magnitude(*count));
  }
  return size;  // smembers, lpos
}

// The picture gets an executor of its own, which has nothing to apply: what runs behind a long read
// (WATCH, MULTI, short reads) is executed as anywhere else.
LongReadResult run_long_read(rocks::Reader& view,
                             const LongRead& read,
                             const std::atomic<bool>& stop) {
  LongReadResult result;
  result.id = read.id;
  try {
    StoppableReader reader(view, stop);
    ExecutorOptions options;
    options.reply_bytes_max = read.reply_bytes_max;
    Executor executor(reader, options);
    ReadBatch batch;
    batch.id = read.id;
    batch.now_ms = read.now_ms;
    batch.seed = read.seed;
    batch.ops.push_back(read.op);
    executor.run_reads(std::move(batch));
    executor.work();
    ExecutorEffects effects = executor.take_effects();
    CHECK_INVARIANT(effects.replies.size() == 1);
    result.replies = std::move(effects.replies[0]);
    const Executor::Counters counters = executor.counters();
    result.stats = {counters.keyspace_hits, counters.keyspace_misses, counters.expired_keys};
  } catch (const Stopped&) {
    result.stopped = true;
  }
  return result;
}

LongReadResult expired_long_read(const LongRead& read) {
  LongReadResult result;
  result.id = read.id;
  result.replies.connection = read.op.to.connection;
  ReplyWriter(&result.replies.bytes).error(texts::kLongReadTimeout);
  result.replies.parts.push_back(
      {read.op.to.slot, 0, static_cast<uint32_t>(result.replies.bytes.size())});
  result.replies.failed_watch = read.op.kind == RequestKind::kWatch;
  return result;
}

}  // namespace kiwi::resp
