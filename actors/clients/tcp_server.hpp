// TcpServer: the listening sockets for clients, with and without TLS. Accepts, sets socket options,
// keeps maxclients, and starts a RespConnection for each client; closes idle ones. Plain Asio, no
// actor; client loop; owned by Node.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/client_loop.hpp"
#include "actors/clients/byte_stream.hpp"
#include "actors/handles.hpp"
#include "config/base/result.hpp"
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
  void expect_requests(bool expected);  // readable_sockets.hpp
  // Reads the files of the TLS port again, for new connections. An error changes nothing.
  Result<void> reload_tls(const config::Options& options);
  void reload_at_hangup();  // the same at SIGHUP; the log says what became of it

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kiwi::actors
