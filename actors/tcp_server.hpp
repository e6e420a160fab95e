// TcpServer: the listening sockets for clients. Accepts, sets socket options, keeps maxclients, and
// starts a RespConnection for each client; closes idle ones. Plain Asio, no actor; client loop;
// owned by Node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/client_loop.hpp"
#include "actors/handles.hpp"
#include "base/result.hpp"
#include "config/options.hpp"
#include "resp/node_context.hpp"

namespace kiwi::actors {

struct TcpServerOptions {
  resp::NodeContext* node = nullptr;  // outlives the server
  RouterHandle router;
  StateMachineHandle state_machine;
};

class TcpServer {
 public:
  TcpServer(caf::actor_system& system, ClientLoop& loop, TcpServerOptions options);
  ~TcpServer();

  // Opens the sockets of the bind list. An error is one sentence.
  Result<void> listen();
  void start();                          // accept from now on
  void stop_accepting();                 // existing clients stay
  void part();                           // each ends behind its next answer
  void finish();                         // nothing more is read from them; what was is answered
  bool idle() const;                     // all of it is
  void close(resp::ConnectionId id);     // its session is killed()
  void deliver(resp::ReplyBatch batch);  // an answer that came later
  void tick();                           // every second or so: idle clients, soft output limits
  size_t clients() const;
  void expect_company(bool expected);  // readable_sockets.hpp

 private:
  struct State;
  std::shared_ptr<State> state_;
};

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
