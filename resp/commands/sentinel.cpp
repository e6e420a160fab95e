// SENTINEL, for clients that find their master through one. Fields and their order are those of
// redis-sentinel 7.0.15; what a Sentinel measures of others and this node need not is 0.
#include <algorithm>
#include <utility>

#include "config/base/glob.hpp"
#include "resp/commands/info_text.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kNoSuchMaster = "ERR No such master with that name";

SentinelView view(Session& session) {
  NodeContext& node = session.state().node;
  node.refresh_status();
  return view_sentinel(node);
}

// Answers and returns nullopt where there is no master of that name, or none is known.
std::optional<SentinelView> view_of(Session& session, std::string_view name, ReplyWriter& reply) {
  SentinelView found = view(session);
  if (!session.state().node.master_names.touch(name) || found.master() == nullptr) {
    reply.error(kNoSuchMaster);
    return std::nullopt;
  }
  return found;
}

using Fields = std::vector<std::pair<std::string_view, std::string>>;

void write(const Fields& fields, ReplyWriter& reply) {
  reply.map(fields.size());
  for (const auto& [name, value] : fields) {
    reply.bulk(name);
    reply.bulk(value);
  }
}

std::string flags_of(const SentinelMember& member, std::string_view what, bool odown) {
  std::string flags = member.down ? "s_down," : "";
  flags += member.down && odown ? "o_down," : "";
  flags += what;
  flags += member.linked || member.myself ? "" : ",disconnected";
  return flags;
}

// What all three kinds begin with.
Fields common_fields(const NodeContext& node,
                     const SentinelMember& member,
                     std::string name,
                     uint16_t port,
                     std::string flags) {
  const auto link = node.status.links.find(member.id);
  const bool known = link != node.status.links.end() && !member.linked && !member.myself &&
                     link->second.down_since_ms >= 0;
  const int64_t since_ms =
      known ? std::max<int64_t>(0, node.monotonic_ms() - link->second.down_since_ms) : 0;
  Fields fields = {
      {"name", std::move(name)},
      {"ip", member.host},
      {"port", std::to_string(port)},
      {"runid", member.name},
      {"flags", std::move(flags)},
      {"link-pending-commands", "0"},
      {"link-refcount", "1"},
      {"last-ping-sent", std::to_string(since_ms)},
      {"last-ok-ping-reply", std::to_string(since_ms)},
      {"last-ping-reply", std::to_string(since_ms)},
  };
  if (member.down) {
    fields.emplace_back("s-down-time", std::to_string(since_ms));
  }
  fields.emplace_back("down-after-milliseconds",
                      std::to_string(node.options.raft_election_timeout));
  return fields;
}

void add_reported(Fields& fields, const NodeContext& node, const char* role) {
  const int64_t since_ms = std::max<int64_t>(0, node.monotonic_ms() - node.announced.since_ms);
  fields.emplace_back("info-refresh", "0");
  fields.emplace_back("role-reported", role);
  fields.emplace_back("role-reported-time", std::to_string(since_ms));
}

void write_master(const NodeContext& node,
                  const SentinelView& all,
                  const std::string& name,
                  ReplyWriter& reply) {
  const SentinelMember& master = *all.master();
  Fields fields = common_fields(node, master, name, master.port, flags_of(master, "master", true));
  add_reported(fields, node, "master");
  fields.emplace_back("config-epoch", std::to_string(all.epoch));
  fields.emplace_back("num-slaves", std::to_string(all.members.size() - 1));
  fields.emplace_back("num-other-sentinels",
                      std::to_string(all.voters - std::min<size_t>(all.voters, 1)));
  fields.emplace_back("quorum", std::to_string(all.quorum()));
  fields.emplace_back("failover-timeout", std::to_string(node.options.raft_response_timeout));
  fields.emplace_back("parallel-syncs", "1");
  write(fields, reply);
}

void write_replica(const NodeContext& node,
                   const SentinelMember& member,
                   const SentinelMember& master,
                   ReplyWriter& reply) {
  Fields fields =
      common_fields(node, member, member.address(), member.port, flags_of(member, "slave", false));
  add_reported(fields, node, "slave");
  fields.emplace_back("master-link-down-time", "0");
  fields.emplace_back("master-link-status", "ok");
  fields.emplace_back("master-host", master.host);
  fields.emplace_back("master-port", std::to_string(master.port));
  fields.emplace_back("slave-priority", "100");
  fields.emplace_back("slave-repl-offset", std::to_string(member.offset));
  fields.emplace_back("replica-announced", "1");
  write(fields, reply);
}

