// SORT and SORT_RO: the elements of a list, set or sorted set in order, or what keys named after
// them hold.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "resp/acl/permission.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/sorter.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

using rocks::Type;

// ---------------------------------------------------------------- BY and GET

// "weight_*" or "object_*->field": the key that an element names. Like Redis, which searches C
// strings, it sees no '*' behind a NUL.
struct Pattern {
  bool itself = false;  // "#": the element
  bool names = false;   // it has a '*': else it names no key
  std::string_view before;
  std::string_view behind;
  std::string_view field;  // empty: the key is a string
};

Pattern parse_pattern(std::string_view text) {
  Pattern pattern;
  const std::string_view word = quoted_word(text);
  pattern.itself = word == "#";
  const size_t star = word.find('*');
  if (pattern.itself || star == std::string_view::npos) {
    return pattern;
  }
  pattern.names = true;
  pattern.before = text.substr(0, star);
  const size_t arrow = word.find("->", star + 1);
  if (arrow != std::string_view::npos && arrow + 2 < word.size()) {
    pattern.field = text.substr(arrow + 2);
    text = text.substr(0, text.size() - pattern.field.size() - 2);
  }
  pattern.behind = text.substr(star + 1);
  return pattern;
}

// Reads keys by pattern. One handle of each type serves all: a read of a million elements asks for
// a million keys.
class Lookup {
 public:
  explicit Lookup(Context& context)
      : context_(context), hash_(context.state()), string_(context.state()) {}

  // Valid until the next call.
  const std::string* value(const Pattern& pattern, std::string_view element) {
    if (pattern.itself) {
      value_ = element;
      return &value_;
    }
    if (!pattern.names) {
      return nullptr;
    }
    context_.state().step();
    // The Database knows the last name it was asked for by its address, so names that follow each
    // other lie in different places.
    turn_ ^= 1;
    std::string& name = names_[turn_];
    name.assign(pattern.before).append(element).append(pattern.behind);
    const Key key = context_.read(name);
    if (pattern.field.empty()) {
      return key.is(Type::kString) ? string(key) : nullptr;
    }
    return key.is(Type::kHash) ? field(key, pattern.field) : nullptr;
  }

 private:
  const std::string* string(const Key& key) {
    string_.stand_for(key);
    value_ = string_.gather(space_);
    return &value_;
  }
  const std::string* field(const Key& key, std::string_view name) {
    hash_.stand_for(key);
    const std::optional<std::string_view> found = hash_.get(name);
    value_ = found.value_or(std::string_view());
    return found ? &value_ : nullptr;
  }

  Context& context_;
  Hash hash_;
  String string_;
  std::string names_[2];
  size_t turn_ = 0;
  std::string space_;  // of strings that lie in chunks
  std::string value_;
};

// What strtod makes of all of it; it is exact, so it is the same everywhere.
std::optional<double> score_of(const std::string& text) {
  char* end = nullptr;
  errno = 0;
  const double score = std::strtod(text.c_str(), &end);
  if (*end != '\0' || errno == ERANGE || std::isnan(score)) {
    return std::nullopt;
  }
  return score;
}

// ---------------------------------------------------------------- arguments

struct SortOptions {
  bool descending = false;
  bool alpha = false;
  bool unsorted = false;  // BY a constant
  int64_t offset = 0;
  int64_t count = -1;  // negative: all
  std::optional<Pattern> by;
  std::vector<Pattern> get;
  std::optional<std::string_view> destination;
};

// nullopt: the error that it is.
std::optional<std::string_view> parse_sort(Args args, bool may_store, SortOptions& options) {
  for (size_t at = 2; at < args.size(); ++at) {
    const size_t left = args.size() - at - 1;
    if (same_word(args[at], "asc")) {
      options.descending = false;
    } else if (same_word(args[at], "desc")) {
      options.descending = true;
    } else if (same_word(args[at], "alpha")) {
      options.alpha = true;
    } else if (same_word(args[at], "limit") && left >= 2) {
      const auto offset = parse_integer(args[at + 1]);
      const auto count = parse_integer(args[at + 2]);
      if (!offset || !count) {
        return texts::kNotInteger;
      }
      options.offset = *offset;
      options.count = *count;
      at += 2;
    } else if (may_store && same_word(args[at], "store") && left >= 1) {
      options.destination = args[++at];
    } else if (same_word(args[at], "by") && left >= 1) {
      options.by = parse_pattern(args[++at]);
      options.unsorted = options.unsorted || !options.by->names;
    } else if (same_word(args[at], "get") && left >= 1) {
      options.get.push_back(parse_pattern(args[++at]));
    } else {
      return texts::kSyntax;
    }
  }
  return std::nullopt;
}

