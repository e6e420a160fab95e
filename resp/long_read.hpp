// Reads that would take a turn far too long: KEYS of a million keys, SMEMBERS of a huge set. The
// executor puts them aside, with all that their connection asks behind them (F44); they run on
// another thread, on a view of the state that is no older than the moment they were put aside
// at, and so at least their read index. Plain functions.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config/base/cycle_clock.hpp"
#include "config/limits.hpp"
#include "resp/executor_status.hpp"
#include "resp/request.hpp"

namespace kiwi::rocks {
class Reader;
}

namespace kiwi::resp {

namespace acl {
class Users;
}
class Measures;
class ReadScripts;
class ReplyStream;

struct LongRead {
  uint64_t id = 0;  // of a ReadBatch of its own: SplitRead
  ReadOp op;
  int64_t now_ms = 0;  // the reader's clock; never below the view's stamp when it runs (F44)
  uint64_t seed = 0;
  size_t reply_bytes_max = config::limits::kReplyBytes;  // F45
  std::shared_ptr<ReadScripts> read_scripts = nullptr;   // of the node
  std::optional<CycleClock> clock = std::nullopt;        // by which it is measured; none: it is not
  std::shared_ptr<const acl::Users> users = nullptr;     // who may what
};
struct LongReadResult {
  uint64_t id = 0;
  ReplyBatch replies;  // one part; or `lost`, if the reply ended in the middle
  CommandStats stats;
  std::shared_ptr<Measures> measures = nullptr;  // what it told; none: it was not measured
  int64_t executed_ns = 0;
  PackedBytes packed;    // the command, if it was
  bool stopped = false;  // before it was done: the rest means nothing
};

// Any thread. `stop` ends it within a millisecond. A long reply to a plain command goes to `stream`
// while it is made, but for the last piece, which is the result's.
LongReadResult run_long_read(rocks::Reader& view,
                             const LongRead& read,
                             const std::atomic<bool>& stop,
                             ReplyStream* stream = nullptr);
// Its reply could not be finished.
LongReadResult broken_long_read(const LongRead& read);
// Its time is over before it ran.
LongReadResult expired_long_read(const LongRead& read);

}  // namespace kiwi::resp
