// Fanout: publications between the nodes of a cluster, beside the log. What clients of this node
// publish goes to the peers that have subscribers, one batch a turn, and the peers answer how many
// got it; a PUBLISH is answered with the sum, after kFanoutWaitMs at the latest. At most once, in
// the order of this node. Needs no leader.
//
// Each node tells its peers whether it has any subscriber at all (its interest). A SUBSCRIBE that
// is the first of its node waits until the peers have acknowledged that, kFanoutWaitMs at most:
// what is published anywhere afterwards arrives.
//
// A plain class, owned by NodeContext, client loop only: inputs in, effects out; time is told.
//
// ON THE WIRE, one message each, never renumber:
//   1 batch:u64  ( length(channel) * 2 + sharded:varint channel  length:varint message )*
//   2 batch:u64  receivers:varint*       one for each publication of the batch, in order
//   3 number:u64 interested:u8           4 number:u64       that was heard
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/ids.hpp"
#include "resp/pubsub.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

inline constexpr int64_t kFanoutWaitMs = 200;
inline constexpr size_t kFanoutOverhead = 32;  // of a batch and of a publication, at most

// A publication whose client waits for the number of its receivers.
struct PublishTicket {
  ReplySlot to;
  uint8_t resp_version = 2;
  uint64_t receivers = 0;  // as far as is known
};

struct FanoutEffects {
  struct Message {
    NodeId peer;
    std::string bytes;
  };
  std::vector<Message> send;          // in order for each peer
  std::vector<PublishTicket> answer;  // these know
  std::vector<ReplySlot> heard;       // whoever waited in want_interest()

  bool empty() const { return send.empty() && answer.empty() && heard.empty(); }
};

// A peer's batch: to be given to this node's subscribers, and answered.
struct FanoutBatch {
  uint64_t number = 0;
  std::vector<Publication> publications;
};

class Fanout {
 public:
  // ---- links
  // A peer of which nothing was heard yet is taken to have subscribers.
  void link_up(NodeId peer);
  void link_down(NodeId peer);
  // False: it breaks the protocol.
  bool receive(NodeId peer, std::string_view bytes, std::optional<FanoutBatch>& batch);
  void delivered(NodeId peer, uint64_t batch, const std::vector<uint64_t>& receivers);

  // ---- publications of this node's clients
  bool anyone_else() const;  // has a peer subscribers, as far as is known?
  // More than a batch may hold: peers cannot get it.
  static bool too_large(const Publication& publication);
  // Requires anyone_else() and not too_large(). Goes with the next flush(); the answer comes in
  // effects. ticket.receivers: those of this node.
  void publish(const Publication& publication, PublishTicket ticket);

  // ---- interest
  // Whether this node has subscribers. The peers hear of the first one soon, and of the end of the
  // last one later.
  void set_subscribed(bool subscribed);
  // For a connection that is about to subscribe. True: every peer that can be reached knows of this
  // node's interest. False: effects will say so to `waits`.
  bool want_interest(const ReplySlot& waits, int64_t now_ms);

  // ---- turns
  void flush(int64_t now_ms);  // what was published since the last one is on its way
  void tick(int64_t now_ms);   // about every 100 ms
  bool has_work() const { return !draft_.empty() || !effects_.empty(); }
  FanoutEffects take_effects();

 private:
  struct Peer {
    bool interested = true;
    uint64_t heard = 0;    // of this node's interests_, the last one it acknowledged
    uint64_t batches = 0;  // the number of its last one; some may have been dropped on the way
  };
  struct Batch {
    std::vector<PublishTicket> tickets;
    std::set<NodeId> peers;  // that have not answered
    int64_t deadline_ms = 0;
  };
  struct Waiting {
    ReplySlot to;
    int64_t deadline_ms = 0;
  };

  bool receive_counts(NodeId peer, std::string_view bytes);
  void answer(Batch& batch);
  void answered_by(NodeId peer);  // in no batch is it waited for any more
  void say_interest(NodeId peer);
  void say_interest_to_all();
  bool all_heard() const;
  void look_at_waiting(int64_t now_ms);

  std::map<NodeId, Peer> peers_;  // whose link is up
  bool subscribed_ = false;
  bool interested_ = false;  // what was said last
  uint64_t interests_ = 0;   // how often that changed
  bool about_to_ = false;    // somebody was told lately that it may subscribe now
  std::vector<Waiting> waiting_;

  std::string draft_;  // the batch in the making, without its head
  std::vector<PublishTicket> draft_tickets_;
  std::vector<std::pair<std::string, std::vector<PublishTicket>>> full_;  // drafts before it
  uint64_t batches_ = 0;
  std::map<uint64_t, Batch> batches_out_;
  FanoutEffects effects_;
};

}  // namespace kiwi::resp
