#include "resp/batch_trace.hpp"

#include <algorithm>

#include "config/base/check.hpp"

namespace kiwi::resp {

std::string_view name_of(TraceStage stage) {
  constexpr std::array<std::string_view, kTraceStages> kNames = {
      "arrived", "handed-over", "appended", "durable", "committed", "applied", "answered"};
  return kNames.at(static_cast<size_t>(stage));
}

BatchTrace::Batch* BatchTrace::find(const TraceKey& key) {
  const auto found = std::ranges::find(batches_, key, &Batch::key);
  return found == batches_.end() ? nullptr : &*found;
}

BatchTrace::Batch& BatchTrace::add(const TraceKey& key) {
  Batch& batch = batches_.emplace_front();
  batch.key = key;
  if (batches_.size() > kBatches) {
    batches_.pop_back();
  }
  CHECK_INVARIANT(batches_.size() <= kBatches);
  return batches_.front();
}

void BatchTrace::handed_over(
    const TraceKey& key, int64_t arrived_us, int64_t now_us, uint64_t commands, uint64_t bytes) {
  if (find(key) != nullptr) {
    return;  // sent again
  }
  own_ = key;
  Batch& batch = add(key);
  // The router's clock counts milliseconds.
  batch.at_us[static_cast<size_t>(TraceStage::kArrived)] = std::min(arrived_us, now_us);
  batch.at_us[static_cast<size_t>(TraceStage::kHandedOver)] = now_us;
  batch.commands = commands;
  batch.bytes = bytes;
}

void BatchTrace::settled(const std::vector<Settled>& batches, TraceStage stage, int64_t now_us) {
  for (const Settled& one : batches) {
    if (!one.applied || !wants(one.sequence)) {
      continue;
    }
    TraceKey key = own_;
    key.sequence = one.sequence;
    if (Batch* batch = find(key)) {
      batch->at_us.at(static_cast<size_t>(stage)) = now_us;
    }
  }
}

void BatchTrace::take(const TraceStamp& stamp, NodeId leader) {
  CHECK_INVARIANT(stamp.stage >= TraceStage::kAppended && stamp.stage <= TraceStage::kCommitted);
  Batch* batch = find(stamp.batch);
  if (batch == nullptr) {
    batch = &add(stamp.batch);
  }
  if (stamp.stage == TraceStage::kAppended) {
    // A later leader's entry in the place of one that was lost.
    batch->at_us[static_cast<size_t>(TraceStage::kDurable)] = 0;
    batch->at_us[static_cast<size_t>(TraceStage::kCommitted)] = 0;
  }
  batch->at_us.at(static_cast<size_t>(stamp.stage)) = stamp.at_us;
  batch->index = stamp.index;
  batch->term = stamp.term;
  batch->leader = leader;
}

}  // namespace kiwi::resp
