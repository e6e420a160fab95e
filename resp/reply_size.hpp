// Where a reply ends. Any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace kiwi::resp {

// The size of the RESP2 or RESP3 reply that `bytes` begins with; 0 = not a whole reply.
size_t reply_size(std::string_view bytes);

}  // namespace kiwi::resp
