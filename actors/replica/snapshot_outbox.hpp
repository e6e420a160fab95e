// What RaftReplica tells its SnapshotWorker, whoever that is now: nothing while there is none.
// Owned by RaftReplica, on the raft loop.
#pragma once

#include <optional>
#include <utility>

#include "actors/handles.hpp"

namespace kiwi::actors {

class SnapshotOutbox {
 public:
  // A worker that knows nothing of the one before it.
  void start(SnapshotWorkerHandle worker) {
    worker_ = std::move(worker);
    told_.reset();
  }
  template <class Message>
  void send(Message message) const {
    if (worker_) {
      caf::anon_send(worker_, std::move(message));
    }
  }
  void tell(const raft::Status& status) {  // if what the worker wants to know of it changed
    if (worker_ && (!told_ || status.term != told_->term || status.applied != told_->applied)) {
      told_ = SnapshotNews{status.term, status.applied, status.commit};
      send(*told_);
    }
  }

 private:
  SnapshotWorkerHandle worker_;
  std::optional<SnapshotNews> told_;
};

}  // namespace kiwi::actors
