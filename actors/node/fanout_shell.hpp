// Publish/subscribe between nodes: a shell over resp::Fanout. Takes what the links brought, gives
// publications to this node's subscribers, and sends what a turn of the client loop left. On the
// client loop.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "actors/handles.hpp"
#include "config/base/byte_budget.hpp"
#include "resp/fanout_inbox.hpp"
#include "resp/node_context.hpp"

namespace kiwi::actors {

struct FanoutShellOptions {
  resp::NodeContext* context = nullptr;  // outlives the shell
  std::function<int64_t()> now_ms;       // monotonic
  std::function<void(std::function<void()>)> at_end_of_turn;
  std::function<ReplicaHandle()> replica;               // null before the core runs
  std::function<void(size_t)> dropped = [](size_t) {};  // so many batches of peers
};

class FanoutShell {
 public:
  // Gives the context its fanout_has_work.
  explicit FanoutShell(FanoutShellOptions options);
  FanoutShell(const FanoutShell&) = delete;
  FanoutShell& operator=(const FanoutShell&) = delete;

  void observe(const std::vector<FanoutNews>& news);
  void tick();  // about every 100 ms
  // The node serves: what is applied from now on is told.
  void is_up(LogIndex commit);

 private:
  void want_flush();
  void flush();
  void deliver();

  FanoutShellOptions options_;
  resp::FanoutInbox inbox_;
  ByteBudget bytes_out_{kFanoutBytesBetweenLoops};  // that the replica has not taken
  bool flush_wanted_ = false;
  bool delivery_wanted_ = false;
};

}  // namespace kiwi::actors
