// Verbs about nodes and time: cluster, node, crash, start, wipe, auto, show, tick, campaign, clock,
// status, log.
#include <algorithm>
#include <stdexcept>

#include "raft/configuration.hpp"
#include "tests/raft/trace_env.hpp"
#include "tests/support/raft_text.hpp"

namespace kiwi::raft::testing {

namespace {

CoreOptions options_of(const Command& command, NodeId id) {
  CoreOptions options;
  options.id = id;
  options.incarnation = incarnation_of(id);
  options.heartbeat_ticks = static_cast<uint32_t>(command.number("heartbeat", 2));
  options.election_ticks_min = static_cast<uint32_t>(command.number("election", 6));
  options.election_ticks_max =
      static_cast<uint32_t>(command.number("election-max", options.election_ticks_min));
  options.window_bytes = command.number("window", options.window_bytes);
  options.inflight_bytes_max = command.number("inflight", options.inflight_bytes_max);
  options.message_bytes_max = command.number("message", options.message_bytes_max);
  options.uncommitted_bytes_max = command.number("uncommitted", options.uncommitted_bytes_max);
  options.entry_bytes_max = command.number("entry", options.entry_bytes_max);
  options.unapplied_bytes_max = command.number("unapplied", options.unapplied_bytes_max);
  options.ready_backlog_bytes = command.number("ready-bytes", options.ready_backlog_bytes);
  options.leases = command.has("leases");
  return options;
}

// cluster 3 [learners=4] [empty=2,3] [option=value]
void make_cluster(TraceEnv& env, const Command& command) {
  uint64_t count = command.node().value;
  std::vector<NodeId> learners = command.ids("learners");
  std::vector<NodeId> empty = command.ids("empty");
  Configuration configuration;
  for (uint64_t i = 1; i <= count; ++i) {
    configuration.members.push_back(member_of(NodeId{i}));
    if (std::ranges::find(learners, NodeId{i}) == learners.end()) {
      configuration.voters.push_back(NodeId{i});
    }
  }
  Entry first = bootstrap_entry(configuration, 0);
  for (const Member& member : configuration.members) {
    bool is_empty = std::ranges::find(empty, member.id) != empty.end();
    env.nodes.emplace(member.id, RaftNode(options_of(command, member.id),
                                          is_empty ? std::nullopt : std::optional<Entry>(first)));
    env.lives[member.id] = 1;
  }
}

void show_status(TraceEnv& env, const Command& command) {
  static constexpr const char* kRoles[] = {"follower", "pre-candidate", "candidate", "leader"};
  for (auto& [id, at] : env.nodes) {
    if (!at.core || (!command.words.empty() && command.node() != id)) {
      continue;
    }
    Status s = at.core->status();
    env.print(std::to_string(id.value) + ": " + kRoles[static_cast<size_t>(s.role)] + " term=" +
              std::to_string(s.term.value) + " leader=" + std::to_string(s.leader.value) +
              " last=" + std::to_string(s.last_index.value) + " commit=" +
              std::to_string(s.commit.value) + " persisted=" + std::to_string(s.persisted.value) +
              " applied=" + std::to_string(s.applied.value) +
              (s.first_index.value > 1 ? " first=" + std::to_string(s.first_index.value) +
                                             " snapshot=" + std::to_string(s.snapshot_index.value)
                                       : "") +
              (s.installing ? " installing" : ""));
    if (s.role != Role::kLeader) {
      continue;
    }
    for (const PeerStatus& peer : s.peers) {
      env.print(
          "  " + std::to_string(peer.member.id.value) + ": " + std::string(name_of(peer.state)) +
          " match=" + std::to_string(peer.match.value) +
          " next=" + std::to_string(peer.next.value) + (peer.up ? "" : " down") +
          (peer.catch_up == CatchUp::kLog ? " from-log" : "") +
          (peer.snapshot_index ? " sending=" + std::to_string(peer.snapshot_index.value) : ""));
    }
  }
}

void show_log(TraceEnv& env, const Command& command) {
  std::string line = std::to_string(command.node().value) + ":";
  for (const Entry& entry : env.nodes.at(command.node()).disk_entries()) {
    line += " " + text_of(entry, env.with_time);
  }
  env.print(line);
}

void campaign(TraceEnv& env, NodeId id) {
  RaftNode& at = env.node(id);
  for (int i = 0; i < 1000 && at.core->status().role == Role::kFollower; ++i) {
    at.core->tick();
    env.settle(id);
  }
}

void tick(TraceEnv& env, const Command& command) {
  for (uint64_t i = 0; i < command.number("count", 1); ++i) {
    env.node(command.node()).core->tick();
    env.settle(command.node());
  }
}

// The directory is lost: a new incarnation, nothing on disk.
void wipe(TraceEnv& env, NodeId id) {
  CoreOptions options = env.nodes.at(id).options;
  options.incarnation = incarnation_of(id, ++env.lives[id]);
  env.nodes.erase(id);
  env.nodes.emplace(id, RaftNode(options, std::nullopt));
}

void set_auto(TraceEnv& env, const Command& command) {
  env.auto_disk = command.has("disk");
  env.auto_apply = command.has("apply");
}

bool run_time_verb(TraceEnv& env, const Command& command) {
  if (command.verb == "tick") {
    tick(env, command);
  } else if (command.verb == "campaign") {
    campaign(env, command.node());
  } else if (command.verb == "elect") {  // campaign and let everything settle, silently
    bool was_quiet = std::exchange(env.quiet, true);
    campaign(env, command.node());
    env.stabilize();
    env.quiet = was_quiet;
    if (env.node(command.node()).core->status().role != Role::kLeader) {
      env.print(command.words[0] + " was not elected");
    }
  } else if (command.verb == "clock") {
    env.node(command.node())
        .core->set_time(static_cast<int64_t>(command.number("wall")),
                        static_cast<int64_t>(command.number("mono")));
  } else {
    return false;
  }
  return true;
}

}  // namespace

bool run_cluster_verb(TraceEnv& env, const Command& command) {
  if (run_time_verb(env, command)) {
    return true;
  }
  if (command.verb == "cluster") {
    make_cluster(env, command);
  } else if (command.verb == "node") {  // an empty directory that nobody knows yet
    env.nodes.emplace(command.node(), RaftNode(options_of(command, command.node()), std::nullopt));
    env.lives[command.node()] = 1;
  } else if (command.verb == "crash") {
    env.node(command.node()).crash(command.number("survives"));
  } else if (command.verb == "start") {
    env.nodes.at(command.node()).start();
    env.settle(command.node());
  } else if (command.verb == "wipe") {
    wipe(env, command.node());
  } else if (command.verb == "auto") {
    set_auto(env, command);
  } else if (command.verb == "show-time") {
    env.with_time = true;
  } else if (command.verb == "status") {
    show_status(env, command);
  } else if (command.verb == "log") {
    show_log(env, command);
  } else {
    return false;
  }
  return true;
}

}  // namespace kiwi::raft::testing
