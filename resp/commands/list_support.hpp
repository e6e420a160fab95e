// What the list commands share. A list's elements stand at consecutive positions [head, tail) that
// its record holds; both ends grow outwards.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "resp/context.hpp"

namespace kiwi::resp {

enum class ListEnd : uint8_t { kHead, kTail };

// LEFT or RIGHT; nullopt: neither.
std::optional<ListEnd> list_end(std::string_view word);
// Position of an index that may count from the end; nullopt if there is no such element.
std::optional<int64_t> list_position(const Key& key, int64_t index);
// Adds the values one by one at that end; makes the list if the key is not there.
void push_values(Context& context, Key& key, Args values, ListEnd end);
// Sends `count` elements from `position` on; step -1 walks towards the head.
void reply_elements(Context& context,
                    const Key& key,
                    int64_t position,
                    uint64_t count,
                    int step,
                    ReplyWriter& reply);
// Sends `count` elements from that end inwards and removes them; count is at most the size.
void pop_values(Context& context, Key& key, uint64_t count, ListEnd end, ReplyWriter& reply);

}  // namespace kiwi::resp