void write_sentinel(const NodeContext& node, const SentinelMember& member, ReplyWriter& reply) {
  Fields fields = common_fields(node, member, member.name, member.sentinel_port,
                                flags_of(member, "sentinel", false));
  fields.emplace_back("last-hello-message", "0");
  fields.emplace_back("voted-leader", "?");
  fields.emplace_back("voted-leader-epoch", "0");
  write(fields, reply);
}

bool is_other_sentinel(const SentinelMember& member) {
  return !member.myself && member.sentinel_port != 0;
}

}  // namespace

void write_sentinel_info(NodeContext& node, InfoText& out) {
  const SentinelView all = view_sentinel(node);
  const SentinelMember* master = all.master();
  const std::vector<std::string> names =
      master != nullptr ? node.master_names.all() : std::vector<std::string>();
  out.line("sentinel_masters", names.size());
  out.line("sentinel_tilt", 0);
  out.line("sentinel_tilt_since_seconds", -1);
  out.line("sentinel_running_scripts", 0);
  out.line("sentinel_scripts_queue_length", 0);
  out.line("sentinel_simulate_failure_flags", 0);
  const auto sentinels = 1 + std::ranges::count_if(all.members, is_other_sentinel);
  for (size_t i = 0; i < names.size(); ++i) {
    out.line("master" + std::to_string(i),
             "name=" + names[i] + ",status=" + (master->down ? "odown" : "ok") + ",address=" +
                 master->address() + ",slaves=" + std::to_string(all.members.size() - 1) +
                 ",sentinels=" + std::to_string(sentinels));
  }
}

