#include "actors/opened_state.hpp"

#include "resp/executor.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

OpenedState::~OpenedState() {
  executor.reset();
  keyspace.reset();
}

}  // namespace kiwi::actors
