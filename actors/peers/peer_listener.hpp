// PeerListener: the peer port. Accepts, lets whoever comes prove itself within a deadline and
// within a few KiB, and passes it to the PeerLink it proved to be; everybody else is closed and
// logged once a minute per address. Who has proved nothing makes room for others (strangers.hpp),
// so that silent sockets keep no member out (F51). Plain Asio; client loop; owned by Node.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "actors/client_loop.hpp"
#include "actors/peers/peer_link.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

struct PeerListenerOptions {
  NodeId self;
  std::function<PeerSecurityPtr()> security;  // as it is now
  std::vector<std::string> bind;
  uint16_t port = 0;
  int backlog = 128;
  std::function<bool(NodeId)> knows;
  std::function<void(NodeId, AcceptedPeer)> accepted;
  // A visitor's question; `tell` may be called later, at most once.
  std::function<void(NodeId, const std::string& question, std::function<void(std::string)> tell)>
      visited;
  std::function<void()> refused;  // counts
};

class PeerListener {
 public:
  PeerListener(ClientLoop& loop, PeerListenerOptions options);
  ~PeerListener();

  Result<void> listen();  // opens and starts; the error is one sentence
  // Where members dial from, as far as their addresses say so: names or numbers, without ports. To
  // be said again now and then, for names are looked up each time.
  void members_at(const std::set<std::string>& hosts);
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kiwi::actors
