#include "resp/long_read.hpp"

#include <memory>
#include <utility>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/executor.hpp"
#include "resp/measures.hpp"
#include "resp/resp_writer.hpp"
#include "resp/types/steps.hpp"

namespace kiwi::resp {

namespace {

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

// The view, until it is to stop. Steps know of that, too: a walk may go on for long in what it has
// read, or over records that it does not count.
class StoppableReader final : public rocks::Reader {
 public:
  StoppableReader(rocks::Reader& view, const std::atomic<bool>& stop) : view_(view), stop_(stop) {}

  std::optional<std::string_view> get(rocks::Family family, const rocks::LookupKey& key) override {
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
  uint64_t hash(std::string_view key) const override { return view_.hash(key); }
  void expect_reads(rocks::Family family, std::span<const rocks::LookupKey> keys) override {
    view_.expect_reads(family, keys);
  }

 private:
  rocks::Reader& view_;
  const std::atomic<bool>& stop_;
};

}  // namespace

namespace {

// The view gets an executor of its own, which has nothing to apply: what runs behind a long read
// (WATCH, MULTI, short reads) is executed as anywhere else.
LongReadResult run_on(rocks::Reader& view,
                      const LongRead& read,
                      const std::atomic<bool>& stop,
                      ReplyStream* stream) {
  ExecutorOptions options;
  options.reply_bytes_max = read.reply_bytes_max;
  options.stop = &stop;
  options.entry_work_max = config::limits::kLongReadWorkBytes;
  options.stream = stream;
  options.read_scripts = read.read_scripts;
  options.users = read.users;
  const auto measures = read.clock ? std::make_shared<Measures>(*read.clock) : nullptr;
  options.measures = measures.get();
  Executor executor(view, options);
  ReadBatch batch;
  batch.id = read.id;
  batch.now_ms = read.now_ms;
  batch.seed = read.seed;
  batch.ops.push_back(read.op);
  executor.run_reads(std::move(batch));
  const int64_t began_ns = measures ? measures->now_ns() : 0;
  executor.work();
  const int64_t executed_ns = measures ? measures->now_ns() - began_ns : 0;
  ExecutorEffects effects = executor.take_effects();
  CHECK_INVARIANT(effects.replies.size() == 1);
  CHECK_INVARIANT(effects.replies[0].connection == read.op.to.connection);
  CHECK_INVARIANT(effects.replies[0].parts.size() == (effects.replies[0].lost ? 0 : 1));
  CHECK_INVARIANT(effects.long_reads.empty());
  LongReadResult result;
  result.id = read.id;
  result.replies = std::move(effects.replies[0]);
  const Executor::Counters counters = executor.counters();
  result.stats = {counters.keyspace_hits, counters.keyspace_misses, counters.expired_keys,
                  counters.expired_fields};
  if (measures) {
    result.measures = measures;
    result.executed_ns = executed_ns;
    result.packed = read.op.packed;
  }
  return result;
}

}  // namespace

LongReadResult run_long_read(rocks::Reader& view,
                             const LongRead& read,
                             const std::atomic<bool>& stop,
                             ReplyStream* stream) {
  StoppableReader reader(view, stop);
  try {
    try {
      return run_on(reader, read, stop, stream);
    } catch (const LateHeads&) {
      CHECK_INVARIANT(stream != nullptr);
      stream->measure();
      run_on(reader, read, stop, stream);
    }
    stream->send();
    return run_on(reader, read, stop, stream);
  } catch (const Stopped&) {
    LongReadResult result;
    result.id = read.id;
    result.stopped = true;
    return result;
  }
}

LongReadResult broken_long_read(const LongRead& read) {
  LongReadResult result;
  result.id = read.id;
  result.replies.connection = read.op.to.connection;
  result.replies.lost = true;
  return result;
}

LongReadResult expired_long_read(const LongRead& read) {
  LongReadResult result;
  result.id = read.id;
  result.replies.connection = read.op.to.connection;
  RespWriter(&result.replies.bytes).error(texts::kLongReadTimeout);
  result.replies.parts.push_back(
      {read.op.to.slot, 0, static_cast<uint32_t>(result.replies.bytes.size())});
  result.replies.failed_watch = read.op.kind == RequestKind::kWatch;
  return result;
}

}  // namespace kiwi::resp
