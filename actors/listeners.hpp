// Listening sockets of clients and peers, and what is checked before they are opened: plain system
// calls, no Asio, any thread, called before the loops start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

// Opens one listening socket per address of the bind list; shared with the peer listener. An
// address that starts with - is skipped if it does not exist here. Returns the file descriptors.
Result<std::vector<int>> open_listeners(const std::vector<std::string>& addresses,
                                        uint16_t port,
                                        int backlog);

// The first of the bind list that other machines can reach, empty if all are loopback. Names are
// looked up; what cannot be found is left for open_listeners() to complain about.
std::string public_address(const std::vector<std::string>& addresses);
// Refuses a peer port that others reach and that asks for no secret (F51); an error is one
// sentence. Warns of a client port that asks for no password.
Result<void> check_public_ports(const config::Options& options);

}  // namespace kiwi::actors
