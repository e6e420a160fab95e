#include "raft/log_window.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::raft {

LogWindow::LogWindow(LogIndex base_index, std::optional<Term> base_term)
    : base_index_(base_index), base_term_(base_term) {}

Term LogWindow::last_term() const {
  if (!entries_.empty()) {
    return entries_.back().term;
  }
  CHECK_INVARIANT(base_term_.has_value());
  return *base_term_;
}

const Entry& LogWindow::at(LogIndex index) const {
  CHECK_INVARIANT(holds(index));
  return entries_[index - base_index_ - 1];
}

std::optional<Term> LogWindow::term_at(LogIndex index) const {
  if (index == base_index_) {
    return base_term_;
  }
  if (!holds(index)) {
    return std::nullopt;
  }
  return at(index).term;
}

void LogWindow::append(Entry entry) {
  CHECK_INVARIANT(entry.index == last_index() + 1);
  CHECK_INVARIANT(entries_.empty() || entries_.back().term <= entry.term);
  bytes_ += entry_bytes(entry);
  appended_ += entry_bytes(entry);
  ends_.push_back(appended_);
  entries_.push_back(std::move(entry));
  CHECK_INVARIANT(ends_.size() == entries_.size());
}

void LogWindow::truncate_after(LogIndex last) {
  CHECK_INVARIANT(last >= base_index_);
  while (last_index() > last) {
    bytes_ -= entry_bytes(entries_.back());
    appended_ -= entry_bytes(entries_.back());
    entries_.pop_back();
    ends_.pop_back();
  }
  CHECK_INVARIANT(entries_.empty() == (bytes_ == 0));
}

void LogWindow::evict(LogIndex limit, uint64_t bytes_max) {
  while (bytes_ > bytes_max && !entries_.empty() && entries_.front().index <= limit) {
    bytes_ -= entry_bytes(entries_.front());
    base_index_ = entries_.front().index;
    base_term_ = entries_.front().term;
    entries_.pop_front();
    ends_.pop_front();
  }
  CHECK_INVARIANT(entries_.empty() == (bytes_ == 0));
}

uint64_t LogWindow::bytes_above(LogIndex index) const {
  if (index >= last_index()) {
    return 0;
  }
  return index <= base_index_ ? bytes_ : ends_.back() - ends_[index - base_index_ - 1];
}

std::pair<LogIndex, uint64_t> LogWindow::measure(LogIndex from,
                                                 LogIndex last,
                                                 uint64_t bytes_max) const {
  uint64_t bytes = entry_bytes(at(from));
  LogIndex end = from;
  while (end < std::min(last, last_index())) {
    uint64_t next = entry_bytes(at(end + 1));
    if (bytes + next > bytes_max) {
      break;
    }
    bytes += next;
    ++end;
  }
  return {end, bytes};
}

std::vector<Entry> LogWindow::collect(LogIndex from, LogIndex last) const {
  CHECK_INVARIANT(holds(from) && holds(last) && from <= last);
  auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(from - base_index_ - 1);
  return std::vector<Entry>(begin, begin + static_cast<std::ptrdiff_t>(last - from + 1));
}

LogIndex LogWindow::first_of_term(LogIndex index, LogIndex floor) const {
  Term term = at(index).term;
  LogIndex first = index;
  while (first > floor && holds(first - 1) && at(first - 1).term == term) {
    first = first - 1;
  }
  return first;
}

std::optional<LogIndex> LogWindow::last_of_term(Term term) const {
  // Terms never decrease along the log.
  auto after =
      std::upper_bound(entries_.begin(), entries_.end(), term,
                       [](Term wanted, const Entry& entry) { return wanted < entry.term; });
  if (after == entries_.begin() || std::prev(after)->term != term) {
    return std::nullopt;
  }
  return std::prev(after)->index;
}

}  // namespace kiwi::raft
