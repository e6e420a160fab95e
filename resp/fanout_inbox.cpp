#include "resp/fanout_inbox.hpp"

#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

bool FanoutInbox::push(NodeId peer, FanoutBatch batch) {
  CHECK_INVARIANT(peer && !batch.publications.empty());
  size_t size = sizeof(Waiting);
  for (const Publication& publication : batch.publications) {
    size += sizeof(Publication) + sizeof(uint64_t) + publication.bytes();
  }
  const size_t kept = bytes(peer);
  if (kept != 0 && kept + size > kPeerBytes) {
    return false;
  }
  bytes_[peer] = kept + size;
  batches_.push_back({peer, std::move(batch), size, true, {}});
  return true;
}

void FanoutInbox::link_changed(NodeId peer) {
  for (Waiting& waiting : batches_) {
    waiting.answers = waiting.answers && waiting.peer != peer;
  }
}

void FanoutInbox::deliver(const Outlet& outlet) {
  while (!batches_.empty()) {
    Waiting& first = batches_.front();
    const std::vector<Publication>& publications = first.batch.publications;
    first.receivers.push_back(outlet.publish(publications[first.receivers.size()]));
    if (first.receivers.size() == publications.size()) {
      if (first.answers) {
        outlet.delivered(first.peer, first.batch.number, first.receivers);
      }
      const auto kept = bytes_.find(first.peer);
      CHECK_INVARIANT(kept != bytes_.end() && kept->second >= first.bytes);
      kept->second -= first.bytes;
      if (kept->second == 0) {
        bytes_.erase(kept);
      }
      batches_.pop_front();
    }
    if (outlet.rests()) {
      return;
    }
  }
}

size_t FanoutInbox::bytes(NodeId peer) const {
  const auto found = bytes_.find(peer);
  return found != bytes_.end() ? found->second : 0;
}

}  // namespace kiwi::resp
