#include "tests/support/memory_log.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "raft/codec.hpp"

namespace kiwi::test {

namespace {

// What the log on a disk would find out when it reads the entry again.
void check_seal(const raft::Entry& entry) {
  raft::Entry fresh = entry;
  fresh.checksum = {};
  raft::seal_entry(fresh);
  CHECK_INVARIANT(entry.checksum.value == 0 || entry.checksum.value == fresh.checksum.value);
}

}  // namespace

// ---------------------------------------------------------------- what a write does to a picture

void MemoryLog::Picture::apply(const Write& write) {
  if (const auto* request = std::get_if<raft::PersistRequest>(&write)) {
    apply_persist(*request);
  } else if (const auto* cut = std::get_if<Cut>(&write)) {
    apply_cut(*cut);
  } else if (const auto* install = std::get_if<Install>(&write)) {
    apply_install(*install);
  } else {
    identity = std::get<raft::Identity>(write);
  }
}

void MemoryLog::Picture::apply_persist(const raft::PersistRequest& request) {
  if (!request.entries.empty()) {
    LogIndex from = request.entries.front().index;
    CHECK_INVARIANT(from >= first && from <= last() + 1);
    entries.resize(from - first);
    corrupted.erase(corrupted.lower_bound(from), corrupted.end());
    entries.insert(entries.end(), request.entries.begin(), request.entries.end());
    for (const raft::Entry& entry : request.entries) {
      check_seal(entry);
    }
  }
  if (request.hard_state.has_value()) {
    hard_state = *request.hard_state;
  }
  commit = std::max(commit, request.commit);
}

void MemoryLog::Picture::apply_cut(const Cut& cut) {
  entries.erase(entries.begin(),
                entries.begin() + static_cast<std::ptrdiff_t>(cut.new_first - first));
  first = cut.new_first;
  snapshot = cut.meta;
  commit = std::max(commit, cut.meta.index);
  corrupted.erase(corrupted.begin(), corrupted.lower_bound(first));
}

void MemoryLog::Picture::apply_install(const Install& install) {
  entries.clear();
  corrupted.clear();
  first = install.meta.index + 1;
  snapshot = install.meta;
  commit = std::max(commit, install.meta.index);
  live_state = install.live_state;
}

// ---------------------------------------------------------------- the port

Result<raft::LoadedLog> MemoryLog::load() {
  const Picture& now = current_;
  raft::LoadedLog log;
  log.hard_state = now.hard_state;
  log.snapshot = now.snapshot;
  log.first_index = now.first;
  log.last_index = now.last();
  log.last_term = now.entries.empty() ? now.snapshot.term : now.entries.back().term;
  log.commit = now.commit;
  for (const raft::Entry& entry : now.entries) {
    bool needed = entry.kind == raft::EntryKind::kConfiguration || entry.index == now.first ||
                  entry.index == now.last();
    if (needed && now.corrupted.contains(entry.index)) {
      return Error{Errc::kCorrupt, "entry " + std::to_string(entry.index.value) + " is damaged"};
    }
    if (entry.kind == raft::EntryKind::kConfiguration) {
      log.configurations.push_back(entry);
    }
  }
  return log;
}

Result<void> MemoryLog::check(const raft::PersistRequest& request) const {
  if (request.entries.empty()) {
    return {};
  }
  LogIndex from = request.entries.front().index;
  if (from > current_.last() + 1 || from <= current_.snapshot.index) {
    return Error{Errc::kInvalid,
                 "entry " + std::to_string(from.value) + " does not follow the log"};
  }
  for (size_t i = 1; i < request.entries.size(); ++i) {
    if (request.entries[i].index != from + i ||
        request.entries[i].term < request.entries[i - 1].term) {
      return Error{Errc::kInvalid, "the entries to write are not in order"};
    }
  }
  return {};
}

Result<void> MemoryLog::persist(const raft::PersistRequest& request) {
  if (Result<void> good = check(request); !good) {
    return good;
  }
  if (request.entries.empty() && !request.hard_state.has_value()) {
    return {};
  }
  return write(request, fsync_ || request.hard_state.has_value());
}

Result<std::vector<raft::Entry>> MemoryLog::read(LogIndex from, LogIndex last, size_t bytes_max) {
  if (from < current_.first || from > last || last > current_.last()) {
    return Error{Errc::kInvalid, "the range to read is not in the log"};
  }
  std::vector<raft::Entry> entries;
  size_t bytes = 0;
  for (LogIndex index = from; index <= last; ++index) {
    if (current_.corrupted.contains(index)) {
      return Error{Errc::kCorrupt, "entry " + std::to_string(index.value) + " is damaged"};
    }
    const raft::Entry& entry = current_.at(index);
    bytes += entry.payload.size();
    if (bytes > bytes_max && !entries.empty()) {
      break;
    }
    entries.push_back(entry);
  }
  return entries;
}

Result<Term> MemoryLog::term_at(LogIndex index) {
  if (index < current_.first || index > current_.last()) {
    return Error{Errc::kInvalid, "the index is not in the log"};
  }
  if (current_.corrupted.contains(index)) {
    return Error{Errc::kCorrupt, "entry " + std::to_string(index.value) + " is damaged"};
  }
  return current_.at(index).term;
}

Result<void> MemoryLog::cut(const raft::SnapshotMeta& meta, LogIndex keep_from) {
  const Picture& now = current_;
  if (meta.index < now.snapshot.index) {
    return Error{Errc::kInvalid, "the log was cut above this index before"};
  }
  if (meta.index == now.snapshot.index && meta.term != now.snapshot.term) {
    return Error{Errc::kInvalid, "another snapshot was recorded at this index before"};
  }
  if (meta.index > now.last() || keep_from > meta.index + 1) {
    return Error{Errc::kInvalid, "what is to be cut is not in the log"};
  }
  if (meta.index >= now.first && now.at(meta.index).term != meta.term) {
    return Error{Errc::kInvalid, "the snapshot's term is not the log's"};
  }
  return write(Cut{meta, std::max(now.first, keep_from)}, true);
}

Result<void> MemoryLog::install(const raft::SnapshotMeta& meta, const std::string& live_state) {
  if (meta.index < current_.snapshot.index || live_state.empty()) {
    return Error{Errc::kInvalid, "a snapshot below the log's own, or without a state"};
  }
  return write(Install{meta, live_state}, true);
}

Result<std::string> MemoryLog::live_state() { return current_.live_state; }

Result<raft::Identity> MemoryLog::identity() {
  if (!current_.identity.has_value()) {
    return Error{Errc::kNotFound, "no identity yet"};
  }
  return *current_.identity;
}

Result<void> MemoryLog::set_identity(const raft::Identity& identity) {
  return write(identity, true);
}

// ---------------------------------------------------------------- durability and faults

Result<void> MemoryLog::write(Write write, bool durable) {
  if (errors_left_ > 0) {
    --errors_left_;
    return *error_;
  }
  current_.apply(write);
  pending_.push_back(std::move(write));
  if (durable && !hold_) {
    sync();
  }
  return {};
}

void MemoryLog::sync(size_t writes) {
  for (writes = std::min(writes, pending_.size()); writes > 0; --writes) {
    durable_.apply(pending_.front());
    pending_.pop_front();
  }
}

void MemoryLog::crash() {
  pending_.clear();
  current_ = durable_;
  errors_left_ = 0;
}

void MemoryLog::crash_torn(size_t survivors) {
  sync(survivors);
  crash();
}

void MemoryLog::fail_writes(Error error, size_t count) {
  error_ = std::move(error);
  errors_left_ = count;
}

void MemoryLog::corrupt(LogIndex index) {
  CHECK_INVARIANT(index >= current_.first && index <= current_.last());
  current_.corrupted.insert(index);
  if (index >= durable_.first && index <= durable_.last()) {
    durable_.corrupted.insert(index);
  }
}

}  // namespace kiwi::test
