// A node's log disk: writes in order, each taking a while, a crash somewhere between two of them.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "tests/sim/node.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr uint64_t kInstallUs = 30'000;  // it opens a database; at most, here
constexpr size_t kJoinedBytesMax = 1 << 20;

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
  write(actors::LogWrite(std::move(request)));
}

void Node::write(DiskWrite write) {
  writes_.push_back(std::move(write));
  if (!std::exchange(writing_, true)) {
    begin_write();
  }
}

void Node::to_disk(const DiskWrite& write) {
  if (const auto* turns = std::get_if<actors::LogWrite>(&write)) {
    disk_.persist(turns->request()).has_value();
  } else if (const auto* cut = std::get_if<raft::CutRequest>(&write)) {
    disk_.cut(cut->meta, cut->keep_from).has_value();
    world_.trace("log cut", id_, cut->keep_from.value, cut->meta.index.value);
  } else {
    const auto& install = std::get<Install>(write);
    world_.checks.on_install(*this, install.meta.index);
    disk_.install(install.meta, install.name).has_value();
  }
}

// What the core wanted written while the disk had another write under way goes together, as in
// LogStore. There the loop stands still for a short write; here it goes on, as it does there for a
// long one.
void Node::begin_write() {
  if (std::holds_alternative<actors::LogWrite>(writes_.front())) {
    actors::LogWrite turns = actors::take_writes(writes_, kJoinedBytesMax);
    if (turns.tokens().size() > 1) {
      world_.coverage.hit(Mark::kWritesJoined);
    }
    writes_.emplace_front(std::move(turns));
  }
  int64_t us = disk_delay_us_ / 2 +
               static_cast<int64_t>(world_.prng.below(static_cast<uint64_t>(disk_delay_us_) + 1));
  if (std::holds_alternative<Install>(writes_.front())) {
    us += static_cast<int64_t>(world_.prng.below(kInstallUs));
  }
  later(us, [this] {
    const DiskWrite write = std::move(writes_.front());
    writes_.pop_front();
    to_disk(write);
    const auto* turns = std::get_if<actors::LogWrite>(&write);
    if (turns != nullptr && world_.options.mutant != "sync-lies") {
      raft_input([this, tokens = turns->tokens()] {
        for (const raft::PersistToken& token : tokens) {
          core_->log_persisted(token);
        }
      });
    }
    if (std::holds_alternative<Install>(write)) {
      installed_on_disk();
    }
    writing_ = !writes_.empty();
    if (writing_) {
      begin_write();
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
