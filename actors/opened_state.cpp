#include "actors/opened_state.hpp"

namespace kiwi::actors {

OpenedState::~OpenedState() {
  executor.reset();
  keyspace.reset();
}

}  // namespace kiwi::actors
