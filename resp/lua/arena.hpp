// The memory of a script: one range at a fixed address, and an allocator whose whole state lies in
// it
// (../README.md#scripts). So addresses, the order of tables and the collector's steps follow from
// the script alone, and the bytes of a state can be kept as an image and copied back.
//
// One script at a time uses it; whoever runs one restores an image first, so several machines of a
// thread may share it. Plain memory: knows nothing of Lua.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kiwi::resp::lua {

enum class Stop : uint8_t {
  kNone,
  kSteps,   // more than the budget
  kMemory,  // more than the arena
  kHost,    // the host threw: Run::thrown
};

// What a run may do, counted alike on every node.
struct Meter {
  uint64_t steps = 0;
  uint64_t steps_max = 0;
  uint64_t rested = 0;  // steps at which the host was last asked whether to rest
  Stop stop = Stop::kNone;

  // False: it is over, and from then on always.
  bool charge(uint64_t more) {
    if (stop != Stop::kNone) {
      return false;
    }
    if (more > steps_max - steps) {
      stop = Stop::kSteps;
      return false;
    }
    steps += more;
    return true;
  }
  static constexpr uint64_t kBetweenRests = 100'000;  // about 250 us
  bool wants_rest() const { return steps - rested > kBetweenRests; }
};

// The first bytes of an arena. Blocks come in classes of sizes: each sixteen bytes up to 512, then
// four to a doubling. What is given back stands in its class's list; nothing is joined again.
struct ArenaHeader {
  static constexpr size_t kClasses = 112;

  Meter meter;
  void* run = nullptr;  // whose script this is; no part of an image
  uint64_t top = 0;     // bytes used from the start on
  void* free[kClasses] = {};
};

class Arena {
 public:
  static constexpr size_t kBytes = size_t{256} << 20;
  static constexpr size_t kDistance = size_t{4} << 30;  // from one group's to the next
  static constexpr uintptr_t kAddress = 0x200000000000;

  // nullptr: something else is mapped there, maybe another arena.
  static std::unique_ptr<Arena> at_fixed_address(uint64_t group);
  // For reads, which need not be alike anywhere. nullptr: no address space.
  static std::unique_ptr<Arena> anywhere();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  ArenaHeader& header() const { return *static_cast<ArenaHeader*>(base_); }
  void clear();
  std::string image() const;
  void restore(std::string_view image);

 private:
  // What a run touched beyond so much is given back to the machine.
  static constexpr size_t kKeptBytes = size_t{1} << 20;

  explicit Arena(void* base) : base_(base) {}
  void give_back();

  void* base_;
};

// As realloc() that is told the old size; a new size of 0 frees. Growing charges a step for sixteen
// bytes, and fails once the meter stopped. Making a block smaller never fails.
void* reallocate(ArenaHeader& arena, void* block, size_t old_bytes, size_t new_bytes);

}  // namespace kiwi::resp::lua
