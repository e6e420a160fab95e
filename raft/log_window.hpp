// The recent end of the log in memory. Everything at or below base_index() is on disk only. Entries
// that are not yet committed, durable and handed to apply are never evicted, so what is below the
// window is known to be committed. Owned by the core; no storage access.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "raft/types.hpp"

namespace kiwi::raft {

// Bytes that an entry counts for in every bound of raft/: its payload and a fixed overhead.
inline uint64_t entry_bytes(const Entry& entry) { return entry.payload.size() + 128; }

class LogWindow {
 public:
  // base_term: unknown if nothing tells the term of the entry at base_index.
  LogWindow(LogIndex base_index, std::optional<Term> base_term);

  LogIndex base_index() const { return base_index_; }
  LogIndex last_index() const { return base_index_ + entries_.size(); }
  Term last_term() const;  // the window is not empty, or the base's term is known
  uint64_t bytes() const { return bytes_; }
  uint64_t bytes_above(LogIndex index) const;  // of the entries held above it
  bool holds(LogIndex index) const { return index > base_index_ && index <= last_index(); }

  const Entry& at(LogIndex index) const;              // holds(index)
  std::optional<Term> term_at(LogIndex index) const;  // nullopt: below the window, or not there yet

  void append(Entry entry);            // index = last_index() + 1, its term does not decrease
  void truncate_after(LogIndex last);  // base_index() <= last
  // Drops entries <= limit from the front until at most bytes_max are held.
  void evict(LogIndex limit, uint64_t bytes_max);

  // How far entries from `from` on go up to `last` within bytes_max (at least one), and their
  // bytes.
  std::pair<LogIndex, uint64_t> measure(LogIndex from, LogIndex last, uint64_t bytes_max) const;
  std::vector<Entry> collect(LogIndex from, LogIndex last) const;  // both held

  // The first index of the run of equal terms that `index` lies in, but not below `floor`.
  LogIndex first_of_term(LogIndex index, LogIndex floor) const;
  // The last index in the window with that term.
  std::optional<LogIndex> last_of_term(Term term) const;

 private:
  LogIndex base_index_;
  std::optional<Term> base_term_;
  std::deque<Entry> entries_;
  std::deque<uint64_t> ends_;  // of each entry: bytes appended up to and with it
  uint64_t bytes_ = 0;
  uint64_t appended_ = 0;
};

}  // namespace kiwi::raft
