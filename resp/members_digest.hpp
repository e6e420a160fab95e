// What names the members by whose builds a raise of the cluster's version was judged (F46): the
// command carries it, and apply compares it with the configuration that the state holds. Members
// who came between the two were not asked.
#pragma once

#include <string>
#include <string_view>

#include "config/base/checksum.hpp"

namespace kiwi::resp {

inline std::string members_digest(std::string_view encoded_configuration) {
  return std::to_string(checksum64(encoded_configuration));
}

}  // namespace kiwi::resp
