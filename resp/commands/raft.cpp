// RAFT.CLUSTER, RAFT.NODE and the other ways to form and change a cluster, in RedisRaft's dialect.
#include <optional>

#include "config/address.hpp"
#include "config/setting.hpp"
#include "resp/commands/raft_admin.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

AdminDone reply_ok_later(Session& session) {
  return reply_later(session, [](ReplyWriter& reply, const AdminAnswer&) { reply.ok(); });
}

bool refuse_outsider(const NodeContext& node, ReplyWriter& reply) {
  switch (node.status.service) {
    case Service::kUninitialized:
      reply.error(texts::kNoCluster);
      return true;
    case Service::kRemoved:
      reply.error(texts::kRemoved);
      return true;
    case Service::kLoading:
      reply.error(texts::kLoading);
      return true;
    case Service::kUp:
      break;
  }
  return false;
}

std::optional<NodeId> parse_node_id(std::string_view text) {
  std::optional<int64_t> id = parse_integer(text);
  if (!id || *id < 1) {
    return std::nullopt;
  }
  return NodeId{static_cast<uint64_t>(*id)};
}

namespace {

constexpr std::string_view kBadAddress = "ERR invalid node address";
constexpr std::string_view kBadId = "ERR invalid node id";

// host:port, maybe with /peerhost:peerport behind it, in the one form that options print.
bool parse_address(std::string_view text, NodeAddress& into) {
  size_t slash = text.find('/');
  Result<config::HostPort> client = config::parse_host_port(text.substr(0, slash));
  if (!client) {
    return false;
  }
  into.client = client->text();
  if (slash != text.npos) {
    Result<config::HostPort> peer = config::parse_host_port(text.substr(slash + 1));
    if (!peer) {
      return false;
    }
    into.peer = peer->text();
  }
  return true;
}

int64_t serving_deadline(Session& session) {
  const NodeContext& node = session.state().node;
  return node.monotonic_ms() + node.options.raft_join_timeout;
}

void init(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error("ERR wrong number of arguments for 'raft.cluster' command");
  }
  std::optional<ClusterId> cluster;
  if (args.size() == 3) {
    cluster = ClusterId::from_hex(args[2]);
    if (!cluster) {
      return reply.error(args[2].size() == 32 ? "ERR cluster id must be hexadecimal digits"
                                              : "ERR cluster id must be 32 characters");
    }
  }
  Result<ClusterId> founded = session.state().node.init_cluster(cluster);
  if (!founded) {
    return reply.error("ERR " + founded.error().text);
  }
  // Who is told OK may use the cluster.
  session.state().node.serving_waits.wait(
      serving_deadline(session), [later = session.state().defer(), founded](bool serves) {
        later.answer([&](ReplyWriter& writer) {
          serves ? writer.simple("OK " + founded->hex()) : writer.error(texts::kFoundedNotServing);
        });
      });
}

void join(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() < 3) {
    return reply.error("ERR wrong number of arguments for 'raft.cluster' command");
  }
  std::vector<std::string> addresses;
  for (std::string_view text : args.subspan(2)) {
    NodeAddress address;
    if (!parse_address(text, address)) {
      return reply.error(kBadAddress);
    }
    addresses.push_back(address.peer.empty() ? address.client
                                             : address.client + "/" + address.peer);
  }
  NodeContext& node = session.state().node;
  if (node.status.service != Service::kUninitialized) {
    return reply.error("ERR Already cluster member");
  }
  const int64_t deadline_ms = serving_deadline(session);
  node.admin.join(std::move(addresses),
                  [&node, deadline_ms, done = reply_ok_later(session)](const AdminAnswer& answer) {
                    if (!answer.error.empty()) {
                      return done(answer);
                    }
                    node.serving_waits.wait(deadline_ms, [done, answer](bool serves) {
                      AdminAnswer told = answer;
                      told.error = serves ? std::string_view() : texts::kJoinedNotServing;
                      done(told);
                    });
                  });
}

void add_node(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() != 4) {
    return reply.error("ERR wrong number of arguments for 'raft.node' command");
  }
  NodeAddress address;
  if (args[2] != "0") {  // 0: the cluster chooses
    std::optional<NodeId> id = parse_node_id(args[2]);
    if (!id) {
      return reply.error(kBadId);
    }
    address.id = *id;
  }
  if (!parse_address(args[3], address)) {
    return reply.error(kBadAddress);
  }
  session.state().node.admin.add_node(
      std::move(address), reply_later(session, [](ReplyWriter& later, const AdminAnswer& answer) {
        later.array(2);
        later.integer(static_cast<int64_t>(answer.node.value));
        later.simple(answer.cluster.hex());
      }));
}

void remove_node(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() != 3) {
    return reply.error("ERR wrong number of arguments for 'raft.node' command");
  }
  NodeContext& node = session.state().node;
  std::optional<NodeId> id = parse_node_id(args[2]);
  if (!id) {
    return reply.error(kBadId);
  }
  node.admin.remove_node(*id, reply_ok_later(session));
}

// "id" of a member, or "id@host:port[/peerhost:peerport]"; several may be joined by commas.
std::string_view parse_member_list(Args words, std::vector<NodeAddress>& members) {
  for (std::string_view word : words) {
    while (!word.empty()) {
      size_t comma = word.find(',');
      std::string_view one = word.substr(0, comma);
      word = comma == word.npos ? std::string_view{} : word.substr(comma + 1);
      size_t at = one.find('@');
      NodeAddress member;
      std::optional<NodeId> id = parse_node_id(one.substr(0, at));
      if (!id) {
        return kBadId;
      }
      member.id = *id;
      if (at != one.npos && !parse_address(one.substr(at + 1), member)) {
        return kBadAddress;
      }
      members.push_back(std::move(member));
    }
  }
  return {};
}

}  // namespace

