// One write of the log: what one turn of the core wants written, and the turns that waited behind
// it while the disk had another write under way. They are durable together: a disk that is slower
// than the turns come is behind by one write then, not by one sync for each turn, in which the raft
// loop would stand still.
//
// Plain values. LogStore and the simulation queue them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <utility>
#include <variant>
#include <vector>

#include "raft/log_storage.hpp"

namespace kiwi::actors {

class LogWrite {
 public:
  explicit LogWrite(raft::PersistRequest turn);

  // Writes what both would have written, `later` after this one. It follows this one's log.
  void join(LogWrite later);

  const raft::PersistRequest& request() const { return request_; }
  // Of each turn, in order: all of them are attested when the write is durable. One whose entries a
  // later turn replaced attests a log that the core has given up, and the core sees that (F12).
  const std::vector<raft::PersistToken>& tokens() const { return tokens_; }
  size_t payload_bytes() const { return payload_bytes_; }

 private:
  raft::PersistRequest request_;
  std::vector<raft::PersistToken> tokens_;
  size_t payload_bytes_ = 0;
};

// Takes the write at the front of `waiting`, joined with those right behind it as long as all of
// them have less than `bytes_max` of payload. Job is a variant that can be a LogWrite.
template <class Job>
LogWrite take_writes(std::deque<Job>& waiting, size_t bytes_max) {
  LogWrite write = std::get<LogWrite>(std::move(waiting.front()));
  waiting.pop_front();
  while (!waiting.empty()) {
    auto* next = std::get_if<LogWrite>(&waiting.front());
    if (next == nullptr || write.payload_bytes() >= bytes_max ||
        next->payload_bytes() >= bytes_max - write.payload_bytes()) {
      break;
    }
    write.join(std::move(*next));
    waiting.pop_front();
  }
  return write;
}

}  // namespace kiwi::actors
