// The reply that is kept of a command that counts once, for whoever repeats it in another protocol
// than the first attempt's. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace kiwi::resp {

// Whole replies that this server wrote in that protocol, in the other one: null, numbers, booleans,
// sets and the like in its words. What RESP2 wrote RESP3 reads as it is. Not for replies of another
// shape there (ReplyWriter::shaped()). `block`: EXEC's, whose null is that of an array.
std::string reply_in(int protocol, int kept_in, std::string_view bytes, bool block);

}  // namespace kiwi::resp
