#include "raft/status.hpp"

#include <array>

namespace kiwi::raft {

std::string_view name_of(PeerState state) {
  static constexpr std::array<std::string_view, 3> kNames = {"probe", "replicate", "snapshot"};
  return kNames.at(static_cast<size_t>(state));
}

std::string_view name_of(CatchUp source) {
  static constexpr std::array<std::string_view, 3> kNames = {"memory", "log", "snapshot"};
  return kNames.at(static_cast<size_t>(source));
}

}  // namespace kiwi::raft
