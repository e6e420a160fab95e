// Runs Lua 5.1 scripts so that the same script with the same answers of its host does the same on
// every node, byte for byte (../README.md#scripts). Each run starts from the image of a state with
// the libraries, at the arena's address, and counts steps instead of seconds.
//
// Owned by an executor, on its thread. Knows no key and no command: those are its Host's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "resp/batch.hpp"
#include "resp/lua/arena.hpp"
#include "resp/reply.hpp"
#include "resp/value_writer.hpp"

namespace kiwi::resp::lua {

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning };

// What a script reaches. Whatever it throws ends the run and comes out of it again.
class Host {
 public:
  struct Called {
    ReplyValue reply;
    uint64_t records = 0;  // that it looked at
  };
  virtual Called call(Args args, int version) = 0;
  virtual bool knows(Args args) = 0;     // a command with these arguments
  virtual bool may_call(Args args) = 0;  // and its user may run it
  virtual void log(LogLevel level, std::string_view text) = 0;
  virtual void rest() = 0;  // called each hundred thousand steps

 protected:
  ~Host() = default;
};

// A function of a library, as it registered itself.
struct Function {
  std::string name;
  std::string description;
  bool described = false;
  uint32_t flags = 0;  // kNoWrites ...
};
enum ScriptFlag : uint32_t {
  kNoWrites = 1u << 0,
  kAllowOom = 1u << 1,
  kAllowStale = 1u << 2,
  kNoCluster = 1u << 3,
  kAllowCrossSlotKeys = 1u << 4,
};
struct FlagName {
  std::string_view name;
  uint32_t flag;
};
inline constexpr FlagName kFlagNames[] = {{"no-writes", kNoWrites},
                                          {"allow-oom", kAllowOom},
                                          {"allow-stale", kAllowStale},
                                          {"no-cluster", kNoCluster},
                                          {"allow-cross-slot-keys", kAllowCrossSlotKeys}};

// What is compiled at once: it cannot rest, and names that are looked up through many functions
// take up to cubic time before any step is counted.
inline constexpr size_t kCodeBytes = size_t{128} << 10;
// Of memory that a library may use while it is loaded: what it leaves is copied for each call.
inline constexpr size_t kLibraryBytes = size_t{4} << 20;

// Of libraries and functions.
bool is_name(std::string_view text);
inline constexpr std::string_view kBadName =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long";

struct Call {
  std::string_view code;      // without a first line that begins with #!
  std::string_view identity;  // of the code: its SHA-1; keeps what was compiled
  std::string_view function;  // of a library; empty: the code is a script
  std::string_view shown;     // in errors: the SHA-1, or the function
  Args keys;
  Args arguments;
  uint64_t steps_max = 0;
};

struct Run;

class Machine {
 public:
  // Arena: of this machine, or of several on one thread.
  explicit Machine(std::shared_ptr<Arena> arena);
  ~Machine();

  // Empty: it is one. Else what is wrong, as Redis says it.
  std::string compile_error(std::string_view code, std::string_view identity);
  // Writes the reply, also an error's. Throws what the host threw; else says why everything has to
  // be undone, or kNone.
  Stop run(const Call& call, Host& host, ReplyWriter& reply);
  // What the library registers; what is wrong, or nothing.
  std::string load_library(std::string_view code,
                           std::string_view identity,
                           Host& host,
                           std::vector<Function>& functions);

  // Of FUNCTION LOAD.
  static constexpr uint64_t kLoadSteps = 20'000'000;
  // That the last run took.
  uint64_t steps_taken() const { return arena_->header().meter.steps; }
  // Images that are kept, the base one too; what the last run used of the arena.
  size_t kept_bytes() const { return base_.size() + image_bytes_; }
  size_t arena_bytes() const { return arena_->header().top; }
  // For tests: what the base image is, without the addresses of this process.
  size_t image_bytes() const { return base_.size(); }

 private:
  struct Image {
    std::string key;
    std::string code;  // two texts may have one SHA-1, and nodes do not keep the same images
    std::string bytes;
  };
  struct Task;

  void build_base();
  void restore(std::string_view image, Run& run, uint64_t steps_max);
  // The image with the code compiled in it; or nullptr, and in `error` what is wrong. `functions`:
  // a library is run, known or not, to learn what it registers.
  const std::string* compiled(std::string_view code,
                              std::string_view identity,
                              bool library,
                              Host* host,
                              std::vector<Function>* functions,
                              std::string& error);
  const std::string* known(const std::string& key, std::string_view code);
  const std::string* keep(std::string key, std::string_view code, std::string bytes);

  static constexpr size_t kImages = 128;
  static constexpr size_t kImageBytes = size_t{16} << 20;

  std::shared_ptr<Arena> arena_;
  void* state_ = nullptr;  // the lua_State, at the same address in each image
  std::string base_;
  std::list<Image> images_;  // used last first
  std::unordered_map<std::string, std::list<Image>::iterator> by_key_;
  size_t image_bytes_ = 0;
};

}  // namespace kiwi::resp::lua
