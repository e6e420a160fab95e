// Node: the composition root. Opens what is on disk, builds the two loops and their actors, lets
// the node find or form its cluster, and takes it down in order. CAF, Asio and RocksDB stay behind
// it.
//
// Threads: run() is the client loop; the raft loop is CAF's multiplexer
// (actors/README.md#two-loops).
#pragma once

#include <memory>

#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

class Node {
 public:
  // The error is one sentence for the operator.
  static Result<std::unique_ptr<Node>> open(const config::Options& options);
  ~Node();

  // Serves until SIGTERM or SIGINT, then stops in order. The process' exit status.
  int run();

 private:
  Node();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::actors
