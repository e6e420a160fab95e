#include "actors/node/departure.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kHandOverMs = 1500;
constexpr int64_t kPartMs = 300;  // a client that says nothing for so long is taken for idle
constexpr int64_t kFinishMs = 2000;
constexpr int64_t kLingerMs = 150;  // for clients to see that the connection ends
}  // namespace

std::optional<NodeId> choose_successor(const std::vector<OtherVoter>& others) {
  const OtherVoter* best = nullptr;
  for (const OtherVoter& other : others) {
    if (other.stays && (best == nullptr || std::tie(best->applied, best->match) <
                                               std::tie(other.applied, other.match))) {
      best = &other;
    }
  }
  if (best == nullptr) {
    return std::nullopt;
  }
  return std::ranges::all_of(others, &OtherVoter::stays) ? NodeId{} : best->node;
}

bool Departure::begin(int64_t now_ms, int64_t move_ms) {
  if (stage_ != Stage::kNotYet) {
    return false;
  }
  CHECK_INVARIANT(move_ms >= 0);
  move_ms_ = move_ms;
  enter(Stage::kHandingOver, now_ms + kHandOverMs, Do::kNothing);
  return true;
}

// One stage a step: what a stage has to be looked at for may only be known when its work was done.
Departure::Do Departure::step(const Seen& seen, int64_t now_ms) {
  const bool late = now_ms >= deadline_ms_;
  switch (stage_) {
    case Stage::kHandingOver:
      if (seen.must_hand_over && !late) {
        return std::exchange(asked_, true) ? Do::kNothing : Do::kHandOver;
      }
      return enter(Stage::kMoving, now_ms + move_ms_, Do::kMove);
    case Stage::kMoving:
      if (seen.moving != 0 && !late) {
        return Do::kNothing;
      }
      return enter(Stage::kParting, now_ms + kPartMs, Do::kPart);
    case Stage::kParting:
      if (seen.clients == 0 || late) {
        return enter(Stage::kFinishing, now_ms + kFinishMs, Do::kFinish);
      }
      return Do::kNothing;
    case Stage::kFinishing:
      if (!seen.answers_owed || late) {
        enter(Stage::kLingering, now_ms + kLingerMs, Do::kNothing);
        return seen.clients == 0 ? enter(Stage::kGone, 0, Do::kEnd) : Do::kNothing;
      }
      return Do::kNothing;
    case Stage::kLingering:
      return seen.clients == 0 || late ? enter(Stage::kGone, 0, Do::kEnd) : Do::kNothing;
    case Stage::kNotYet:
    case Stage::kGone:
      return Do::kNothing;
  }
  return Do::kNothing;
}

Departure::Do Departure::enter(Stage stage, int64_t deadline_ms, Do what) {
  CHECK_INVARIANT(static_cast<int>(stage) == static_cast<int>(stage_) + 1);  // none is left out
  stage_ = stage;
  deadline_ms_ = deadline_ms;
  return what;
}

}  // namespace kiwi::actors
