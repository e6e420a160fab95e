// What an executor runs scripts with: a machine, made at the first script, and the texts that only
// this node knows. Not a part of the state: what it keeps decides how long a script takes, never
// what it does.
//
// Part of an executor, on its thread. Executors of one thread share the arena of their group, since
// one script runs at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "config/base/ids.hpp"
#include "resp/lua/machine.hpp"
#include "resp/read_scripts.hpp"

namespace kiwi::resp {

class ScriptEngine {
 public:
  enum class Place : uint8_t {
    kFixed,     // the address that every node has: what runs here is part of the state
    kAnywhere,  // of a view: reads need not be alike
  };
  ScriptEngine(GroupId group, Place place, std::shared_ptr<ReadScripts> texts);

  // The process ends with a sentence if the address is taken; node start asks before (below).
  lua::Machine& machine();
  ReadScripts& read_scripts() { return *texts_; }
  const std::shared_ptr<ReadScripts>& shared_read_scripts() const { return texts_; }

  // While it lives a script runs; the executor may rest inside of it.
  class Running {
   public:
    explicit Running(ScriptEngine& engine) : engine_(engine) { engine_.begin_run(); }
    ~Running() { engine_.end_run(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    ScriptEngine& engine_;
  };
  // Monotonic; without it nobody asks.
  void clock(std::function<int64_t()> now_us) { now_us_ = std::move(now_us); }
  // How long scripts have run, the present one and long ones right before it: many of them stand in
  // the log at once. None: no script runs. Decides no result.
  std::optional<int64_t> running_us() const {
    return began_us_ && now_us_ ? std::optional(now_us_() - busy_since_us_) : std::nullopt;
  }

  // A script runs, or long ones did until a moment ago.
  bool ran_long() const;

  // What it holds; 0 before the first script. The arena's pages are not the allocator's.
  uint64_t image_bytes() const { return machine_ == nullptr ? 0 : machine_->kept_bytes(); }
  uint64_t arena_bytes() const { return machine_ == nullptr ? 0 : machine_->arena_bytes(); }

  // Could a script of that group run in this process?
  static bool has_place(GroupId group);

 private:
  void begin_run();
  void end_run();

  const GroupId group_;
  const Place place_;
  std::shared_ptr<ReadScripts> texts_;
  std::unique_ptr<lua::Machine> machine_;
  std::function<int64_t()> now_us_;
  std::optional<int64_t> began_us_;  // of the present one
  int64_t busy_since_us_ = 0;
  int64_t ended_us_ = 0;  // the last long one; 0: none ever
};

}  // namespace kiwi::resp
