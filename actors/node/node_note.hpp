// What the nodes of a cluster tell each other beside Raft's messages, on the same links. A note is
// lost when there is no link; whoever needs an answer says it again. Plain values and their bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/node/order.hpp"
#include "config/base/result.hpp"
#include "raft/lineage.hpp"

namespace kiwi::actors {

struct OrderNote {  // to the leader, again and again until it is known how it ended
  uint64_t id = 0;  // the sender's
  AdminOrder order;
};
struct OrderAnswerNote {  // what became of it, unless it was done: that stands in the log
  uint64_t id = 0;        // the receiver's
  OrderAnswer answer;
};
struct PressureNote {  // of a leader: how far its state, or a voter's, lags behind the log
  uint32_t pressure = 0;
};
struct DiskNote {  // the sender's disk is nearly full, or not any more
  bool full = false;
};
struct MarksNote {  // of the sender's data directory (F52)
  std::vector<raft::Mark> marks;
};
struct KnownMarksNote {  // what the sender knows of the members' directories: KnownMarks::encode()
  std::string marks;
};
using NodeNote =
    std::variant<OrderNote, OrderAnswerNote, PressureNote, DiskNote, MarksNote, KnownMarksNote>;

// ON THE WIRE: kinds by their place, never reorder.
std::string encode_note(const NodeNote& note);
Result<NodeNote> decode_note(std::string_view bytes);

}  // namespace kiwi::actors
