// BGSAVE, SAVE, LASTSAVE, SHUTDOWN. Every acknowledged write is on disk already, in the log; a save
// is a snapshot: the state reaches its files and the log is cut below it, but for what followers
// that are behind still need.
#include <optional>

#include "resp/commands/raft_admin.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kRunning = "ERR Background save already in progress";

// `then` after the save's end was noted.
AdminDone noted(NodeContext& node, AdminDone then) {
  node.save.running = true;
  node.save.began_ms = node.monotonic_ms();
  return [&node, then = std::move(then)](const AdminAnswer& answer) {
    node.save.running = false;
    node.save.last_ok = answer.error.empty();
    node.save.last_took_ms = node.monotonic_ms() - node.save.began_ms;
    if (answer.error.empty()) {
      ++node.save.made;
      node.save.last_s = node.wall_microseconds() / 1'000'000;
    }
    then(answer);
  };
}

}  // namespace

void bgsave(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (args.size() > 2 || (args.size() == 2 && !same_word(args[1], "schedule"))) {
    return reply.error(texts::kSyntax);
  }
  if (node.save.running) {
    return reply.error(kRunning);
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  node.admin.save(noted(node, [](const AdminAnswer&) {}));
  reply.simple("Background saving started");
}

void save(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (node.save.running) {
    return reply.error(kRunning);
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  node.admin.save(noted(node, reply_ok_later(session)));
}

void lastsave(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  reply.integer(node.save.last_s != 0 ? node.save.last_s : node.started_wall_ms / 1000);
}

// SAVE, NOSAVE, NOW and FORCE change nothing: there is nothing to lose.
void shutdown(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  bool abort = false;
  bool save = false;
  bool nosave = false;
  bool other = false;
  for (std::string_view word : args.subspan(1)) {
    if (same_word(word, "save")) {
      save = true;
    } else if (same_word(word, "nosave")) {
      nosave = true;
    } else if (same_word(word, "abort")) {
      abort = true;
    } else if (same_word(word, "now") || same_word(word, "force")) {
      other = true;
    } else {
      return reply.error(texts::kSyntax);
    }
  }
  if ((save && nosave) || (abort && (save || nosave || other))) {
    return reply.error(texts::kSyntax);
  }
  if (abort) {
    return reply.error("ERR No shutdown in progress.");
  }
  node.admin.shutdown();  // the connection ends with the node
}

}  // namespace kiwi::resp::commands
