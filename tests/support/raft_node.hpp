// One replica as a test sees it: a raft::Core, a disk that loses what was not synced, and a state
// machine that remembers what it applied. Nothing happens by itself: the test decides when a write
// completes, when entries are applied, and when the node crashes. Single-threaded.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/check.hpp"
#include "raft/core.hpp"

namespace kiwi::raft::testing {

inline Incarnation incarnation_of(NodeId id, uint8_t life = 1) {
  Incarnation out;
  out.bytes[0] = static_cast<uint8_t>(id.value);
  out.bytes[15] = life;
  return out;
}

inline Member member_of(NodeId id, uint8_t life = 1) {
  std::string n = std::to_string(id.value);
  return {id, incarnation_of(id, life), "c" + n + ":1", "p" + n + ":1"};
}

class RaftNode {
 public:
  // bootstrap: the first entry, already durable and applied; nullopt: an empty directory.
  RaftNode(CoreOptions node_options, std::optional<Entry> bootstrap) : options(node_options) {
    if (bootstrap) {
      disk_log.push_back(*bootstrap);
      disk_commit = bootstrap->index;
      flushed_applied = bootstrap->index;
      hard_state = {Term{1}, NodeId{}};
    }
    start();
  }

  void start() {
    writing.clear();
    applying.clear();
    reads_wanted.clear();
    state.clear();
    sessions.clear();
    StartState begin;
    begin.log.hard_state = hard_state;
    begin.log.first_index = LogIndex{1};
    begin.log.last_index = LogIndex{disk_log.size()};
    begin.log.last_term = disk_log.empty() ? Term{} : disk_log.back().term;
    begin.log.commit = disk_commit;
    for (const Entry& entry : disk_log) {
      if (entry.kind == EntryKind::kConfiguration) {
        begin.log.configurations.push_back(entry);
      }
      if (entry.index <= flushed_applied) {
        apply_one(entry);
      }
    }
    LogIndex from = std::max(disk_commit, flushed_applied);
    for (const Entry& entry : disk_log) {
      if (entry.index > from || entry.index.value == disk_log.size()) {
        begin.tail.push_back(entry);
      }
    }
    begin.applied = flushed_applied;
    begin.applied_stamp_ms = state.empty() ? 0 : state.back().stamp_ms;
    begin.sessions = rows();
    core.emplace(options, std::move(begin));
  }

  // Loses what was not synced; the first `survives` unfinished writes reach the disk after all.
  void crash(size_t survives = 0) {
    for (size_t i = 0; i < survives && !writing.empty(); ++i) {
      write_one();
    }
    core.reset();
  }

  // The oldest unfinished write becomes durable. Returns its token.
  PersistToken write_one() {
    PersistRequest request = std::move(writing.front());
    writing.pop_front();
    if (!request.entries.empty()) {
      CHECK_INVARIANT(request.entries.front().index.value <= disk_log.size() + 1);
      disk_log.resize(request.entries.front().index.value - 1);
      for (Entry& entry : request.entries) {
        CHECK_INVARIANT(entry.index.value == disk_log.size() + 1);
        disk_log.push_back(std::move(entry));
      }
    }
    if (request.hard_state) {
      hard_state = *request.hard_state;
    }
    disk_commit = std::max(disk_commit, request.commit);
    return request.token;
  }

  // The oldest chunk is applied, as the state machine would.
  void apply_chunk() {
    std::vector<Entry> chunk = std::move(applying.front());
    applying.pop_front();
    for (const Entry& entry : chunk) {
      apply_one(entry);
    }
    std::optional<std::vector<SessionRow>> answer;
    if (chunk.back().kind == EntryKind::kNoop) {
      answer = rows();
    }
    core->applied(chunk.back().index, std::move(answer));
  }

  void answer_log_read() {
    LogRead read = reads_wanted.front();
    reads_wanted.pop_front();
    std::vector<Entry> out;
    size_t bytes = 0;
    for (LogIndex i = read.from; i <= read.last && (out.empty() || bytes < read.bytes_max); ++i) {
      CHECK_INVARIANT(i.value >= 1 && i.value <= disk_log.size());
      out.push_back(disk_log[i.value - 1]);
      bytes += out.back().payload.size();
    }
    Term before = read.from.value == 1 ? Term{} : disk_log[read.from.value - 2].term;
    core->log_read(read, std::move(out), before);
  }

  void flush_state() { flushed_applied = LogIndex{state.size()}; }
  LogIndex applied() const { return LogIndex{state.size()}; }

  CoreOptions options;
  std::optional<Core> core;  // empty: crashed

  // On disk.
  HardState hard_state;
  std::vector<Entry> disk_log;  // entry i at i - 1
  LogIndex disk_commit;
  LogIndex flushed_applied;

  // Under way.
  std::deque<PersistRequest> writing;
  std::deque<std::vector<Entry>> applying;
  std::deque<LogRead> reads_wanted;

  // The state machine: every entry applied, in order, and the session table (F4).
  std::vector<Entry> state;
  std::vector<std::string> executed;  // payloads of batches that were next in their sequence
  std::map<std::pair<NodeId, Incarnation>, SessionRow> sessions;

 private:
  std::vector<SessionRow> rows() const {
    std::vector<SessionRow> out;
    for (const auto& [key, row] : sessions) {
      out.push_back(row);
    }
    return out;
  }

  void apply_one(const Entry& entry) {
    CHECK_INVARIANT(entry.index.value == state.size() + 1);
    state.push_back(entry);
    if (entry.index.value == 1) {
      executed.clear();
    }
    if (entry.kind != EntryKind::kBatch && entry.kind != EntryKind::kVoid) {
      return;
    }
    const ProposalNumber& n = entry.number;
    SessionRow& row = sessions[{n.node, n.incarnation}];
    row.node = n.node;
    row.incarnation = n.incarnation;
    bool next = (n.epoch == row.epoch && n.sequence == row.sequence + 1) ||
                (n.epoch > row.epoch && n.sequence == 1);
    if (next) {
      row.epoch = n.epoch;
      row.sequence = n.sequence;
      if (entry.kind == EntryKind::kBatch) {
        executed.emplace_back(entry.payload.view());
      }
    }
  }
};

}  // namespace kiwi::raft::testing
