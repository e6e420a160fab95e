#include "resp/types/field_deadlines.hpp"

#include <limits>

#include "config/base/reuse.hpp"
#include "resp/types/elements.hpp"

namespace kiwi::resp {

using rocks::CollectionId;
using rocks::Family;
namespace keys = rocks::keys;

namespace {

constexpr int64_t kBeforeAll = std::numeric_limits<int64_t>::min();
constexpr int64_t kAfterAll = std::numeric_limits<int64_t>::max();
constexpr size_t kNameBytes = 256 << 10;

}  // namespace

void FieldDeadlines::put(CollectionId hash, int64_t deadline_ms, std::string_view field) {
  keys::field_deadline(key_, hash, deadline_ms, field);
  effects_.put(Family::kNode, key_, {});
}

void FieldDeadlines::erase(CollectionId hash, int64_t deadline_ms, std::string_view field) {
  keys::field_deadline(key_, hash, deadline_ms, field);
  effects_.erase(Family::kNode, key_);
}

void FieldDeadlines::drop_to(CollectionId hash, const Field& last) {
  keys::field_deadlines(from_, to_, hash);
  keys::field_deadline(to_, hash, last.deadline_ms, last.name);
  to_.push_back('\0');
  effects_.erase_range(Family::kNode, from_, to_);
}

std::unique_ptr<rocks::Cursor> FieldDeadlines::cursor(CollectionId hash, int64_t after_ms) {
  keys::field_deadlines(from_, to_, hash);
  if (after_ms == kAfterAll) {
    from_ = to_;
  } else if (after_ms != kBeforeAll) {
    keys::field_deadlines_from(from_, hash, after_ms + 1);
  }
  return reader_.cursor(Family::kNode, from_, to_);
}

int64_t FieldDeadlines::deadline_at(std::string_view record) const {
  steps_.step();
  const auto key = keys::parse_field_deadline(record);
  if (!key) {
    Elements::damaged("a deadline of a hash's field is damaged");
  }
  return key->deadline_ms;
}

std::optional<int64_t> FieldDeadlines::first_after(CollectionId hash, int64_t now_ms) {
  const auto at = cursor(hash, now_ms);
  return at->valid() ? std::optional(deadline_at(at->key())) : std::nullopt;
}

std::optional<int64_t> FieldDeadlines::last(CollectionId hash) {
  // To open a cursor that goes back takes as long: SCAN may do it for each key.
  constexpr uint64_t kStepsOfCursor = 20;
  steps_.step(kStepsOfCursor);
  keys::field_deadlines(from_, to_, hash);
  const auto at = reader_.reverse_cursor(Family::kNode, from_, to_);
  return at->valid() ? std::optional(deadline_at(at->key())) : std::nullopt;
}

uint64_t FieldDeadlines::due(CollectionId hash, int64_t now_ms) {
  uint64_t count = 0;
  for (auto at = cursor(hash, kBeforeAll); at->valid() && deadline_at(at->key()) <= now_ms;
       at->next()) {
    ++count;
  }
  return count;
}

uint64_t FieldDeadlines::later(CollectionId hash, int64_t now_ms, uint64_t most) {
  CHECK_INVARIANT(most != 0);
  uint64_t count = 0;
  for (auto at = cursor(hash, now_ms); count < most && at->valid(); at->next()) {
    steps_.step();
    ++count;
  }
  return count;
}

std::vector<FieldDeadlines::Field> FieldDeadlines::some(int64_t not_after_ms, uint64_t most) {
  std::vector<Field> found;
  size_t bytes = 0;
  for (auto at = reader_.cursor(Family::kNode, from_, to_);
       at->valid() && found.size() < most && bytes < kNameBytes; at->next()) {
    const int64_t deadline_ms = deadline_at(at->key());
    if (deadline_ms > not_after_ms) {
      break;
    }
    found.push_back({deadline_ms, std::string(keys::parse_field_deadline(at->key())->field)});
    bytes += found.back().name.size();
  }
  return found;
}

std::vector<FieldDeadlines::Field> FieldDeadlines::first(CollectionId hash, uint64_t most) {
  return first_due(hash, kAfterAll, most);
}

std::vector<FieldDeadlines::Field> FieldDeadlines::first_due(CollectionId hash,
                                                             int64_t now_ms,
                                                             uint64_t most) {
  keys::field_deadlines(from_, to_, hash);
  return some(now_ms, most);
}

void FieldDeadlines::give_back_buffers() {
  for (std::string* buffer : {&key_, &from_, &to_}) {
    give_back_if_big(*buffer);
  }
}

}  // namespace kiwi::resp
