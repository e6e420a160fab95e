// kiwi-server --import FILE: makes a fresh data directory out of an RDB file of Redis, for the
// first node of a new cluster (F42). Its other nodes start empty and join. Called by main before
// any node runs.
#pragma once

#include <functional>
#include <string>

#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

struct Import {
  std::string sentence;   // for the operator
  bool complete = false;  // else something that cannot be held was left out
};

// Into options.dir, which must be empty or absent; options.import names the file. `now_ms`: since
// 1970; keys that are over then are left out. `tell`: a line for the operator, about one a second
// as long as it takes, and one for everything that was left out.
Result<Import> import_rdb(const config::Options& options,
                          int64_t now_ms,
                          const std::function<void(const std::string& line)>& tell);

}  // namespace kiwi::actors
