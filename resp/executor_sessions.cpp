#include "resp/executor_sessions.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "raft/codec.hpp"
#include "resp/mutants.hpp"
#include "rocks/keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

using rocks::Family;
namespace keys = rocks::keys;

SessionTable::SessionTable(rocks::Writer& writer, GroupId group) : writer_(&writer), group_(group) {
  std::string from;
  std::string to;
  keys::session_range(from, to);
  for (auto cursor = writer.cursor(Family::kSystem, from, to); cursor->valid(); cursor->next()) {
    auto row = rocks::decode_session_row(cursor->key(), cursor->value());
    if (!row || row->group != group_) {
      fatal("a session record of the state database is corrupt; replace this node's data");
    }
    rows_.push_back(*row);
  }
  dirty_.resize(rows_.size(), false);
}

rocks::Writer& SessionTable::writer() {
  CHECK_INVARIANT(writer_ != nullptr);
  return *writer_;
}

void SessionTable::put(const raft::SessionRow& row) {
  keys::session(key_, row.group, row.node, row.incarnation);
  rocks::encode(value_, rocks::SessionValue{row.epoch, row.sequence});
  writer().put(Family::kSystem, key_, value_);
}

void SessionTable::apply_configuration(const raft::Configuration& configuration) {
  // What a snapshot says of the cluster's members (F13): it has no log to look it up in.
  keys::configuration_record(key_);
  writer().put(Family::kSystem, key_, raft::encode_configuration(configuration));
  for (size_t i = rows_.size(); i-- > 0;) {
    if (configuration.has(rows_[i].node, rows_[i].incarnation)) {
      continue;
    }
    keys::session(key_, group_, rows_[i].node, rows_[i].incarnation);
    writer().erase(Family::kSystem, key_);
    rows_.erase(rows_.begin() + static_cast<ptrdiff_t>(i));
    dirty_.erase(dirty_.begin() + static_cast<ptrdiff_t>(i));
  }
  for (const raft::Member& member : configuration.members) {
    bool known = std::any_of(rows_.begin(), rows_.end(), [&](const raft::SessionRow& row) {
      return row.node == member.id && row.incarnation == member.incarnation;
    });
    if (!known) {
      rows_.push_back({member.id, member.incarnation, 0, 0, group_});
      dirty_.push_back(true);
    }
  }
  CHECK_INVARIANT(dirty_.size() == rows_.size());
}

bool SessionTable::accept(const raft::ProposalNumber& number) {
  for (size_t i = 0; i < rows_.size(); ++i) {
    raft::SessionRow& row = rows_[i];
    if (row.node != number.node || row.incarnation != number.incarnation ||
        row.group != number.group) {
      continue;
    }
    CHECK_INVARIANT(row.group == group_);
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
  CHECK_INVARIANT(dirty_.size() == rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) {
    if (dirty_[i]) {
      put(rows_[i]);
      dirty_[i] = false;
    }
  }
}

}  // namespace kiwi::resp
