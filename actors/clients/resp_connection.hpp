// RespConnection: one client's bytes in, ordered replies out. A shell over resp::Session and a
// ByteStream; on the client loop; its death ends this connection only.
//
// What is read is parsed at once, in the socket's own event; all commands of one read go to the
// router as one message.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "actors/clients/byte_stream.hpp"
#include "actors/clients/look_rule.hpp"
#include "actors/handles.hpp"
#include "actors/hosting.hpp"
#include "resp/node_context.hpp"
#include "resp/session.hpp"

namespace kiwi::actors {

struct RespConnectionOptions {
  resp::NodeContext* node = nullptr;  // outlives the actor
  resp::SessionInfo info;
  std::shared_ptr<ByteStream> stream;
  RouterHandle router;
  StateMachineHandle state_machine;
  std::function<int64_t()> now_ms;
  std::function<void(resp::ConnectionId)> ended;  // called once, when the connection is gone
  std::shared_ptr<LookRule> rule;                 // hears of what is no write; none: nobody does
};

class RespConnection final : public Hosted<ConnectionHandle> {
 public:
  RespConnection(caf::actor_config& cfg, const Hosting& hosting, RespConnectionOptions options);

  behavior_type make_behavior() override;

 protected:
  void stopped() override;

 private:
  void received(std::string_view bytes);
  bool refuses_tls(std::string_view bytes);
  void forward();
  // After anything happened: forward, write, close, pause or go on reading. `answered`: an answer
  // has just left.
  void settle(bool answered = false);
  void close();

  RespConnectionOptions options_;
  std::unique_ptr<resp::Session> session_;
  bool closed_ = false;
  bool heard_ = false;  // anything
  // The node ends. First the connection goes on until an answer leaves between two commands and
  // ends right behind it, so that its client sees the end before it sends the next one; who says
  // nothing for a while is ended where it stands.
  enum class Stopping : uint8_t { kNo, kBehindAnswer, kNow };
  bool try_finish(bool answered);

  Stopping stopping_ = Stopping::kNo;
  bool finished_ = false;  // everything that was read is answered, nothing more is
};

ConnectionHandle spawn_resp_connection(caf::actor_system& system,
                                       const Hosting& hosting,
                                       RespConnectionOptions options);

}  // namespace kiwi::actors
