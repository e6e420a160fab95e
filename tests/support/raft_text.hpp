// Effects of the Raft core as text, one line each, for traces and failure messages.
#pragma once

#include <string>
#include <vector>

#include "raft/core.hpp"

namespace kiwi::raft::testing {

// with_time: stamps and clocks too.
std::string text_of(const Entry& entry, bool with_time = false);
std::string text_of(const Configuration& configuration);
std::string text_of(const SnapshotMeta& meta);
std::string text_of(const Message& message, bool with_time = false);
std::vector<std::string> lines_of(NodeId node, const Effects& effects, bool with_time = false);

}  // namespace kiwi::raft::testing
