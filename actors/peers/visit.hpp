// Asks the node at an address one question over its peer port, after both proved the secret. Plain
// Asio; client loop. For nodes that are not members of one cluster yet (node/joining.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "actors/peers/peer_security.hpp"
#include "config/address.hpp"
#include "config/base/ids.hpp"
#include "config/base/result.hpp"

namespace kiwi::actors {

class ClientLoop;

struct Visit {
  NodeId self;
  PeerSecurityPtr security;
  config::HostPort address;  // of a peer port
  std::string question;
  int64_t timeout_ms = 5000;
};

// `done` is called once, on the client loop, with who answered and what; an error is one sentence.
// `asked`: the question was sent, so whatever it asks for may happen, answer or not.
struct VisitAnswer {
  NodeId node;
  std::string text;
};
using VisitDone = std::function<void(const Result<VisitAnswer>& answer, bool asked)>;
void pay_visit(ClientLoop& loop, Visit visit, VisitDone done);

}  // namespace kiwi::actors
