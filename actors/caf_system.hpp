// Builds CAF's actor system as a node needs it. Include from composition code only.
#pragma once

#include <memory>

#include <caf/all.hpp>

namespace kiwi::actors {

// The config outlives the system made from it.
std::unique_ptr<caf::actor_system_config> make_system_config(int64_t connection_timeout_ms);

}  // namespace kiwi::actors
