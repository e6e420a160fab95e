// One conversation with another server, for MIGRATE: connects, writes a request, reads so many RESP
// replies, closes. On the client loop, which it never holds up; all of it has one timeout. What it
// holds belongs to the client that asked, who ends it when the connection goes (F47).
#pragma once

#include "resp/admin.hpp"

namespace kiwi::actors {

class ClientLoop;

// `done` is called once, never before this returns, unless what is returned was called.
resp::ExchangeCancel exchange(ClientLoop& loop, resp::Exchange what, resp::ExchangeDone done);

}  // namespace kiwi::actors
