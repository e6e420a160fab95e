// TcpServer: the clients of this node, with and without TLS. Opens the listening sockets, sets
// socket options, keeps maxclients, and starts a RespConnection for each client; closes idle ones.
// No actor; client loop; owned by Node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/client_loop.hpp"
#include "actors/clients/byte_stream.hpp"
#include "actors/clients/socket_engine.hpp"
#include "actors/handles.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"
#include "resp/node_context.hpp"

namespace kiwi::actors {

struct TcpServerOptions {
  resp::NodeContext* node = nullptr;  // outlives the server
  RouterHandle router;
  StateMachineHandle state_machine;
  std::shared_ptr<SocketEngine> engine;
};

class TcpServer {
 public:
  TcpServer(caf::actor_system& system, ClientLoop& loop, TcpServerOptions options);
  ~TcpServer();

  // Opens the sockets of the bind list, for each face that has a port. An error is one sentence.
  Result<void> listen();
  void start();  // accept from now on
  // A client without a socket, counted and served as the others. False: there is no room for one.
  [[nodiscard]] bool adopt(std::shared_ptr<ByteStream> stream, const std::string& address);
  void stop_accepting();                 // existing clients stay
  void part();                           // each ends behind its next answer
  void finish();                         // nothing more is read from them; what was is answered
  bool idle() const;                     // all of it is
  void close(resp::ConnectionId id);     // its session is killed()
  void deliver(resp::ReplyBatch batch);  // an answer that came later
  void tick();                           // every second or so: idle clients, soft output limits
  size_t clients() const;
  // At the end of each turn of the router: whether the sockets are left alone until what it has
  // under way is committed (look_rule.hpp).
  bool router_turned(const resp::Flight& flight);
  void look_at_sockets();             // own writes are committed: what came meanwhile is read now
  uint64_t looks_at_commits() const;  // of those, that found somebody
  // Reads the files of the TLS port again, for new connections. An error changes nothing.
  Result<void> reload_tls(const config::Options& options);
  void reload_at_hangup();  // the same at SIGHUP; the log says what became of it

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kiwi::actors
