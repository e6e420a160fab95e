// The replicated session table (F4): per member the last proposal that was applied. A row exists
// from the configuration entry that brings the member to the one that removes it, so the table is
// also the list of members as of the last entry applied. Owned by the Executor; client loop only.
#pragma once

#include <vector>

#include "raft/types.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp {

class SessionTable {
 public:
  SessionTable() = default;  // of a view: nobody is a member, and nothing may be applied
  SessionTable(rocks::Writer& writer, GroupId group);

  void apply_configuration(const raft::Configuration& configuration);
  // True: the number is the next one of its origin, which from now on is past it. False: the entry
  // is a no-op (a duplicate, an earlier life's, a gap, or from a non-member).
  bool accept(const raft::ProposalNumber& number);
  const std::vector<raft::SessionRow>& rows() const { return rows_; }
  void end_turn();  // writes the rows that changed

 private:
  void put(const raft::SessionRow& row);

  rocks::Writer& writer();

  rocks::Writer* writer_ = nullptr;
  GroupId group_;
  std::vector<raft::SessionRow> rows_;  // few: a cluster's members
  std::vector<bool> dirty_;             // as rows_
  std::string key_;
  std::string value_;
};

}  // namespace kiwi::resp
