#include "actors/state/applied_news.hpp"

#include "config/base/check.hpp"
#include "raft/log_window.hpp"

namespace kiwi::actors {

void AppliedNews::begin(LogIndex applied, Term term) {
  given_ = applied;
  told_at_once_ = {};
  untold_bytes_ = 0;
  terms_.clear();
  terms_.emplace_back(applied, term);
}

void AppliedNews::given(const raft::Entry& entry) {
  CHECK_INVARIANT(given_ < entry.index && terms_.back().second <= entry.term);
  given_ = entry.index;
  untold_bytes_ += raft::entry_bytes(entry);
  const bool plain = entry.kind == raft::EntryKind::kBatch ||
                     entry.kind == raft::EntryKind::kVoid || entry.kind == raft::EntryKind::kTick;
  if (!plain || untold_bytes_ >= kTellBytes) {
    told_at_once_ = entry.index;
  }
  if (terms_.back().second != entry.term) {
    terms_.emplace_back(entry.index, entry.term);
  }
}

void AppliedNews::applied(LogIndex index) {
  CHECK_INVARIANT(untold_ <= index && index <= given_);
  untold_ = index;
}

std::optional<LogIndex> AppliedNews::take() {
  if (untold_ == LogIndex{}) {
    return std::nullopt;
  }
  if (untold_ >= told_at_once_) {
    told_at_once_ = {};
  }
  if (untold_ == given_) {
    untold_bytes_ = 0;
  }
  return std::exchange(untold_, {});
}

std::optional<Term> AppliedNews::term_of(LogIndex index) const {
  std::optional<Term> term;
  for (const auto& [first, of] : terms_) {
    if (first <= index) {
      term = of;
    }
  }
  return term;
}

void AppliedNews::forget_below(LogIndex index) {
  while (terms_.size() > 1 && terms_[1].first <= index) {
    terms_.pop_front();
  }
  CHECK_INVARIANT(!terms_.empty());
}

}  // namespace kiwi::actors
