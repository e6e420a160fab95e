#include "resp/script_engine.hpp"

#include <map>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

// The arenas of this thread's executors, by group. One that nobody uses is gone.
std::shared_ptr<lua::Arena> arena_of_thread(GroupId group) {
  thread_local std::map<uint64_t, std::weak_ptr<lua::Arena>> arenas;
  std::weak_ptr<lua::Arena>& known = arenas[group.value];
  if (std::shared_ptr<lua::Arena> arena = known.lock()) {
    return arena;
  }
  std::shared_ptr<lua::Arena> arena = lua::Arena::at_fixed_address(group.value);
  known = arena;
  return arena;
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

bool ScriptEngine::has_place(GroupId group) { return arena_of_thread(group) != nullptr; }

}  // namespace kiwi::resp
