// A whole RDB file of Redis (versions 1 to 12), item by item: what --import reads. Over bytes that
// anybody may have made; the values of keys are left to object_reader.hpp. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/base/result.hpp"
#include "resp/types/dump/rdb_reader.hpp"

namespace kiwi::resp::dump {

inline constexpr unsigned kNewestRdbVersion = 12;  // of Redis 7.4

struct RdbKey {
  uint64_t database = 0;
  int64_t expire_at_ms = 0;  // 0 = never
  uint8_t type = 0;
  std::string name;
};

enum class RdbItem : uint8_t {
  kKey,        // key(); its body comes next: read it, or skip_object()
  kFunctions,  // a library of functions, already passed
  kModuleAux,  // what a module keeps beside keys, already passed
  kEnd,        // and nothing behind it
  kDamaged,
};

class RdbFile {
 public:
  explicit RdbFile(std::string_view bytes) : bytes_(bytes), in_(bytes) {}

  // Header and checksum, which is of all there is, so it reads everything once. Before next().
  Result<void> open();
  RdbItem next();
  const RdbKey& key() const { return key_; }
  RdbReader& reader() { return in_; }
  // Of what comes next, from the file's begin.
  uint64_t offset() const { return bytes_.size() - in_.rest().size(); }
  uint64_t item_offset() const { return item_; }               // where the last item began
  std::string_view written_by() const { return written_by_; }  // "7.0.15"; what came so far

 private:
  RdbItem key_of(uint8_t type);
  RdbItem end() const;

  std::string_view bytes_;
  RdbReader in_;
  unsigned version_ = 0;
  uint64_t item_ = 0;
  RdbKey key_;
  std::string written_by_;
};

// Passes over one body of that type: keys that cannot be held here. False: the bytes are no such
// value, or of a type whose end nobody but its module knows.
bool skip_object(uint8_t type, RdbReader& in);
// The values that modules write, behind the module's number.
bool skip_module_values(RdbReader& in);

}  // namespace kiwi::resp::dump
