#include "resp/script_engine.hpp"

#include <map>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

constexpr int64_t kGapUs = 100'000;  // between two of one row

using Arenas = std::map<uint64_t, std::shared_ptr<lua::Arena>>;

// Those of this thread's executors, by group, from the first script on for the thread's life: the
// executor that a snapshot replaces ends on another thread, and its successor cannot wait until the
// address is free again.
Arenas& arenas_of_thread() {
  thread_local Arenas arenas;
  return arenas;
}

// nullptr: the address is taken.
std::shared_ptr<lua::Arena> arena_of_thread(GroupId group) {
  std::shared_ptr<lua::Arena>& known = arenas_of_thread()[group.value];
  if (known == nullptr) {
    known = lua::Arena::at_fixed_address(group.value);
  }
  return known;
}

}  // namespace

ScriptEngine::ScriptEngine(GroupId group, Place place, std::shared_ptr<ReadScripts> texts)
    : group_(group),
      place_(place),
      texts_(texts != nullptr ? std::move(texts) : std::make_shared<ReadScripts>()) {}

lua::Machine& ScriptEngine::machine() {
  if (machine_ != nullptr) {
    return *machine_;
  }
  std::shared_ptr<lua::Arena> arena =
      place_ == Place::kFixed ? arena_of_thread(group_) : lua::Arena::anywhere();
  if (arena == nullptr) {
    fatal(
        "there is no address space for scripts: a library that was loaded into this process stands "
        "where every node of a cluster has them, or the limit on address space is below 256 MiB");
  }
  machine_ = std::make_unique<lua::Machine>(std::move(arena));
  return *machine_;
}

void ScriptEngine::begin_run() {
  began_us_ = now_us_ ? now_us_() : 0;
  const bool goes_on = ended_us_ != 0 && *began_us_ - ended_us_ < kGapUs;
  busy_since_us_ = goes_on ? busy_since_us_ : *began_us_;
}

void ScriptEngine::end_run() {
  constexpr int64_t kLongUs = 100'000;
  CHECK_INVARIANT(began_us_.has_value());
  const int64_t now_us = now_us_ ? now_us_() : 0;
  if (now_us - *began_us_ > kLongUs) {  // short ones do not end a row of long ones
    ended_us_ = now_us;
  }
  began_us_.reset();
}

bool ScriptEngine::ran_long() const {
  return began_us_.has_value() || (now_us_ && ended_us_ != 0 && now_us_() - ended_us_ < kGapUs);
}

// Nothing is kept: another thread will run them.
bool ScriptEngine::has_place(GroupId group) {
  const auto known = arenas_of_thread().find(group.value);
  return (known != arenas_of_thread().end() && known->second != nullptr) ||
         lua::Arena::at_fixed_address(group.value) != nullptr;
}

}  // namespace kiwi::resp
