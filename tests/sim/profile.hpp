// What kind of world a seed makes: not every seed does everything, so that what needs an unlikely
// course of events happens often in some of them. Seeds go round the profiles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/base/prng.hpp"
#include "tests/sim/node_options.hpp"

namespace kiwi::sim {

enum class Profile : uint8_t {
  kMixed,      // everything breaks, in any order
  kDeposed,    // leaders that do not know that they are none any more, and are read from
  kRewritten,  // entries and members that never commit, disks that are behind
  kDeadlines,  // values near their deadlines, clocks, changes of leader
  kMembers,    // changes of members, lost and strange directories
  kSnapshots,  // logs that are cut everywhere
  kOverload,   // refusals, late messages, long values, deep pipelines
  kTable,      // the default engine, with no room
  kCount,
};
inline Profile profile_of(uint64_t seed) {
  return static_cast<Profile>(seed % static_cast<uint64_t>(Profile::kCount));
}
const char* name_of(Profile profile);

struct WorldOptions {
  uint64_t seed = 1;
  Profile profile = Profile::kMixed;
  std::string mutant;             // a bug of the simulated storage to switch on; empty = none
  int64_t faults_us = 9'000'000;  // how long things break
  std::vector<size_t> sizes = {1, 3, 3, 3, 5, 5};  // of the cluster
  bool spares = true;                              // there may be some
  bool spares_always = false;
  uint64_t plays_percent = 0;      // of what breaks: a play (plays.hpp) instead of one fault
  uint64_t members_percent = 0;    // of what breaks: who is a member, and what strangers are sent
  bool forgetful_leaders = false;  // they take a batch again that their log holds (F4)
  bool loud_leaders = false;       // they announce what they commit to whoever lacks it, too (F19)
  bool late_expiry = false;        // leaders seldom look for what is over
  uint64_t link_bytes_max = UINT64_MAX;  // under way to a node: more is dropped
  NodeOptions node;                      // what all nodes have in common
  bool nodes_differ = true;              // in what they need not have in common
  // How often a node flushes its state and cuts its log (0 = never), and what it keeps then.
  uint64_t snapshot_entries = 0;
  uint64_t keep_entries = 0;
  uint64_t keep_laggards = 0;
  bool keep_trace = false;
};

struct Mood;

// Fills in what the profile of the seed wants; draws the rest.
void draw_world(WorldOptions& options, Mood& mood, Prng& prng);
NodeOptions draw_node(const WorldOptions& options, Prng& prng);

}  // namespace kiwi::sim
