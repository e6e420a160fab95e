#include "resp/commands/list_support.hpp"

#include "resp/words.hpp"

namespace kiwi::resp {

std::optional<ListEnd> list_end(std::string_view word) {
  if (same_word(word, "left")) {
    return ListEnd::kHead;
  }
  return same_word(word, "right") ? std::optional(ListEnd::kTail) : std::nullopt;
}

std::optional<int64_t> list_position(const Key& key, int64_t index) {
  auto size = static_cast<int64_t>(key.meta.size);
  int64_t at = index < 0 ? index + size : index;
  return at >= 0 && at < size ? std::optional(key.meta.list_head + at) : std::nullopt;
}

void push_values(Context& context, Key& key, Args values, ListEnd end) {
  rocks::Metadata meta;
  meta.type = rocks::Type::kList;
  if (key.live) {
    meta = key.meta;
  }
  auto added = static_cast<int64_t>(values.size());
  int64_t position = end == ListEnd::kHead ? meta.list_head : meta.list_tail;
  (end == ListEnd::kHead ? meta.list_head -= added : meta.list_tail += added);
  meta.size += values.size();
  if (key.live) {
    key.meta = meta;
    context.state().update(key);
  } else {
    context.state().create(key, meta);
  }
  for (std::string_view value : values) {
    context.state().put_list_element(key, end == ListEnd::kHead ? --position : position++, value);
  }
}

void reply_elements(Context& context,
                    const Key& key,
                    int64_t position,
                    uint64_t count,
                    int step,
                    ReplyWriter& reply) {
  if (reply.discards()) {
    return;
  }
  constexpr uint64_t kFew = 4;  // cheaper one by one than with a cursor
  Database& state = context.state();
  if (count <= kFew) {
    for (uint64_t i = 0; i < count; ++i, position += step) {
      reply.bulk(state.list_element(key, position));
    }
    return;
  }
  auto send = [&](int64_t, std::string_view value) {
    reply.bulk(value);
    return !reply.lost();
  };
  const auto length = static_cast<int64_t>(count);
  if (step > 0) {
    state.walk_list(key, position, position + length, send);
  } else {
    state.walk_list_back(key, position + 1 - length, position + 1, send);
  }
}

void pop_values(Context& context, Key& key, uint64_t count, ListEnd end, ReplyWriter& reply) {
  if (count == 0) {
    return;
  }
  bool head = end == ListEnd::kHead;
  auto popped = static_cast<int64_t>(count);
  int64_t first = head ? key.meta.list_head : key.meta.list_tail - popped;
  reply_elements(context, key, head ? first : key.meta.list_tail - 1, count, head ? 1 : -1, reply);
  key.meta.size -= count;
  (head ? key.meta.list_head += popped : key.meta.list_tail -= popped);
  context.state().erase_list_elements(key, first, first + popped);
  context.update_or_remove_emptied(key);
}

}  // namespace kiwi::resp
