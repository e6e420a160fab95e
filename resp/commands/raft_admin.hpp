// What the RAFT.* commands share. Private to resp/commands/*.cpp.
#pragma once

#include <optional>
#include <string_view>
#include <utility>

#include "config/base/check.hpp"
#include "resp/admin.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

// Takes the reply's place; the result writes it: the error, or what write(ReplyWriter&, const
// AdminAnswer&) makes of a success. Only for ADMIN rows.
template <class Write>
AdminDone reply_later(Session& session, Write write) {
  Session::State& s = session.state();
  CHECK_INVARIANT(s.last_command != nullptr && s.last_command->route == Route::kAdmin);
  LaterReply later = s.defer();
  return [later, write = std::move(write)](const AdminAnswer& answer) {
    later.answer([&](ReplyWriter& reply) {
      if (answer.error.empty()) {
        write(reply, answer);
      } else {
        reply.error(answer.error);
      }
    });
  };
}
AdminDone reply_ok_later(Session& session);

// Answers and returns true while this node is no serving member of a cluster.
bool refuse_outsider(const NodeContext& node, ReplyWriter& reply);

// 1 and up; nullopt: no id can look like this.
std::optional<NodeId> parse_node_id(std::string_view text);

}  // namespace kiwi::resp
