// Random turns of a raft::LogStorage against a model, with crashes between them, over the fixture
// of log_storage_suite.hpp.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "tests/rocks/log_storage_suite.hpp"

namespace kiwi::rocks::test {

template <class Fixture>
class RandomLogRun {
 public:
  RandomLogRun(Fixture& fixture, uint64_t seed) : fixture_(fixture), random_(seed) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      if (random_.chance(1, 12)) {
        fixture_.crash();
      } else if (random_.chance(1, 40)) {
        fixture_.close_and_open();
      }
      check();
    }
  }

 private:
  uint64_t last() const { return first_ + entries_.size() - 1; }

  void step() {
    uint64_t pick = random_.below(10);
    if (pick < 8) {
      persist();
    } else if (random_.chance(1, 12)) {
      install();
    } else if (pick < 9) {
      cut();
    } else {
      identity_.boot_epoch += 1;
      identity_.node = NodeId{1};
      REQUIRE(fixture_.log().set_identity(identity_).has_value());
    }
  }

  void persist() {
    raft::PersistRequest request;
    uint64_t from = last() + 1;
    if (random_.chance(1, 4) && last() > snapshot_.index.value) {
      from = snapshot_.index.value + 1 + random_.below(last() - snapshot_.index.value);
      ++term_;
    }
    for (uint64_t n = random_.below(8), index = from; n > 0; --n, ++index) {
      auto kind = random_.chance(1, 6) ? raft::EntryKind::kConfiguration : raft::EntryKind::kBatch;
      request.entries.push_back(
          make_entry(index, term_, std::string(random_.below(50), 'q') + "!", kind));
    }
    if (random_.chance(1, 3)) {
      request.hard_state = raft::HardState{Term{term_}, NodeId{random_.below(4)}};
    }
    REQUIRE(fixture_.log().persist(request).has_value());
    if (!request.entries.empty()) {
      entries_.resize(from - first_);
      entries_.insert(entries_.end(), request.entries.begin(), request.entries.end());
    }
    if (request.hard_state.has_value()) {
      hard_state_ = *request.hard_state;
    }
  }

  void cut() {
    if (last() <= snapshot_.index.value) {
      return;
    }
    uint64_t index = snapshot_.index.value + 1 + random_.below(last() - snapshot_.index.value);
    uint64_t keep = random_.below(6);
    snapshot_ = snapshot_at(index, entries_[index - first_].term.value);
    uint64_t first = std::max(first_, index + 1 - std::min(keep, index));
    REQUIRE(fixture_.log().cut(snapshot_, LogIndex{first}).has_value());
    entries_.erase(entries_.begin(),
                   entries_.begin() + static_cast<std::ptrdiff_t>(first - first_));
    first_ = first;
  }

  void install() {
    live_state_ = "state-" + std::to_string(2 + random_.below(1000));
    snapshot_ = snapshot_at(snapshot_.index.value + 1 + random_.below(last() + 3), term_);
    REQUIRE(fixture_.log().install(snapshot_, live_state_).has_value());
    entries_.clear();
    first_ = snapshot_.index.value + 1;
  }

  void check() {
    REQUIRE(fixture_.log().live_state().value() == live_state_);
    raft::LoadedLog log = loaded(fixture_.log());
    REQUIRE(log.first_index.value == first_);
    REQUIRE(log.last_index.value == last());
    REQUIRE(log.last_term == (entries_.empty() ? snapshot_.term : entries_.back().term));
    REQUIRE(log.hard_state == hard_state_);
    REQUIRE(log.snapshot == snapshot_);
    REQUIRE(all_entries(fixture_.log()) == entries_);
    std::vector<raft::Entry> configurations;
    for (const raft::Entry& entry : entries_) {
      if (entry.kind == raft::EntryKind::kConfiguration) {
        configurations.push_back(entry);
      }
    }
    REQUIRE(log.configurations == configurations);
    if (identity_.boot_epoch != 0) {
      REQUIRE(fixture_.log().identity().value() == identity_);
    }
  }

  Fixture& fixture_;
  Prng random_;
  uint64_t first_ = 1;
  uint64_t term_ = 1;
  std::vector<raft::Entry> entries_;
  raft::HardState hard_state_;
  raft::SnapshotMeta snapshot_;
  std::string live_state_ = raft::kFirstLiveState;
  raft::Identity identity_;
};

template <class Fixture>
void run_log_random(uint64_t seed, int steps) {
  INFO("seed ", seed);
  Fixture fixture;
  RandomLogRun<Fixture>(fixture, seed).run(steps);
}

}  // namespace kiwi::rocks::test
