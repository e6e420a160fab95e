// The orderly end of a node, stage by stage: it stops accepting, hands leadership over while its
// clients are served on, tells those that can be told where else to go and serves them until they
// went, parts with each other client behind an answer, so that no command is under way
// when its connection ends, ends those that are silent or never are, lingers for clients to see
// it, and goes. Each stage has its time; no stage can hold up the end.
//
// Plain class: what it sees in, what to do next out. Owned by Node, client loop. Times are
// monotonic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "config/base/ids.hpp"

namespace kiwi::actors {

// Another voter, for who leads and is about to go.
struct OtherVoter {
  NodeId node;
  bool stays = false;  // it is linked, serves, and is not about to go itself
  LogIndex applied, match;
};
// Whom to hand leadership to. nullopt: nobody stays, and two that drain would hand it to each other
// for ever. 0: whoever the core takes for the best, for all stay.
std::optional<NodeId> choose_successor(const std::vector<OtherVoter>& others);

class Departure {
 public:
  enum class Stage : uint8_t {
    kNotYet,
    kHandingOver,
    kMoving,
    kParting,
    kFinishing,
    kLingering,
    kGone,
  };
  enum class Do : uint8_t {
    kNothing,
    kHandOver,  // ask the core to hand leadership over
    kMove,      // send clients to other nodes
    kPart,      // end each connection behind an answer
    kFinish,    // end them where they stand, when what was read is answered
    kEnd,       // flush the state, end the process
  };
  struct Seen {
    bool must_hand_over = false;  // this node leads, and another voter could
    size_t clients = 0;
    bool answers_owed = false;  // requests that were read, replies that were not sent
    size_t moving = 0;          // clients that were sent elsewhere and are still here
  };

  // False: it is under way already. `move_ms`: how long clients have to go.
  bool begin(int64_t now_ms, int64_t move_ms);
  // As often as anything may have changed, until kEnd.
  Do step(const Seen& seen, int64_t now_ms);
  Stage stage() const { return stage_; }

 private:
  Do enter(Stage stage, int64_t deadline_ms, Do what);

  Stage stage_ = Stage::kNotYet;
  int64_t deadline_ms_ = 0;
  int64_t move_ms_ = 0;
  bool asked_ = false;  // the core to hand over
};

}  // namespace kiwi::actors
