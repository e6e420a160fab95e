#include "rocks/range_set.hpp"

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::rocks {

void RangeSet::add(std::string_view from, std::string_view to) {
  log_.emplace_back(std::string(from), RangeEnd::of(to));
  merge(log_.back().first, log_.back().second);
}

void RangeSet::merge(const std::string& from, const RangeEnd& end) {
  std::string begin = from;
  RangeEnd reach = end;
  auto it = merged_.upper_bound(begin);
  if (it != merged_.begin() &&
      (std::prev(it)->second.never || !(std::prev(it)->second.key < begin))) {
    --it;  // it touches or covers our beginning
    begin = it->first;
  }
  while (it != merged_.end() && (reach.never || !(reach.key < it->first))) {
    if (it->second.never || (!reach.never && reach.key < it->second.key)) {
      reach = it->second;
    }
    it = merged_.erase(it);
  }
  merged_.emplace(std::move(begin), std::move(reach));
}

const RangeSet::Map::value_type* RangeSet::find(std::string_view key) const {
  auto it = merged_.upper_bound(key);
  if (it == merged_.begin()) {
    return nullptr;
  }
  --it;
  return it->second.after(key) ? &*it : nullptr;
}

void RangeSet::truncate(size_t additions) {
  CHECK_INVARIANT(additions <= log_.size());
  if (additions == log_.size()) {
    return;
  }
  log_.resize(additions);
  merged_.clear();
  for (const auto& [from, end] : log_) {
    merge(from, end);
  }
}

void RangeSet::clear() {
  log_.clear();
  give_back_if_big(log_);
  merged_.clear();
}

}  // namespace kiwi::rocks
