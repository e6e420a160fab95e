// One client's side of the Redis protocol: bytes in, requests out, ordered replies back, bytes out.
// The plain class inside the RespConnection actor; client loop only; no socket and no clock of its
// own. Local commands (PING, CLIENT, MULTI, ...) are answered here; the others become Requests whose
// replies come back by slot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "resp/request.hpp"

namespace kiwi::resp {

struct NodeContext;  // what local commands see of the node: node_context.hpp

struct SessionInfo {
  ConnectionId id = 0;
  std::string peer_address;   // ip:port
  std::string local_address;
};

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

  RequestBatch take_requests();  // empty requests = nothing for the router
  bool has_requests() const;
  // Bytes for the socket, in slot order. The caller writes them all before taking more.
  std::string take_output();
  bool has_output() const;

  bool wants_more_input() const;  // false: stop reading the socket (too much unanswered or unsent, F28)
  bool closing() const;           // close once the output is written
  bool killed() const;            // close now (CLIENT KILL, output buffer limit)
  void set_unsent_bytes(size_t bytes);  // what the socket has not taken yet (output buffer limit)
  int64_t last_active_ms() const; // for `timeout`
  bool idle() const;              // nothing unanswered: `timeout` may close it
  ConnectionId id() const;

  struct State;                   // for local command handlers: session_state.hpp
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::resp
