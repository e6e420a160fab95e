#include "tests/sim/profile.hpp"

#include <array>

#include "tests/sim/clients.hpp"

namespace kiwi::sim {

namespace {

void draw_snapshots(WorldOptions& options, Prng& prng) {
  options.snapshot_entries = 5 + prng.below(prng.chance(1, 2) ? 20 : 120);
  options.keep_entries = prng.chance(1, 2) ? 0 : prng.below(30);
  options.keep_laggards = prng.chance(1, 2) ? 0 : prng.below(200);
}

void deposed(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3, 3, 5, 5};
  options.plays_percent = 80;
  options.node.leases = prng.chance(1, 3);
  options.forgetful_leaders = prng.chance(1, 2);
  mood.think_us_max = 15'000;
  mood.queues_percent = 30;
  mood.once_percent = 25;
}

void rewritten(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3};
  options.spares = prng.chance(1, 2);
  options.plays_percent = 90;
  options.loud_leaders = prng.chance(1, 2);
  options.node.message_bytes_max = 1;  // one entry a message
  options.node.inflight_messages_max = 1;
  options.nodes_differ = false;
  mood.think_us_max = 20'000;
}

void deadlines(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3, 3, 3, 5};
  options.plays_percent = 85;
  options.late_expiry = prng.chance(1, 2);
  options.node.long_read_elements = 1;
  mood.deadlines_percent = 90;
  mood.think_us_max = 12'000;
  mood.pipeline_max = 3;
}

void members(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3, 3, 3, 5};
  options.plays_percent = 50;
  options.members_percent = 60;
  options.spares_always = true;
  options.loud_leaders = prng.chance(1, 2);
  options.snapshot_entries = 3 + prng.below(20);  // who was away needs a snapshot to hear of it
  options.keep_laggards = prng.chance(1, 2) ? 0 : prng.below(20);
  mood.think_us_max = prng.chance(1, 2) ? 20'000 : 60'000;
}

void snapshots(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3, 3, 5};
  options.plays_percent = 15;
  options.snapshot_entries = 3 + prng.below(20);
  options.keep_entries = prng.below(4);
  options.keep_laggards = prng.chance(1, 2) ? 0 : prng.below(20);
  mood.think_us_max = 10'000;
  mood.once_percent = 25;
}

void overload(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {3, 3, 5};
  options.plays_percent = 60;
  options.node.uncommitted_bytes_max = 100 + prng.below(600);
  options.node.resend_ms = 40 + static_cast<int64_t>(prng.below(120));
  options.node.batch_commands_max = 1 + prng.below(4);
  options.link_bytes_max = 4'000 + prng.below(40'000);
  options.forgetful_leaders = true;
  mood.pipeline_max = 20;
  mood.think_us_max = 15'000;
  mood.long_values_percent = 3;
  if (prng.chance(1, 2)) {
    options.node.reply_bytes_max = 3'000;
    mood.heaps_percent = 25;
  }
}

void table(WorldOptions& options, Mood& mood, Prng& prng) {
  options.sizes = {1, 3, 3};
  options.spares = prng.chance(1, 4);
  options.node.table_bytes = (16 + prng.below(100)) << 10;
  options.node.flusher_us_max =
      2'000 + static_cast<int64_t>(prng.below(prng.chance(1, 2) ? 20'000 : 900'000));
  options.node.long_read_elements = prng.chance(1, 2) ? 1 : 0;
  options.faults_us = 6'000'000;
  mood.think_us_max = 20'000;
  mood.long_values_percent = 10;
  mood.queues_percent = 30;
  if (prng.chance(1, 3)) {  // so slow a disk that apply has to stop
    options.node.table_bytes = 16 << 10;
    options.node.flusher_us_max = 900'000;
    mood.think_us_max = 5'000;
    mood.long_values_percent = 30;
  }
}

}  // namespace

const char* name_of(Profile profile) {
  static constexpr std::array kNames = {"mixed",   "deposed",   "rewritten", "deadlines",
                                        "members", "snapshots", "overload",  "table"};
  static_assert(kNames.size() == static_cast<size_t>(Profile::kCount));
  return kNames[static_cast<size_t>(profile)];
}

void draw_world(WorldOptions& options, Mood& mood, Prng& prng) {
  options.profile = profile_of(options.seed);
  if (prng.chance(1, 3)) {
    options.node.uncommitted_bytes_max = 100 + prng.below(600);
  }
  if (prng.chance(4, 5)) {
    draw_snapshots(options, prng);
  }
  if (prng.chance(1, 2)) {
    options.node.long_read_elements = 1 + prng.below(4);
  }
  switch (options.profile) {
    case Profile::kDeposed:
      return deposed(options, mood, prng);
    case Profile::kRewritten:
      return rewritten(options, mood, prng);
    case Profile::kDeadlines:
      return deadlines(options, mood, prng);
    case Profile::kMembers:
      return members(options, mood, prng);
    case Profile::kSnapshots:
      return snapshots(options, mood, prng);
    case Profile::kOverload:
      return overload(options, mood, prng);
    case Profile::kTable:
      return table(options, mood, prng);
    case Profile::kMixed:
    case Profile::kCount:
      return;
  }
}

NodeOptions draw_node(const WorldOptions& options, Prng& prng) {
  NodeOptions node = options.node;
  if (prng.chance(1, 3)) {
    node.group_commit_us = static_cast<int64_t>(prng.below(3'000));
    node.read_gather_us = static_cast<int64_t>(prng.below(3'000));
  }
  if ((options.profile == Profile::kDeadlines || options.profile == Profile::kSnapshots) &&
      prng.chance(2, 3)) {
    node.disk_us = static_cast<int64_t>(prng.below(30'000));  // a commit takes its time
  }
  if (!options.nodes_differ) {
    return node;
  }
  if (!node.leases) {  // F20: the same on all nodes
    node.election_ticks_min = 10 + static_cast<uint32_t>(prng.below(5));
    node.election_ticks_max = node.election_ticks_min * 2;
    node.heartbeat_ticks = 2 + static_cast<uint32_t>(prng.below(3));
  }
  node.window_bytes = uint64_t{1} << (9 + prng.below(5));
  if (prng.chance(1, 2)) {
    node.apply_inflight_bytes_max = uint64_t{1} << (9 + prng.below(4));
  }
  node.message_bytes_max = uint64_t{1} << (8 + prng.below(5));
  node.inflight_bytes_max = node.message_bytes_max << prng.below(4);
  node.inflight_messages_max = 1 + static_cast<uint32_t>(prng.below(4));
  return node;
}

}  // namespace kiwi::sim
