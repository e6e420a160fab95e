// What OpenSSL's queue of errors says, as words for a person. Plain functions of the calling
// thread's queue.
#pragma once

#include <string>

namespace kiwi::actors {

// Of the oldest entry, which names the cause; the later ones only say who passed it on. Empties
// the queue.
std::string take_tls_error();

}  // namespace kiwi::actors
