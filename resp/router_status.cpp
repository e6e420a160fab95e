// Router: what it tells of itself. See router_state.hpp.
#include "resp/router_status.hpp"

#include "config/base/check.hpp"
#include "resp/router_state.hpp"

namespace kiwi::resp {

namespace {

// More commands of one client in a batch are a pipeline.
constexpr size_t kFewOfOneClient = 4;

// Clients with pipelines fill batches, and full ones go at once, whatever is under way.
bool is_of_pipelines(const router::Pending& pending) {
  return pending.batch->ops.size() > kFewOfOneClient * pending.runs.size();
}

}  // namespace

Flight Router::flight() const {
  const State& s = *state_;
  Flight flight;
  flight.gathers = delay(Waiting::kWrites).soon;
  flight.oldest = s.first_unsettled;
  flight.next = s.next_sequence();
  CHECK_INVARIANT(flight.oldest <= flight.next);
  const bool reads =
      !s.stale.empty() || !s.gathering.empty() || s.round != nullptr || !s.executing.empty();
  flight.writes_only = !s.pending.empty() && s.can_send() && s.resend_next == flight.next &&
                       s.retry_at_ms == 0 && !reads && !is_of_pipelines(s.pending.back());
  return flight;
}

RouterStatus Router::status() const {
  const State& s = *state_;
  RouterStatus status = s.counters;
  status.pending_batches = s.pending.size();
  status.pending_bytes = s.pending_bytes;
  status.pressure = s.own_pressure;
  status.deferred_requests = s.deferred_requests;
  for (const auto& [id, c] : s.connections) {
    status.deferred_capacity_bytes += c.queue.capacity_bytes();
  }
  status.waiting_bytes = s.waiting_bytes;
  status.waiting_reads = s.gathering.size() + (s.round ? s.round->reads.size() : 0);
  return status;
}

}  // namespace kiwi::resp
