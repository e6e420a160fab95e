// Long reads that wait, fair per connection: each connection's in the order they came (F44), and no
// connection's second before every other's first. Plain class, one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "resp/long_read.hpp"

namespace kiwi::actors {

class LongReadQueue {
 public:
  bool empty() const { return turns_.empty(); }
  size_t connections() const { return turns_.size(); }
  void add(resp::LongRead read);
  // The next one, but of these connections; its own goes behind all others. nullopt: there is none.
  std::optional<resp::LongRead> take(const std::vector<resp::ConnectionId>& but = {});
  bool has_any(const std::vector<resp::ConnectionId>& but) const;
  // Was taken and not done: first of its connection again, and the first at all.
  void put_back(resp::LongRead read);
  std::vector<resp::LongRead> remove(const std::vector<uint64_t>& ids);
  // All of `earlier`, each connection's in front of what is here; its connections come last.
  void put_in_front(LongReadQueue&& earlier);

 private:
  std::deque<resp::ConnectionId> turns_;  // those that have reads
  std::unordered_map<resp::ConnectionId, std::deque<resp::LongRead>> reads_;
};

}  // namespace kiwi::actors
