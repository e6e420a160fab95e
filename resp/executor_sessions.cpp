#include "resp/executor_sessions.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "resp/mutants.hpp"
#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

SessionTable::SessionTable(rocks::Keyspace& keyspace) : keyspace_(keyspace) {
  std::string from;
  std::string to;
  keys::session_range(from, to);
  for (auto cursor = keyspace_.cursor(Family::kSystem, from, to); cursor->valid(); cursor->next()) {
    // The key is its tag, the node id (8 bytes) and the incarnation (16): rocks/keys.hpp.
    constexpr size_t kTag = 1;
    constexpr size_t kNode = 8;
    raft::SessionRow row;
    std::string_view key = cursor->key();
    auto value = rocks::decode_session(cursor->value());
    if (key.size() != kTag + kNode + row.incarnation.bytes.size() || !value) {
      fatal("a session record of the state database is corrupt; replace this node's data");
    }
    row.node = NodeId{get_be<uint64_t>(key.substr(kTag))};
    std::copy(key.begin() + kTag + kNode, key.end(), row.incarnation.bytes.begin());
    row.epoch = value->epoch;
    row.sequence = value->sequence;
    rows_.push_back(row);
  }
  dirty_.resize(rows_.size(), false);
}

void SessionTable::put(const raft::SessionRow& row) {
  keys::session(key_, row.node, row.incarnation);
  rocks::encode(value_, rocks::SessionValue{row.epoch, row.sequence});
  keyspace_.put(Family::kSystem, key_, value_);
}

void SessionTable::apply_configuration(const raft::Configuration& configuration) {
  for (size_t i = rows_.size(); i-- > 0;) {
    if (configuration.has(rows_[i].node, rows_[i].incarnation)) {
      continue;
    }
    keys::session(key_, rows_[i].node, rows_[i].incarnation);
    keyspace_.erase(Family::kSystem, key_);
    rows_.erase(rows_.begin() + static_cast<ptrdiff_t>(i));
    dirty_.erase(dirty_.begin() + static_cast<ptrdiff_t>(i));
  }
  for (const raft::Member& member : configuration.members) {
    bool known = std::any_of(rows_.begin(), rows_.end(), [&](const raft::SessionRow& row) {
      return row.node == member.id && row.incarnation == member.incarnation;
    });
    if (!known) {
      rows_.push_back({member.id, member.incarnation, 0, 0});
      dirty_.push_back(true);
    }
  }
}

bool SessionTable::accept(const raft::ProposalNumber& number) {
  for (size_t i = 0; i < rows_.size(); ++i) {
    raft::SessionRow& row = rows_[i];
    if (row.node != number.node || row.incarnation != number.incarnation) {
      continue;
    }
    bool next = number.epoch == row.epoch && number.sequence == row.sequence + 1;
    bool reborn = number.epoch > row.epoch && number.sequence == 1;
    if (!next && !reborn && !mutant(Mutant::kDuplicateApplied)) {
      return false;
    }
    row.epoch = number.epoch;
    row.sequence = number.sequence;
    dirty_[i] = true;
    return true;
  }
  return false;
}

void SessionTable::end_turn() {
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (dirty_[i]) {
      put(rows_[i]);
      dirty_[i] = false;
    }
  }
}

}  // namespace kiwi::resp
