// Plays: courses of events that are too unlikely to wait for, each the shortest way to one kind of
// bug. The nemesis steers the faults; nodes and clients do what they always do, and the checks are
// those of every world.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "raft/types.hpp"
#include "tests/sim/coverage.hpp"
#include "tests/sim/script.hpp"

namespace kiwi::sim {

class Node;
class World;

using Then = std::function<void()>;

// One that fits the world's profile; `then` when it is over.
void play(World& world, Then then);

// ---- plays_reads.cpp
void play_deposed(World& world, Then then);
void play_frozen(World& world, Then then);
void play_minority(World& world, Then then);
void play_clocks(World& world, Then then);
void play_in_flight(World& world, Then then);
// ---- plays_logs.cpp
void play_old_terms(World& world, Then then);
void play_slow_disk(World& world, Then then);
void play_late_snapshot(World& world, Then then);
void play_held_refusal(World& world, Then then);

// ---- plays_members.cpp
void play_rolled_back(World& world, Then then);
void play_wiped(World& world, Then then);
void play_old_copy(World& world, Then then);
void play_double(World& world, Then then);

// ---- what they share
struct Cast {
  NodeId leader;
  Term term;
  std::vector<NodeId> others;  // the other voters, in any order
};
// A ready leader of voters who all run, or nothing.
bool cast(World& world, Cast& cast, size_t voters_max = SIZE_MAX);
// Somebody of a higher term leads.
Node* successor(World& world, const Cast& cast, bool ready);
LogIndex match_of(const Node& leader, NodeId follower);
// The last act: counts the play if it got so far.
std::function<void(bool)> over(World& world, Mark mark, Then then);

}  // namespace kiwi::sim
