#include "actors/replica/log_write.hpp"

#include <iterator>

#include "config/base/check.hpp"

namespace kiwi::actors {

LogWrite::LogWrite(raft::PersistRequest turn) : request_(std::move(turn)) {
  CHECK_INVARIANT(request_.entries.empty() || request_.entries.front().index);
  tokens_.push_back(request_.token);
  for (const raft::Entry& entry : request_.entries) {
    payload_bytes_ += entry.payload.size();
  }
}

void LogWrite::join(LogWrite later) {
  std::vector<raft::Entry>& entries = request_.entries;
  std::vector<raft::Entry>& more = later.request_.entries;
  if (!more.empty()) {
    const LogIndex from = more.front().index;
    CHECK_INVARIANT(entries.empty() || from <= entries.back().index + 1);
    while (!entries.empty() && entries.back().index >= from) {  // another leader's
      payload_bytes_ -= entries.back().payload.size();
      entries.pop_back();
    }
    payload_bytes_ += later.payload_bytes_;
    entries.insert(entries.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
  }
  if (later.request_.hard_state) {
    request_.hard_state = later.request_.hard_state;
  }
  request_.commit = std::max(request_.commit, later.request_.commit);
  request_.token = later.request_.token;
  tokens_.insert(tokens_.end(), later.tokens_.begin(), later.tokens_.end());
}

}  // namespace kiwi::actors
