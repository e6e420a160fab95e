#include "resp/measures.hpp"

#include <algorithm>

#include "config/options.hpp"

namespace kiwi::resp {

Measures::Measures(const CycleClock& clock)
    : first_(all_commands().data()),
      rows_(all_commands().size()),
      clock_(clock),
      latency_(nullptr, nullptr) {
  CHECK_INVARIANT(rows_.size() < kNoRow);
}

Measures::Measures(const config::Options& options, Sources sources)
    : first_(all_commands().data()),
      rows_(all_commands().size()),
      options_(&options),
      limits_{&options.latency_tracking, &options.slowlog_log_slower_than,
              &options.latency_monitor_threshold},
      sources_(std::move(sources)),
      latency_(&options, sources_.wall_us) {
  CHECK_INVARIANT(rows_.size() < kNoRow);
  CHECK_INVARIANT(sources_.wall_us && sources_.client);
}

// Rare: here nothing is too dear.
void Measures::slow(const CommandSpec& row, int64_t ns, ConnectionId of, Args args) {
  CHECK_INVARIANT(options_ != nullptr);
  if (row.is_internal()) {
    return;
  }
  const int64_t least_us = options_->slowlog_log_slower_than;
  const auto most = static_cast<uint64_t>(options_->slowlog_max_len);
  if (least_us >= 0 && ns / kNsPerUs >= least_us && most != 0 && (row.flags & kSkipSlowlog) == 0) {
    Client client = sources_.client(of);
    slow_log_.add({.at_s = latency_.now_s(),
                   .took_us = ns / kNsPerUs,
                   .args = SlowLog::shortened(row, args),
                   .address = std::move(client.address),
                   .name = std::move(client.name)},
                  most);
  }
  latency_.add((row.flags & kFast) != 0 ? LatencyEvent::kFastCommand : LatencyEvent::kCommand,
               ns / kNsPerMs);
  if ((row.acl_categories & kAclScripting) != 0) {
    latency_.add(LatencyEvent::kScript, ns / kNsPerMs);
  }
}

void Measures::count_error(std::string_view reply) {
  CHECK_INVARIANT(reply.starts_with('-'));
  if (sources_.error_counted) {
    sources_.error_counted();
  }
  const std::string_view word = reply.substr(1, reply.find_first_of(" \r") - 1);
  const auto found = errors_.find(word);
  if (found != errors_.end()) {
    ++found->second;
    return;
  }
  if (errors_stopped_) {
    return;
  }
  errors_stopped_ = errors_.size() == kErrorWords;
  if (errors_stopped_) {
    errors_.clear();
  }
  errors_.emplace(errors_stopped_ ? kTooManyWords : word, 1);
  CHECK_INVARIANT(errors_.size() <= kErrorWords);
}

void Measures::add(const Measures& other) {
  CHECK_INVARIANT(other.rows_.size() == rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) {
    rows_[i].calls += other.rows_[i].calls;
    rows_[i].failed += other.rows_[i].failed;
    rows_[i].executed_ns += other.rows_[i].executed_ns;
  }
}

void Measures::reset() {
  std::vector<Row> fresh(rows_.size());
  rows_.swap(fresh);
  errors_.clear();
  errors_stopped_ = false;
}

}  // namespace kiwi::resp
