#include "resp/types/sorter.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

int compare_bytes(std::string_view a, std::string_view b) {
  const int order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

uint64_t bytes_of(const SortItem& item) { return item.element.size() + item.weight.size(); }

}  // namespace

int Sorter::compare(const SortItem& a, const SortItem& b) const {
  switch (by_) {
    case SortBy::kNumber:
      if (a.score != b.score) {
        return a.score < b.score ? -1 : 1;
      }
      return compare_bytes(a.element, b.element);
    case SortBy::kElement:
      return compare_bytes(a.element, b.element);
    case SortBy::kWeight:
      if (a.has_weight != b.has_weight) {
        return a.has_weight ? 1 : -1;
      }
      return compare_bytes(a.weight, b.weight);
    case SortBy::kNothing:
      break;
  }
  return 0;
}

// A total order: places differ.
bool Sorter::before(const SortItem& a, const SortItem& b) const {
  const int order = descending_ ? -compare(a, b) : compare(a, b);
  return order != 0 ? order < 0 : a.place < b.place;
}

bool Sorter::wanted(const SortItem& item) const {
  return items_.size() < keep_max_ || (keep_max_ > 0 && before(item, items_.front()));
}

void Sorter::add(std::string_view element, double score, const std::string* weight) {
  SortItem item;
  item.element = element;
  item.score = score;
  item.has_weight = weight != nullptr;
  if (weight != nullptr) {
    item.weight = *weight;
  }
  item.place = seen_++;
  if (!wanted(item)) {
    return;
  }
  auto order = [this](const SortItem& a, const SortItem& b) { return before(a, b); };
  if (items_.size() == keep_max_) {
    std::pop_heap(items_.begin(), items_.end(), order);
    CHECK_INVARIANT(bytes_ >= bytes_of(items_.back()));
    bytes_ -= bytes_of(items_.back());
    items_.pop_back();
  }
  bytes_ += bytes_of(item);
  items_.push_back(std::move(item));
  if (items_.size() > items_most_ || bytes_ > bytes_most_) {
    effects_.spend(bytes_ - std::min(bytes_, bytes_most_));
    items_most_ = std::max(items_most_, items_.size());
    bytes_most_ = std::max(bytes_most_, bytes_);
  }
  if (items_.size() == keep_max_) {
    // Filled just now: the heap is made at once, for what came before needed none.
    seen_ == keep_max_ ? std::make_heap(items_.begin(), items_.end(), order)
                       : std::push_heap(items_.begin(), items_.end(), order);
  }
}

std::vector<SortItem> Sorter::finish() {
  CHECK_INVARIANT(items_.size() == std::min(seen_, keep_max_));
  std::sort(items_.begin(), items_.end(),
            [this](const SortItem& a, const SortItem& b) { return before(a, b); });
  return std::exchange(items_, {});
}

}  // namespace kiwi::resp
