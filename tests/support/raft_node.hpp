// One replica as a test sees it: a raft::Core, a disk that loses what was not synced, and a state
// machine that remembers what it applied. Nothing happens by itself: the test decides when a write
// completes, when entries are applied, and when the node crashes. Single-threaded.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "raft/core.hpp"
#include "tests/support/memory_log.hpp"

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

// A state as it is copied from one node to another: everything applied up to an index.
struct Snapshot {
  SnapshotMeta meta;
  std::vector<Entry> state;
};

// What waits for the log disk, in order. An Install is F14's one commit point: the log's record and
// with it the state that is opened from now on.
struct Install {
  Snapshot snapshot;
  std::string live_state;
};
using Write = std::variant<PersistRequest, CutRequest, Install>;

class RaftNode {
 public:
  // bootstrap: the first entry, already durable and applied; nullopt: an empty directory.
  RaftNode(CoreOptions node_options, std::optional<Entry> bootstrap) : options(node_options) {
    if (bootstrap) {
      PersistRequest first;
      first.entries.push_back(*bootstrap);
      first.commit = bootstrap->index;
      first.hard_state = HardState{Term{1}, NodeId{}};
      must(disk.persist(first));
      states[kFirstLiveState] = {*bootstrap};
    }
    start();
  }

  void start() {
    writing.clear();
    applying.clear();
    reads_wanted.clear();
    installing.reset();
    open_state();
    StartState begin;
    begin.log = must(disk.load());
    const LoadedLog& log = begin.log;
    LogIndex from = std::max(log.commit, applied());
    for (const Entry& entry : disk_entries()) {
      if (entry.index > from ||
          (entry.index == log.last_index && entry.index > log.snapshot.index)) {
        begin.tail.push_back(entry);
      }
    }
    begin.applied = applied();
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

  // The oldest unfinished write becomes durable. Returns its token, if it has one.
  std::optional<PersistToken> write_one() {
    Write write = std::move(writing.front());
    writing.pop_front();
    if (const auto* cut = std::get_if<CutRequest>(&write)) {
      must(disk.cut(cut->meta, cut->keep_from));
      return std::nullopt;
    }
    if (auto* install = std::get_if<Install>(&write)) {
      states[install->live_state] = install->snapshot.state;
      must(disk.install(install->snapshot.meta, install->live_state));
      return std::nullopt;
    }
    const auto& request = std::get<PersistRequest>(write);
    must(disk.persist(request));
    return request.token;
  }
  void complete_write() {
    if (std::optional<PersistToken> token = write_one()) {
      core->log_persisted(*token);
    }
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
    if (read.from >= must(disk.load()).first_index) {  // else it was cut meanwhile
      out = must(disk.read(read.from, read.last, read.bytes_max));
    }
    Result<Term> before = disk.term_at(read.from - 1);
    core->log_read(read, std::move(out), before ? *before : Term{});
  }

  LogIndex applied() const { return LogIndex{state.size()}; }
  LogIndex flushed() { return LogIndex{states[must(disk.live_state())].size()}; }
  void flush_state() { flush_state(applied()); }
  void flush_state(LogIndex at) {
    states[must(disk.live_state())] = {state.begin(),
                                       state.begin() + static_cast<std::ptrdiff_t>(at.value)};
  }
  std::vector<Entry> disk_entries() {
    LoadedLog log = must(disk.load());
    return log.last_index < log.first_index
               ? std::vector<Entry>{}
               : must(disk.read(log.first_index, log.last_index, SIZE_MAX));
  }

  // A copy of the flushed state, with what is known of it from itself (F13).
  Snapshot snapshot() {
    Snapshot out;
    out.state = states[must(disk.live_state())];
    out.meta.index = out.state.back().index;
    out.meta.term = out.state.back().term;
    for (const Entry& entry : out.state) {
      if (entry.kind == EntryKind::kConfiguration) {
        out.meta.configuration = must(decode_configuration(entry.payload.view()));
      }
    }
    return out;
  }
  // The three steps of a snapshot that arrived: decide, write the one commit point, swap.
  SnapshotVerdict receive(const Snapshot& snapshot, Term sender_term) {
    SnapshotVerdict verdict = core->snapshot_received(snapshot.meta, sender_term);
    if (verdict == SnapshotVerdict::kInstall) {
      installing = snapshot;
    }
    return verdict;
  }
  void queue_install() {
    CHECK_INVARIANT(installing.has_value());
    writing.emplace_back(Install{*installing, "state-" + std::to_string(++states_made)});
  }
  void finish_install() {
    CHECK_INVARIANT(must(disk.load()).snapshot == installing->meta);  // its write is done
    applying.clear();
    open_state();
    core->snapshot_installed(installing->meta, state.back().stamp_ms, rows());
    installing.reset();
  }

  CoreOptions options;
  std::optional<Core> core;  // empty: crashed

  // On disk.
  kiwi::test::MemoryLog disk;
  std::map<std::string, std::vector<Entry>> states;  // as they were flushed, by directory
  uint64_t states_made = 1;

  // Under way.
  std::deque<Write> writing;
  std::deque<std::vector<Entry>> applying;
  std::deque<LogRead> reads_wanted;
  std::optional<Snapshot> installing;

  // The state machine: every entry applied, in order, and the session table (F4).
  std::vector<Entry> state;
  std::vector<std::string> executed;  // payloads of batches that were next in their sequence
  std::map<std::pair<NodeId, Incarnation>, SessionRow> sessions;

 private:
  template <class T>
  static T must(Result<T> result) {
    CHECK_INVARIANT(result.has_value());
    return std::move(result).value();
  }
  static void must(const Result<void>& result) { CHECK_INVARIANT(result.has_value()); }

  // Opens the state that the log names (F14).
  void open_state() {
    state.clear();
    executed.clear();
    sessions.clear();
    for (const Entry& entry : states[must(disk.live_state())]) {
      apply_one(entry);
    }
  }

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
