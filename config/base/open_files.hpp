// How many files and sockets this process may have open, and who of it may have how many: table
// files are as many as the state is large, clients are as many as come, and neither may take what
// the other needs. Plain numbers; any thread.
#pragma once

#include <cstdint>

#include "config/base/result.hpp"

namespace kiwi {

// kUnlimited: as many as there are. RocksDB finds an open file faster then.
struct OpenFiles {
  static constexpr int kUnlimited = -1;
  int state = kUnlimited;
  int log = kUnlimited;
  int snapshot = kUnlimited;  // of each state that is read to be sent, proved or backed up
  int removed = 256;          // files without a name whose room is still given back
  uint64_t clients = 0;
};

// Of a process that may have so many.
OpenFiles share_open_files(uint64_t limit);

uint64_t open_files_limit();  // what ulimit -n says now
// As far as this user may (ulimit -Hn). Before any database is opened. Error: too few to run.
Result<void> raise_open_files();

}  // namespace kiwi