namespace commands {

void sentinel_masters(Session& session, Args, ReplyWriter& reply) {
  const NodeContext& node = session.state().node;
  const SentinelView all = view(session);
  const std::vector<std::string> names =
      all.master() != nullptr ? node.master_names.all() : std::vector<std::string>();
  reply.array(names.size());
  for (const std::string& name : names) {
    write_master(node, all, name, reply);
  }
}

void sentinel_master(Session& session, Args args, ReplyWriter& reply) {
  if (const auto all = view_of(session, args[2], reply)) {
    write_master(session.state().node, *all, std::string(args[2]), reply);
  }
}

void sentinel_replicas(Session& session, Args args, ReplyWriter& reply) {
  const auto all = view_of(session, args[2], reply);
  if (!all) {
    return;
  }
  reply.array(all->members.size() - 1);
  for (const SentinelMember& member : all->members) {
    if (!member.master) {
      write_replica(session.state().node, member, *all->master(), reply);
    }
  }
}

void sentinel_sentinels(Session& session, Args args, ReplyWriter& reply) {
  const auto all = view_of(session, args[2], reply);
  if (!all) {
    return;
  }
  reply.array(static_cast<size_t>(std::ranges::count_if(all->members, is_other_sentinel)));
  for (const SentinelMember& member : all->members) {
    if (is_other_sentinel(member)) {
      write_sentinel(session.state().node, member, reply);
    }
  }
}

void sentinel_get_master_addr_by_name(Session& session, Args args, ReplyWriter& reply) {
  const SentinelView all = view(session);
  const SentinelMember* master = all.master();
  if (!session.state().node.master_names.touch(args[2]) || master == nullptr) {
    return reply.null_array();
  }
  reply.array(2);
  reply.bulk(master->host);
  reply.bulk(std::to_string(master->port));
}

void sentinel_myid(Session& session, Args, ReplyWriter& reply) {
  const SentinelView all = view(session);
  const auto myself = std::ranges::find_if(all.members, &SentinelMember::myself);
  reply.bulk(myself != all.members.end() ? myself->name : session.state().node.run_id);
}

void sentinel_ckquorum(Session& session, Args args, ReplyWriter& reply) {
  const auto all = view_of(session, args[2], reply);
  if (!all) {
    return;
  }
  const std::string usable = std::to_string(all->voters_linked) + " usable Sentinels. ";
  if (all->voters_linked >= all->quorum()) {
    return reply.simple("OK " + usable + "Quorum and failover authorization can be reached");
  }
  reply.error("NOQUORUM " + usable +
              "Not enough available Sentinels to reach the specified quorum for this master. Not "
              "enough available Sentinels to reach the majority and authorize a failover");
}

// What only Sentinels ask each other: no vote is to be had here.
void sentinel_is_master_down_by_addr(Session&, Args args, ReplyWriter& reply) {
  if (!parse_integer(args[3]) || !parse_integer(args[4])) {
    return reply.error(texts::kNotInteger);
  }
  reply.array(3);
  reply.integer(0);
  reply.bulk("*");
  reply.integer(0);
}

// This node's own is all that it has.
void sentinel_info_cache(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  const SentinelView all = view(session);
  std::vector<std::string_view> known;
  for (const std::string_view name : args.subspan(2)) {
    const std::vector<std::string> names = node.master_names.all();
    if (all.master() != nullptr && std::ranges::find(names, name) != names.end()) {
      known.push_back(name);
    }
  }
  reply.array(2 * known.size());
  for (const std::string_view name : known) {
    reply.bulk(name);
    reply.array(all.members.size());
    for (const SentinelMember& member : all.members) {
      reply.array(2);
      reply.integer(0);
      if (member.myself) {
        reply.bulk(default_info(node, Face::kStandalone));
      } else {
        reply.null();
      }
    }
  }
}

void sentinel_pending_scripts(Session&, Args, ReplyWriter& reply) { reply.array(0); }

// What is watched is this cluster, and is not found anew.
void sentinel_reset(Session&, Args, ReplyWriter& reply) { reply.integer(0); }

// It has none: names are the cluster's data, members the log's.
void sentinel_flushconfig(Session&, Args, ReplyWriter& reply) { reply.ok(); }

void sentinel_config(Session&, Args args, ReplyWriter& reply) {
  if (same_word(args[2], "set") && args.size() == 5) {
    return reply.error("ERR a node's own options decide; only SENTINEL CONFIG GET is taken");
  }
  if (!same_word(args[2], "get") || args.size() != 4) {
    return reply.error(
        "ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.");
  }
  constexpr std::pair<std::string_view, std::string_view> kParameters[] = {
      {"resolve-hostnames", "no"}, {"announce-hostnames", "no"}, {"announce-ip", ""},
      {"announce-port", "0"},      {"sentinel-user", ""},        {"sentinel-pass", ""}};
  Fields found;
  for (const auto& [name, value] : kParameters) {
    if (glob_match(args[3], name, /*ignore_case=*/true)) {
      found.emplace_back(name, std::string(value));
    }
  }
  write(found, reply);
}

void sentinel_failover(Session& session, Args args, ReplyWriter& reply) {
  if (!view_of(session, args[2], reply)) {
    return;
  }
  const std::string refusal = session.state().node.admin.sentinel_failover();
  refusal.empty() ? reply.ok() : reply.error(refusal);
}

void sentinel_refused(Session&, Args, ReplyWriter& reply) {
  reply.error(
      "ERR this Sentinel watches its own cluster and nothing else: members change with RAFT.NODE "
      "on a node's main port, names with CONFIG SET sentinel-master-names there");
}

void sentinel_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CKQUORUM <master-name>",
      "    Check if the current Sentinel configuration is able to reach the quorum",
      "    needed to failover a master and the majority needed to authorize the",
      "    failover.",
      "CONFIG GET <param>",
      "    Get global Sentinel configuration parameter.",
      "GET-MASTER-ADDR-BY-NAME <master-name>",
      "    Return the ip and port number of the master with that name.",
      "FAILOVER <master-name>",
      "    Manually failover a master node without asking for agreement from other",
      "    Sentinels",
      "INFO-CACHE <master-name>",
      "    Return last cached INFO output from masters and all its replicas.",
      "MASTER <master-name>",
      "    Show the state and info of the specified master.",
      "MASTERS",
      "    Show a list of monitored masters and their state.",
      "MYID",
      "    Return the ID of the Sentinel instance.",
      "REPLICAS <master-name>",
      "    Show a list of replicas for this master and their state.",
      "SENTINELS <master-name>",
      "    Show a list of Sentinel instances for this master and their state.",
  };
  reply_help(reply, "SENTINEL", kLines);
}

}  // namespace commands
}  // namespace kiwi::resp
