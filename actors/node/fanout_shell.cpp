#include "actors/node/fanout_shell.hpp"

#include <optional>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

// Deliveries of peers' publications take this long before others have their turn on the loop.
constexpr int64_t kSliceMs = 2;

}  // namespace

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
        inbox_.link_changed(one.peer);
        fanout.link_up(one.peer);
        break;
      case FanoutNews::What::kLinkDown:
        inbox_.link_changed(one.peer);
        fanout.link_down(one.peer);
        break;
      case FanoutNews::What::kMessage:
        if (!fanout.receive(one.peer, one.bytes, batch)) {
          log_warning("node " + std::to_string(one.peer.value) +
                      " sent a message of publish/subscribe that cannot be read; it is left out");
        } else if (batch && !inbox_.push(one.peer, std::move(*batch))) {
          options_.dropped(1);
        }
        break;
    }
  }
  if (!delivery_wanted_ && !inbox_.empty()) {
    deliver();
  }
  if (fanout.has_work()) {
    want_flush();
  }
}

void FanoutShell::deliver() {
  resp::NodeContext& context = *options_.context;
  resp::Pushes pushes;
  const int64_t end_ms = options_.now_ms() + kSliceMs;
  inbox_.deliver(
      {[&](const resp::Publication& publication) { return context.publish(publication, pushes); },
       [&](NodeId peer, uint64_t batch, const std::vector<uint64_t>& receivers) {
         context.fanout.delivered(peer, batch, receivers);
       },
       [&] { return options_.now_ms() >= end_ms; }});
  context.deliver_pushes(std::move(pushes));
  if (!inbox_.empty() && !std::exchange(delivery_wanted_, true)) {
    options_.at_end_of_turn([this] {
      delivery_wanted_ = false;
      deliver();
      if (options_.context->fanout.has_work()) {
        want_flush();
      }
    });
  }
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
    const size_t bytes = message.bytes.size();
    ByteBudget::Claim claim = bytes > kFanoutWordBytes ? bytes_out_.claim(bytes) : nullptr;
    if (bytes > kFanoutWordBytes && !claim) {
      options_.dropped(1);  // its publishers wait for kFanoutWaitMs
      continue;
    }
    out.messages.push_back({message.peer, std::move(message.bytes), std::move(claim)});
  }
  if (const ReplicaHandle replica = options_.replica(); replica && !out.messages.empty()) {
    caf::anon_send(replica, std::move(out));
  }
}

}  // namespace kiwi::actors