bool is_sort_ro(Args args) { return same_word(args[0], "sort_ro"); }

// Of `size` elements.
IndexRange limits(const SortOptions& options, uint64_t size) {
  IndexRange range;
  range.first = std::min(static_cast<uint64_t>(std::max<int64_t>(options.offset, 0)), size);
  range.count = size - range.first;
  if (options.count >= 0) {
    range.count = std::min(range.count, static_cast<uint64_t>(options.count));
  }
  return range;
}

// ---------------------------------------------------------------- what is sorted

// Elements of a list or sorted set in its order, `range` of them, from its end on if `backwards`.
// The visitor may read other keys, so they are read a page at a time.
void read_page(List& list, uint64_t first, uint64_t count, std::vector<std::string>& page) {
  list.range(first, count,
             [&](std::string_view element) { return page.emplace_back(element), true; });
}
void read_page(ZSet& set, uint64_t first, uint64_t count, std::vector<std::string>& page) {
  set.each({first, count},
           [&](std::string_view member, double) { return page.emplace_back(member), true; });
}

template <class Ordered, class Visit>
void each_in_order(
    Context& context, const Key& key, IndexRange range, bool backwards, Visit visit) {
  constexpr uint64_t kPage = 256;
  Ordered list(context.state());
  std::vector<std::string> page;
  for (uint64_t done = 0; done < range.count; done += page.size()) {
    page.clear();
    list.stand_for(
        context.find(key.name));  // what the visitor read may have ended the record's bytes
    const uint64_t count = std::min(kPage, range.count - done);
    const uint64_t first = range.first + done;
    read_page(list, backwards ? list.size() - first - count : first, count, page);
    if (backwards) {
      std::reverse(page.begin(), page.end());
    }
    CHECK_INVARIANT(page.size() == count);
    std::for_each(page.begin(), page.end(), visit);
  }
}

template <class Visit>
void each_of_set(Context& context, const Key& key, IndexRange range, Visit visit) {
  Set set(context.state());
  set.stand_for(key);
  std::string element;
  uint64_t place = 0;
  set.each([&](std::string_view member) {
    if (place++ >= range.first) {
      element = member;
      visit(element);
    }
    return place < range.first + range.count;
  });
}

class Sorting {
 public:
  Sorting(Context& context, const Key& key, const SortOptions& options)
      : context_(context), key_(key), options_(options), lookup_(context) {
    // A set has no order of its own that Redis' replicas would share: what is stored is sorted.
    if (options_.unsorted && options_.destination && key.is(Type::kSet)) {
      options_.unsorted = false;
      options_.alpha = true;
      options_.by.reset();
    }
  }

  // False: an element, or what stands for it, is no number.
  bool run() {
    const uint64_t size = key_.live ? key_.meta.size : 0;
    const IndexRange range = limits(options_, size);
    const IndexRange walked = options_.unsorted ? range : IndexRange{0, size};
    Sorter sorter(context_.state().effects(), sort_by(), options_.descending && !options_.unsorted,
                  options_.unsorted ? range.count : range.first + range.count);
    auto add = [&](const std::string& element) { add_to(sorter, element); };
    const bool backwards = options_.unsorted && options_.descending;
    if (walked.count > 0 && key_.is(Type::kList)) {
      each_in_order<List>(context_, key_, walked, backwards, add);
    } else if (walked.count > 0 && key_.is(Type::kSortedSet)) {
      each_in_order<ZSet>(context_, key_, walked, backwards, add);
    } else if (walked.count > 0 && key_.is(Type::kSet)) {
      each_of_set(context_, key_, walked, add);
    }
    items_ = sorter.finish();
    CHECK_INVARIANT(walked.first + walked.count <= size && items_.size() <= walked.count);
    if (!options_.unsorted) {
      const size_t skipped = std::min<size_t>(range.first, items_.size());
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(skipped));
    }
    return numbers_;
  }

  void answer(ReplyWriter& reply) {
    reply.array(items_.size() * std::max<size_t>(options_.get.size(), 1));
    for (const SortItem& item : items_) {
      if (options_.get.empty()) {
        reply.bulk(item.element);
      }
      for (const Pattern& pattern : options_.get) {
        const std::string* value = lookup_.value(pattern, item.element);
        value == nullptr ? reply.null() : reply.bulk(*value);
      }
    }
  }

  // How many it were. They replace whatever the destination holds, which may be one of the keys
  // that they are read from.
  uint64_t store(ReplyWriter& reply) {
    std::vector<std::string> values;
    for (SortItem& item : items_) {
      if (options_.get.empty()) {
        values.push_back(std::move(item.element));
      }
      for (const Pattern& pattern : options_.get) {
        const std::string* value = lookup_.value(pattern, item.element);
        values.push_back(value == nullptr ? std::string() : *value);
        context_.state().effects().spend(values.back().size());
      }
    }
    Key key = context_.find(*options_.destination);
    const bool was_there = key.live;
    if (key.live) {
      context_.state().remove(key);
    }
    List* list = context_.open<List>(*options_.destination, reply);
    for (const std::string& value : values) {
      list->push(ListEnd::kTail, value);
    }
    {
      const Outward::Overwriting overwriting(context_.state().outward(), was_there);
      list->save();
    }
    context_.notify_stored(config::kEventList, "sortstore", *options_.destination, values.size(),
                           was_there);
    CHECK_INVARIANT(list->size() == values.size() && list->exists() == !values.empty());
    return values.size();
  }

 private:
  SortBy sort_by() const {
    if (options_.unsorted) {
      return SortBy::kNothing;
    }
    return !options_.alpha ? SortBy::kNumber : options_.by ? SortBy::kWeight : SortBy::kElement;
  }

  void add_to(Sorter& sorter, const std::string& element) {
    if (options_.unsorted || (options_.alpha && !options_.by)) {
      return sorter.add(element, 0, nullptr);
    }
    const std::string* value = options_.by ? lookup_.value(*options_.by, element) : &element;
    if (options_.alpha) {
      return sorter.add(element, 0, value);
    }
    const std::optional<double> score = value != nullptr ? score_of(*value) : 0;
    numbers_ = numbers_ && score;
    sorter.add(element, score.value_or(0), nullptr);
  }

  Context& context_;
  const Key key_;
  SortOptions options_;
  Lookup lookup_;
  std::vector<SortItem> items_;
  bool numbers_ = true;
};

}  // namespace

