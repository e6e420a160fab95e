#include "actors/state/long_read_queue.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

void LongReadQueue::add(resp::LongRead read) {
  const resp::ConnectionId connection = read.op.to.connection;
  auto [it, fresh] = reads_.try_emplace(connection);
  if (fresh) {
    turns_.push_back(connection);
  }
  it->second.push_back(std::move(read));
  CHECK_INVARIANT(turns_.size() == reads_.size());
}

namespace {

auto none_of(const std::vector<resp::ConnectionId>& but) {
  return [&but](resp::ConnectionId one) { return std::ranges::find(but, one) == but.end(); };
}

}  // namespace

bool LongReadQueue::has_any(const std::vector<resp::ConnectionId>& but) const {
  return std::ranges::any_of(turns_, none_of(but));
}

std::optional<resp::LongRead> LongReadQueue::take(const std::vector<resp::ConnectionId>& but) {
  const auto next = std::ranges::find_if(turns_, none_of(but));
  if (next == turns_.end()) {
    return std::nullopt;
  }
  const resp::ConnectionId connection = *next;
  turns_.erase(next);
  const auto it = reads_.find(connection);
  CHECK_INVARIANT(it != reads_.end() && !it->second.empty());
  resp::LongRead read = std::move(it->second.front());
  it->second.pop_front();
  if (it->second.empty()) {
    reads_.erase(it);
  } else {
    turns_.push_back(connection);
  }
  return read;
}

void LongReadQueue::put_back(resp::LongRead read) {
  const resp::ConnectionId connection = read.op.to.connection;
  auto [it, fresh] = reads_.try_emplace(connection);
  if (!fresh) {
    std::erase(turns_, connection);
  }
  turns_.push_front(connection);
  it->second.push_front(std::move(read));
  CHECK_INVARIANT(turns_.size() == reads_.size());
}

// One walk for all: many run out of time together.
std::vector<resp::LongRead> LongReadQueue::remove(const std::vector<uint64_t>& ids) {
  const std::unordered_set<uint64_t> going(ids.begin(), ids.end());
  std::vector<resp::LongRead> removed;
  for (auto it = reads_.begin(); it != reads_.end();) {
    std::deque<resp::LongRead>& reads = it->second;
    const auto first =
        std::stable_partition(reads.begin(), reads.end(),
                              [&](const resp::LongRead& read) { return !going.contains(read.id); });
    std::move(first, reads.end(), std::back_inserter(removed));
    reads.erase(first, reads.end());
    it = reads.empty() ? reads_.erase(it) : std::next(it);
  }
  std::erase_if(turns_, [this](resp::ConnectionId of) { return !reads_.contains(of); });
  CHECK_INVARIANT(turns_.size() == reads_.size());
  return removed;
}

void LongReadQueue::put_in_front(LongReadQueue&& earlier) {
  for (const resp::ConnectionId connection : earlier.turns_) {
    std::deque<resp::LongRead>& before = earlier.reads_.at(connection);
    auto [it, fresh] = reads_.try_emplace(connection);
    if (fresh) {
      turns_.push_back(connection);
    }
    it->second.insert(it->second.begin(), std::make_move_iterator(before.begin()),
                      std::make_move_iterator(before.end()));
  }
  CHECK_INVARIANT(turns_.size() == reads_.size());
  earlier.turns_.clear();
  earlier.reads_.clear();
}

}  // namespace kiwi::actors
