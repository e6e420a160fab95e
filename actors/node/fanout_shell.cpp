#include "actors/node/fanout_shell.hpp"

#include <optional>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

FanoutShell::FanoutShell(FanoutShellOptions options) : options_(std::move(options)) {
  CHECK_INVARIANT(options_.context != nullptr);
  options_.context->fanout_has_work = [this] { want_flush(); };
}

void FanoutShell::observe(const std::vector<FanoutNews>& news) {
  resp::Fanout& fanout = options_.context->fanout;
  for (const FanoutNews& one : news) {
    std::optional<resp::FanoutBatch> batch;
    switch (one.what) {
      case FanoutNews::What::kLinkUp:
        fanout.link_up(one.peer);
        break;
      case FanoutNews::What::kLinkDown:
        fanout.link_down(one.peer);
        break;
      case FanoutNews::What::kMessage:
        if (!fanout.receive(one.peer, one.bytes, batch)) {
          log_warning("node " + std::to_string(one.peer.value) +
                      " sent a message of publish/subscribe that cannot be read; it is left out");
        } else if (batch) {
          deliver(one.peer, *batch);
        }
        break;
    }
  }
  if (fanout.has_work()) {
    want_flush();
  }
}

void FanoutShell::deliver(NodeId from, const resp::FanoutBatch& batch) {
  std::vector<uint64_t> receivers;
  receivers.reserve(batch.publications.size());
  resp::Pushes pushes;
  for (const resp::Publication& publication : batch.publications) {
    receivers.push_back(options_.context->publish(publication, pushes));
  }
  options_.context->deliver_pushes(std::move(pushes));
  options_.context->fanout.delivered(from, batch.number, receivers);
}

void FanoutShell::tick() {
  options_.context->fanout.tick(options_.now_ms());
  if (options_.context->fanout.has_work()) {
    want_flush();
  }
}

void FanoutShell::is_up(LogIndex commit) {
  resp::NodeContext& context = *options_.context;
  if (!std::exchange(context.live, true)) {
    context.live_after = commit;
  }
}

void FanoutShell::want_flush() {
  if (!std::exchange(flush_wanted_, true)) {
    options_.at_end_of_turn([this] { flush(); });
  }
}

void FanoutShell::flush() {
  flush_wanted_ = false;
  options_.context->fanout.flush(options_.now_ms());
  SendFanout out;
  for (resp::FanoutEffects::Message& message : options_.context->take_fanout()) {
    out.messages.push_back({message.peer, std::move(message.bytes)});
  }
  if (const ReplicaHandle replica = options_.replica(); replica && !out.messages.empty()) {
    caf::anon_send(replica, std::move(out));
  }
}

}  // namespace kiwi::actors
