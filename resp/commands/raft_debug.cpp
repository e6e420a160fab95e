// RAFT.DEBUG: what RedisRaft's test tools ask for. F21: nothing here changes one node alone.
#include <algorithm>

#include "resp/command_docs.hpp"
#include "resp/commands/raft_admin.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// RAFT.DEBUG COMMANDSPEC's bits.
enum SpecBit : int64_t {
  kSpecReadOnly = 2,
  kSpecWrite = 4,
  kSpecDontIntercept = 16,
  kSpecSortReply = 32,
  kSpecRandom = 64,
};

void wrong_number(ReplyWriter& reply) {
  reply.error("ERR wrong number of arguments for 'raft.debug' command");
}

void compact(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return wrong_number(reply);
  }
  NodeContext& node = session.state().node;
  std::optional<int64_t> async = args.size() == 3 ? parse_integer(args[2]) : 0;
  if (!async) {
    return reply.error(texts::kNotInteger);
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  if (*async != 0) {
    node.admin.compact([](const AdminAnswer&) {});
    return reply.ok();
  }
  node.admin.compact(reply_ok_later(session));
}

// "+voting -active", as one word or as several. A member is always active.
void nodecfg(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (args.size() < 4) {
    return wrong_number(reply);
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  node.refresh_status();
  std::optional<NodeId> id = parse_node_id(args[2]);
  if (!id || node.status.raft.configuration.find(*id) == nullptr) {
    return reply.error("ERR node does not exist");
  }
  std::optional<bool> voting;
  for (std::string_view words : args.subspan(3)) {
    for (std::string_view word : split(words, " ")) {
      if (word == "+voting" || word == "-voting") {
        voting = word[0] == '+';
      } else if (word == "-active") {
        return reply.error("ERR a member is always active; RAFT.NODE REMOVE takes it out");
      } else if (word != "+active" && !word.empty()) {
        return reply.error("ERR invalid nodecfg option");
      }
    }
  }
  if (!voting) {
    return reply.ok();
  }
  node.admin.set_voting(*id, *voting, reply_ok_later(session));
}

void used_node_ids(Session& session, ReplyWriter& reply) {
  std::vector<NodeId> ids = session.state().node.admin.used_node_ids();
  reply.array(ids.size());
  for (NodeId id : ids) {
    reply.integer(static_cast<int64_t>(id.value));
  }
}

// Reads this node's own state, however old it is.
void exec_here(Session& session, Args words, ReplyWriter& reply) {
  Session::State& s = session.state();
  Resolved found = words.empty() ? Resolved{} : resolve_for_client(s.node, words, s.info.face);
  if (found.row == nullptr || found.unknown_subcommand || !arity_fits(*found.row, words.size())) {
    return reply.error("Bad command or failed to execute");
  }
  if (route_of(*found.row, words) != Route::kRead) {
    return reply.error(
        "ERR RAFT.DEBUG EXEC takes commands that read the data: a write would make this node "
        "differ "
        "from the others");
  }
  if (const std::string why = s.limited != nullptr ? s.denial_of(*found.row, words) : std::string();
      !why.empty()) {
    return reply.error(why);
  }
  size_t begin = s.requests.buffer.size();
  s.begin_packed();
  pack_command(s.requests.buffer, s.database, words);
  s.forward(RequestKind::kStaleRead, begin, may_be_long(*found.row, words.size()));
}

// The same of its own state: do the records fit each other? As any long read it leaves its turn.
void audit(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return wrong_number(reply);
  }
  Session::State& s = session.state();
  std::vector<std::string_view> words{"kiwi.audit"};
  words.insert(words.end(), args.begin() + 2, args.end());
  const size_t begin = s.requests.buffer.size();
  s.begin_packed(true);
  pack_command(s.requests.buffer, s.database, words);
  s.forward(RequestKind::kStaleRead, begin, true);
}

void commandspec(Args args, ReplyWriter& reply) {
  if (args.size() != 3) {
    return wrong_number(reply);
  }
  const CommandSpec* row = find_command(args[2]);
  if (row == nullptr || row->is_internal()) {
    return reply.error("ERR unknown command");
  }
  int64_t bits = row->route == Route::kRead    ? kSpecReadOnly
                 : row->route == Route::kWrite ? kSpecWrite
                                               : kSpecDontIntercept;
  for (const DocLine& line : command_doc(*row)) {
    if (line.word == "tip" && line.rest == "nondeterministic_output") {
      bits |= kSpecRandom;
    }
    if (line.word == "tip" && line.rest == "nondeterministic_output_order") {
      bits |= kSpecSortReply;
    }
  }
  reply.integer(bits);
}

}  // namespace

void raft_debug(Session& session, Args args, ReplyWriter& reply) {
  if (same_word(args[1], "compact")) {
    compact(session, args, reply);
  } else if (same_word(args[1], "nodecfg")) {
    nodecfg(session, args, reply);
  } else if (same_word(args[1], "used_node_ids")) {
    used_node_ids(session, reply);
  } else if (same_word(args[1], "exec")) {
    args.size() < 3 ? wrong_number(reply) : exec_here(session, args.subspan(2), reply);
  } else if (same_word(args[1], "commandspec")) {
    commandspec(args, reply);
  } else if (same_word(args[1], "audit")) {
    audit(session, args, reply);
  } else {
    reply.error(
        "ERR RAFT.DEBUG supports COMPACT / NODECFG / USED_NODE_IDS / EXEC / COMMANDSPEC / AUDIT "
        "only");
  }
}

}  // namespace kiwi::resp::commands