namespace commands {

// Never called: the session takes the word away before it looks the command up.
void raft_command(Session&, Args, ReplyWriter& reply) { reply.error("ERR RAFT takes a command"); }

void raft_cluster(Session& session, Args args, ReplyWriter& reply) {
  if (same_word(args[1], "init")) {
    init(session, args, reply);
  } else if (same_word(args[1], "join")) {
    join(session, args, reply);
  } else {
    reply.error("RAFT.CLUSTER supports INIT / JOIN only");
  }
}

void raft_node(Session& session, Args args, ReplyWriter& reply) {
  if (refuse_outsider(session.state().node, reply)) {
    return;
  }
  if (same_word(args[1], "add")) {
    add_node(session, args, reply);
  } else if (same_word(args[1], "remove")) {
    remove_node(session, args, reply);
  } else {
    reply.error("ERR RAFT.NODE supports ADD / REMOVE only");
  }
}

void raft_reconfigure(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (refuse_outsider(node, reply)) {
    return;
  }
  std::vector<NodeAddress> members;
  std::string_view wrong = parse_member_list(args.subspan(1), members);
  if (!wrong.empty() || members.empty()) {
    return reply.error(wrong.empty() ? kBadId : wrong);
  }
  node.admin.reconfigure(std::move(members), reply_ok_later(session));
}

void raft_transfer_leader(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (args.size() > 2) {
    return reply.error("ERR wrong number of arguments for 'raft.transfer_leader' command");
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  NodeId target;
  if (args.size() == 2) {
    std::optional<NodeId> id = parse_node_id(args[1]);
    if (!id) {
      return reply.error("ERR invalid target node id");
    }
    target = *id;
    node.refresh_status();
    if (node.status.raft.configuration.find(target) == nullptr) {
      return reply.error(kBadId);
    }
  }
  node.admin.transfer_leadership(target, reply_ok_later(session));
}

// F20: asks the leader to hand over to this node; nobody's vote is bypassed.
void raft_timeout_now(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (refuse_outsider(node, reply)) {
    return;
  }
  AdminDone done = reply_ok_later(session);
  node.admin.timeout_now([done](const AdminAnswer& answer) {
    AdminAnswer told = answer;
    if (told.error.starts_with("ERR ")) {
      told.error.insert(4, "failed to start an election: ");
    }
    done(told);
  });
}

void raft_drain(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (!refuse_outsider(node, reply)) {
    node.admin.drain(reply_ok_later(session));
  }
}

void raft_nodeshutdown(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  node.refresh_status();
  std::optional<NodeId> id = parse_node_id(args[1]);
  if (!id || *id != node.status.raft.id) {
    return reply.error("invalid node id");
  }
  node.admin.shutdown_now();
}

namespace {

// A relative name that leads nowhere else.
bool lies_below(std::string_view name) {
  if (name.starts_with('/') || name.find('\0') != std::string_view::npos) {
    return false;
  }
  while (!name.empty()) {
    const size_t end = name.find('/');
    if (name.substr(0, end) == "..") {
      return false;
    }
    name = end == std::string_view::npos ? std::string_view() : name.substr(end + 1);
  }
  return true;
}

}  // namespace

// Answers the directory, on this node's machine, that holds the state now.
void raft_backup(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (refuse_outsider(node, reply)) {
    return;
  }
  if (args[1].empty()) {
    return reply.error("ERR the backup needs the name of a directory");
  }
  std::string directory(args[1]);
  if (const std::string& base = node.options.backup_dir; !base.empty()) {
    if (!lies_below(args[1])) {
      return reply.error("ERR backups lie below backup-dir " + base +
                         ": give a name without .. that does not begin with /");
    }
    directory = base + "/" + directory;
  }
  node.admin.backup(std::move(directory),
                    reply_later(session, [](ReplyWriter& later, const AdminAnswer& answer) {
                      later.bulk(answer.detail);
                    }));
}

// F46: by one, if every member supports the next. Its answer is that of the entry that does it.
void raft_upgrade(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (refuse_outsider(node, reply)) {
    return;
  }
  if (const std::string refusal = node.admin.upgrade_refusal(); !refusal.empty()) {
    return reply.error(refusal);
  }
  const std::string next = std::to_string(node.cluster_version + 1);
  const std::string members = node.admin.members_digest();  // whom the refusal was judged by
  const std::string_view argv[] = {"kiwi.setting", config::kClusterVersionSetting, next, members};
  session.state().forward_write(argv);
}

// As the operator of a replica says it; Redis takes FORCE and TAKEOVER, which are not needed here.
void cluster_failover(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  bool known =
      args.size() == 2 ||
      (args.size() == 3 && (same_word(args[2], "force") || same_word(args[2], "takeover")));
  if (!known) {
    return reply.error(texts::kSyntax);
  }
  if (refuse_outsider(node, reply)) {
    return;
  }
  node.refresh_status();
  if (node.status.raft.role == raft::Role::kLeader) {
    return reply.error("ERR You should send CLUSTER FAILOVER to a replica");
  }
  node.admin.timeout_now(reply_ok_later(session));
}

}  // namespace commands
}  // namespace kiwi::resp
