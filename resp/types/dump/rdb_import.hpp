// A whole RDB file into a keyspace that holds nothing yet. Nobody reads the keyspace meanwhile, so
// it is committed once a MiB, within large keys too: memory is bounded whatever the file holds.
//
// Plain class: no file, no clock; the caller says what time it is and throws the keyspace away when
// this fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/result.hpp"
#include "resp/types/database.hpp"
#include "resp/types/dump/rdb_file.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::resp::dump {

struct ImportOptions {
  int64_t now_ms = 0;             // what is over by then is left out, as Redis leaves it out
  bool skip_unsupported = false;  // else the first thing that cannot be held ends the import
  size_t commit_bytes = size_t{1} << 20;
};

struct ImportReport {
  uint64_t keys = 0;
  uint64_t expired = 0;               // left out
  uint64_t empty = 0;                 // left out: collections that have no elements
  uint64_t unsupported = 0;           // left out
  uint64_t entries = 0;               // commits: the index that the state has
  std::vector<std::string> left_out;  // the first of those not supported, a phrase each
  std::string written_by;             // Redis' version; may be empty
};

class RdbImport {
 public:
  static constexpr Term kTerm{1};
  // Told after each commit: how far it is in the file.
  using Progress = std::function<void(uint64_t bytes, const ImportReport& report)>;

  RdbImport(rocks::Keyspace& keyspace, const ImportOptions& options, Progress progress);

  // Errors are sentences that name the place in the file.
  Result<ImportReport> run(std::string_view file);

 private:
  Result<void> item(RdbItem item);
  Result<void> load();
  Result<void> not_supported(const std::string& what);
  Error at_item(const std::string& what) const;
  void commit();

  rocks::Keyspace& keyspace_;
  const ImportOptions options_;
  const Progress progress_;
  Database database_;
  RdbFile file_{{}};
  ImportReport report_;
  uint64_t committed_to_ = 0;  // in the file
};

}  // namespace kiwi::resp::dump
