#include "actors/replica/status_news.hpp"

#include <string>

#include "config/base/bytes.hpp"
#include "config/base/checksum.hpp"

namespace kiwi::actors {

namespace {

// Changes when anything changes that INFO shows, except what moves with every heartbeat.
uint64_t digest(const raft::Status& status) {
  std::string bytes;
  for (const uint64_t value :
       {status.term.value, status.voted_for.value, status.leader.value,
        static_cast<uint64_t>(status.role), status.first_index.value, status.last_index.value,
        status.commit.value, status.persisted.value, status.applied.value,
        static_cast<uint64_t>(status.ready), status.snapshot_index.value,
        static_cast<uint64_t>(status.installing)}) {
    put_le(bytes, value);
  }
  for (const raft::PeerStatus& peer : status.peers) {
    put_le(bytes, peer.member.id.value);
    put_le(bytes, peer.match.value);
    put_le(bytes, peer.applied.value);
    put_u8(bytes, static_cast<uint8_t>((peer.voter ? 1 : 0) | (peer.up ? 2 : 0)));
    put_u8(bytes, static_cast<uint8_t>(static_cast<uint8_t>(peer.state) << 4 |
                                       static_cast<uint8_t>(peer.catch_up)));
  }
  return checksum64(bytes);
}

}  // namespace

bool StatusNews::look(const raft::Status& status, bool in_any_case) {
  const uint64_t now = digest(status);
  const bool clock_due = status.role == raft::Role::kLeader && ++looks_ >= leader_looks_;
  if (now == told_ && !in_any_case && !clock_due) {
    return false;
  }
  told_ = now;
  looks_ = 0;
  return true;
}

}  // namespace kiwi::actors
