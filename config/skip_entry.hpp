// The value of --skip-entry (F30): the one log entry that this node applies as nothing. Apart from
// options.hpp, since code that applies entries may name it and may read no option (F35).
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::config {

struct SkipEntry {
  uint64_t index = 0;  // 0: none
  uint64_t checksum = 0;
  bool operator==(const SkipEntry&) const = default;
};
std::string option_text(const SkipEntry& value);  // as the option is given

}  // namespace kiwi::config
