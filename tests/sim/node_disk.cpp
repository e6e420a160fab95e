// A node's log disk: writes in order, each taking a while, a crash somewhere between two of them.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr uint64_t kInstallUs = 30'000;  // it opens a database; at most, here

}  // namespace

void Node::note_log(const raft::PersistRequest& request) {
  if (request.entries.empty()) {
    return;
  }
  world_.checks.on_append(*this, request.entries);
  log_terms_.resize(request.entries.front().index.value - 1);
  for (const raft::Entry& entry : request.entries) {
    log_terms_.push_back(entry.term);
  }
}

void Node::persist(raft::PersistRequest request) {
  note_log(request);
  if (world_.options.mutant == "sync-lies") {
    raft_input([this, token = request.token] { core_->log_persisted(token); });
  }
  write(std::move(request));
}

void Node::write(DiskWrite write) {
  writes_.push_back(std::move(write));
  if (!std::exchange(writing_, true)) {
    finish_persist();
  }
}

void Node::to_disk(const DiskWrite& write) {
  if (const auto* request = std::get_if<raft::PersistRequest>(&write)) {
    disk_.persist(*request).has_value();
  } else if (const auto* cut = std::get_if<raft::CutRequest>(&write)) {
    disk_.cut(cut->meta, cut->keep_from).has_value();
    world_.trace("log cut", id_, cut->keep_from.value, cut->meta.index.value);
  } else {
    const auto& install = std::get<Install>(write);
    world_.checks.on_install(*this, install.meta.index);
    disk_.install(install.meta, install.name).has_value();
  }
}

void Node::finish_persist() {
  int64_t us = disk_delay_us_ / 2 +
               static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(disk_delay_us_) + 1));
  if (std::holds_alternative<Install>(writes_.front())) {
    us += static_cast<int64_t>(world_.prng.below(kInstallUs));
  }
  later(us, [this] {
    DiskWrite write = std::move(writes_.front());
    writes_.pop_front();
    to_disk(write);
    const auto* request = std::get_if<raft::PersistRequest>(&write);
    if (request != nullptr && world_.options.mutant != "sync-lies") {
      raft_input([this, token = request->token] { core_->log_persisted(token); });
    }
    if (std::holds_alternative<Install>(write)) {
      installed_on_disk();
    }
    writing_ = !writes_.empty();
    if (writing_) {
      finish_persist();
    }
  });
}

void Node::read_log(const raft::LogRead& request) {
  // The writes that are still queued are not visible, but nobody may ask for them either: what is
  // read back was durable when it left the memory.
  LogIndex last = std::min(request.last, disk_.last_index());
  std::vector<raft::Entry> entries;
  if (request.from >= disk_.first_index()) {  // else it was cut meanwhile
    CHECK_INVARIANT(request.from <= last);
    entries = disk_.read(request.from, last, request.bytes_max).value();
  }
  Result<Term> known = disk_.term_at(request.from - 1);
  Term previous = known ? *known : Term{};
  raft_input([this, request, entries, previous] { core_->log_read(request, entries, previous); });
}

}  // namespace kiwi::sim
