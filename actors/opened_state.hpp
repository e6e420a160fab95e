// A state directory that is open: what an installed snapshot becomes, and what it replaces. Made by
// node/storage, handed over between SnapshotWorker and StateMachine in messages.
#pragma once

#include <memory>
#include <string>

namespace kiwi::resp {
class Executor;
}
namespace kiwi::rocks {
class Keyspace;
}

namespace kiwi::actors {

struct OpenedState {
  ~OpenedState();
  std::string name;  // of its directory
  std::unique_ptr<rocks::Keyspace> keyspace;
  std::unique_ptr<resp::Executor> executor;  // on that keyspace
};

}  // namespace kiwi::actors