// What is wrong is refused where it came in.
Route sort_route(Args args) {
  SortOptions options;
  const bool fits = !parse_sort(args, true, options);
  return fits && options.destination ? Route::kWrite : Route::kRead;
}

// Every element once, and each key that one names.
uint64_t sort_cost(Context& context, Args args) {
  SortOptions options;
  const Key key = context.find(args[1]);
  if (parse_sort(args, !is_sort_ro(args), options) || !key.live) {
    return 0;
  }
  const IndexRange range = limits(options, key.meta.size);
  const uint64_t walked = options.unsorted && !key.is(Type::kSet) ? range.count : key.meta.size;
  const uint64_t weights = options.by && !options.unsorted ? walked : 0;
  return walked + weights + range.count * options.get.size();
}

// Keys that it finds by itself are read only for who may read any. As in Redis, the first option of
// that kind is named.
std::optional<std::string_view> refuse_patterns(Context& context,
                                                Args args,
                                                const SortOptions& options) {
  const acl::NamedUser* user = context.user();
  const bool by = options.by.has_value() && !options.unsorted;
  if (user == nullptr || (!by && options.get.empty()) ||
      acl::may_read_any_key(user->rights, context.row(), args)) {
    return std::nullopt;
  }
  for (size_t i = 2; i < args.size(); ++i) {
    if (by && same_word(args[i], "by")) {
      break;
    }
    if (same_word(args[i], "get")) {
      return "ERR GET option of SORT denied due to insufficient ACL permissions.";
    }
    const bool one = same_word(args[i], "by") || same_word(args[i], "store");
    i += same_word(args[i], "limit") ? size_t{2} : one ? size_t{1} : size_t{0};
  }
  return "ERR BY option of SORT denied due to insufficient ACL permissions.";
}

// SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] [ASC | DESC] [ALPHA] [STORE key]
void sort(Context& context, Args args, ReplyWriter& reply) {
  SortOptions options;
  if (const auto error = parse_sort(args, !is_sort_ro(args), options)) {
    return reply.error(*error);
  }
  if (const auto error = refuse_patterns(context, args, options)) {
    return reply.error(*error);
  }
  const Key key = context.read(args[1]);
  if (key.live && !key.is(Type::kList) && !key.is(Type::kSet) && !key.is(Type::kSortedSet)) {
    return reply.error(texts::kWrongType);
  }
  Sorting sorting(context, key, options);
  if (!sorting.run()) {
    return reply.error("ERR One or more scores can't be converted into double");
  }
  if (!options.destination) {
    return sorting.answer(reply);
  }
  reply.integer(static_cast<int64_t>(sorting.store(reply)));
}

void sort_ro(Context& context, Args args, ReplyWriter& reply) { sort(context, args, reply); }

}  // namespace kiwi::resp::commands
