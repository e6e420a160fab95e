// A data directory that is put together whole, for the first node of a new cluster: by --restore
// out of a backup, by --import out of a dump (F42). Everything is built below restoring/ first,
// which is also the mark that it is under way. Then the group's directory moves up, and without it
// nothing is a data directory: a crash in between leaves what only another --restore or --import
// accepts.
//
// Called before any node runs. Every error is one sentence.
#pragma once

#include <string>

#include "config/base/result.hpp"
#include "config/options.hpp"
#include "raft/log_storage.hpp"

namespace kiwi::actors {

class FreshDirectory {
 public:
  // options.dir must be empty or absent, or hold what another attempt left.
  static Result<FreshDirectory> begin(const config::Options& options);

  // Where the state is to be; absent yet.
  std::string state() const;
  // Of a cluster that has only this node.
  const raft::Configuration& configuration() const { return configuration_; }
  // The state is there, durable, at this index and term: writes the log behind it and moves all to
  // its place.
  Result<void> finish(LogIndex index, Term term);

 private:
  explicit FreshDirectory(const config::Options& options);
  Result<void> write_log(const std::string& path, const raft::SnapshotMeta& meta) const;
  Result<void> move_up() const;

  const config::Options& options_;
  std::string building_;
  std::string group_;
  raft::Configuration configuration_;
};

}  // namespace kiwi::actors
