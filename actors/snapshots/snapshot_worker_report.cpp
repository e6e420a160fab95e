// What a worker says of itself: to the peers of its transfers while it is at work, and to INFO.
#include <utility>
#include <vector>

#include "actors/snapshots/snapshot_worker.hpp"

namespace kiwi::actors {

SnapshotWorker::AtWork::AtWork(SnapshotWorker& worker)
    : worker_(worker), since_ms_(worker.options_.now_ms()) {
  const SnapshotWorkerOptions& options = worker.options_;
  std::vector<SnapshotFrame> signs;
  const auto tell = [&](NodeId peer, uint64_t transfer) {
    signs.push_back({.peer = peer,
                     .bytes = encode_snapshot({transfer, SnapshotAck{}}),
                     .group = options.group});
  };
  for (const auto& [follower, sending] : worker.sending_) {
    tell(follower, sending.sender->transfer());
  }
  if (const auto coming = worker.receiver_.transfer()) {
    tell(coming->first, coming->second);
  }
  if (options.in_background && !signs.empty()) {
    worker.signs_.begin([replica = options.replica, signs = std::move(signs)] {
      for (const SnapshotFrame& sign : signs) {
        caf::anon_send(replica, sign);
      }
    });
  }
}

// Messages of others waited in this worker's mailbox meanwhile.
SnapshotWorker::AtWork::~AtWork() {
  worker_.signs_.end();
  const int64_t busy_ms = worker_.options_.now_ms() - since_ms_;
  for (auto& [follower, sending] : worker_.sending_) {
    sending.sender->excuse(busy_ms);
  }
  worker_.receiver_.excuse(busy_ms);
}

void SnapshotWorker::report() {
  const SnapshotReceiver::Report receiving = receiver_.report();
  report_.receiving = receiving.receiving;
  report_.receiving_from = receiving.from;
  report_.receiving_index = receiving.index;
  report_.receiving_progress = receiving.progress;
  report_.bytes_received = received_before_ + receiving.bytes_ever;
  report_.sending.clear();
  for (const auto& [follower, sending] : sending_) {
    report_.sending[follower] = {sending.sender->index(), sending.sender->progress()};
  }
  report_.checkpoint_index = checkpoint_ ? checkpoint_->source->info().applied.index : LogIndex{0};
  report_.checkpoint_bytes = checkpoint_ ? checkpoint_->source->bytes() : 0;
  options_.board->set(report_);
}

}  // namespace kiwi::actors
