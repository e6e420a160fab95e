// One client's side of the Redis protocol: bytes in, requests out, ordered replies back, bytes out.
// The plain class inside the RespConnection actor; client loop only; no socket and no clock of its
// own. Local commands (PING, CLIENT, MULTI, ...) are answered here; the others become Requests
// whose replies come back by slot.
//
// After each of receive(), reply(), set_unsent_bytes() and tick() the owner looks at killed(), then
// at has_requests() and has_output(): a session that had stopped parsing (unanswered or unsent
// replies above their bounds, a WATCH under way) goes on inside any of these calls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "resp/face.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

struct NodeContext;  // what local commands see of the node: node_context.hpp

struct SessionInfo {
  ConnectionId id = 0;
  std::string peer_address;  // ip:port
  std::string local_address;
  int file_descriptor = -1;  // shown by CLIENT LIST, used for nothing
  Face face = Face::kStandalone;
  bool tls = false;
  // The common name of the certificate that it proved; empty: none.
  std::string certificate_name = {};
};

// What a connection above maxclients is told before it is closed.
inline constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";

class Session {
 public:
  Session(NodeContext& node, SessionInfo info, int64_t now_ms);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Parses and answers or forwards as far as it can. Protocol errors are answered and closing() is
  // set. Call take_requests() and take_output() afterwards.
  void receive(std::string_view bytes, int64_t now_ms);
  void reply(const ReplyBatch& replies, int64_t now_ms);
  void tick(int64_t now_ms);  // every 100-1000 ms: `timeout`, the soft output buffer limit

  RequestBatch take_requests();  // empty requests = nothing for the router
  bool has_requests() const;
  // Bytes for the socket, in slot order. The caller writes them all before taking more.
  std::string take_output();
  bool has_output() const;

  // False: stop reading the socket, too much is unanswered or unsent (F28).
  bool wants_more_input() const;
  bool blocked() const;  // in a blocking command
  // The connection is to end: its wait ends, unless it is served first. Once.
  void end_wait();
  bool closing() const;  // close once the output is written
  bool killed() const;   // close now (CLIENT KILL, output buffer limit)
  // What take_output() gave and the socket has not taken yet: told after every change, 0 included.
  void set_unsent_bytes(size_t bytes);
  // What of a reply in pieces has left since the last call, if that is much or all that came of it:
  // to be asked after set_unsent_bytes(), and told to whoever makes it.
  std::optional<ReplyTaken> take_taken();
  int64_t last_active_ms() const;  // for `timeout`
  bool idle() const;               // nothing unanswered: `timeout` may close it
  // idle, and nothing begun: no half command, no MULTI or WATCH. If the connection ends here, its
  // client loses nothing.
  bool between_commands() const;
  ConnectionId id() const;

  struct State;  // for local command handlers: session_state.hpp
  State& state() { return *state_; }
  const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::resp
