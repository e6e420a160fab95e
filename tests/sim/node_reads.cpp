// Long reads of a node: put aside by the executor, run a while later on a view of the state, as
// actors/LongReads does; and the flusher of the table keyspace, whose jobs are events of the world.
#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "resp/long_read.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr uint64_t kPauseUs = 100'000;  // between views, at most
constexpr uint64_t kRunUs = 40'000;     // from a view to the answer, at most

}  // namespace

void Node::order_long_reads(resp::ExecutorEffects& effects) {
  for (resp::LongRead& read : effects.long_reads) {
    world_.coverage.hit(Mark::kLongRead);
    long_waiting_.push_back(std::move(read));
  }
  const auto remove = [this](const std::vector<uint64_t>& ids) {
    std::vector<resp::LongRead> removed;
    for (auto* reads : {&long_running_, &long_waiting_}) {
      std::erase_if(*reads, [&](resp::LongRead& read) {
        const bool found = std::ranges::find(ids, read.id) != ids.end();
        if (found) {
          removed.push_back(std::move(read));
        }
        return found;
      });
    }
    return removed;
  };
  remove(effects.long_reads_dropped);
  for (const resp::LongRead& read : remove(effects.long_reads_expired)) {
    executor_->long_read_done(resp::expired_long_read(read));
    schedule_client();
  }
}

void Node::pump_long_reads() {
  if (long_waiting_.empty() || !long_running_.empty()) {
    return;
  }
  const int64_t now_us = world_.timeline.now_us();
  if (now_us < long_next_us_) {
    later(long_next_us_ - now_us, [this] { client_input([this] { pump_long_reads(); }); });
    return;
  }
  long_next_us_ = now_us + static_cast<int64_t>(world_.prng.below(kPauseUs));
  long_running_ = std::exchange(long_waiting_, {});
  const uint64_t round = ++long_rounds_;
  state_->keyspace().view_async([this, life = life_, round](std::unique_ptr<rocks::Reader> view) {
    if (life != life_ || round != long_rounds_) {
      return;
    }
    long_view_ = std::move(view);
    later(static_cast<int64_t>(world_.prng.below(kRunUs)), [this, round] {
      if (round == long_rounds_) {
        run_long_reads(std::exchange(long_view_, nullptr));
      }
    });
  });
}

void Node::run_long_reads(std::unique_ptr<rocks::Reader> view) {
  const std::atomic<bool> stop{false};
  for (const resp::LongRead& read : std::exchange(long_running_, {})) {
    auto result = std::make_shared<resp::LongReadResult>(resp::run_long_read(*view, read, stop));
    client_input([this, result] { executor_->long_read_done(std::move(*result)); });
  }
  client_input([this] { pump_long_reads(); });
}

// They go on with the next view.
void Node::stop_long_reads() {
  ++long_rounds_;
  long_view_.reset();
  long_waiting_.insert(long_waiting_.begin(), std::make_move_iterator(long_running_.begin()),
                       std::make_move_iterator(long_running_.end()));
  long_running_.clear();
}

void Node::state_tick() {
  state_->work();
  state_->keyspace().tidy();
  const auto most = static_cast<uint64_t>(options_.flusher_us_max);
  later(1'000 + static_cast<int64_t>(world_.prng.below(most)), [this] { state_tick(); });
}

}  // namespace kiwi::sim
