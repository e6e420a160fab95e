// Cuts what goes to one peer into frames and puts it together again (F29). Plain classes, one pair
// per link, owned by PeerLinks.
//
// A message up to kFrameBytes is one frame. A longer one goes in parts; between its parts, urgent
// messages (those without payload: heartbeats, votes, acks) overtake it. At most two frames' worth
// of bytes are unacknowledged, since CAF buffers without bound and what it holds cannot be
// overtaken: so an urgent message waits behind at most about one frame in flight. What a stopped
// peer leaves unsent is bounded too: beyond kLinkQueueBytes whole messages are dropped, which Raft
// allows.
//
// Parts of snapshots go as whole frames, and only when nothing else waits and at most a quarter of
// the window is unacknowledged: so at most one of them is ever ahead of a heartbeat.
//
// ON THE WIRE:  kWhole  message          kFirstPart  total:u64 LE, bytes      kPart  bytes
//               kAck    received bytes so far:u64 LE                         kHello, kHelloAck
//               token
//               kSnapshot  snapshot_protocol.hpp                             kNote  an admin's word
//               kFanout  1 if more of the message follows, else 0:u8, bytes
// Publications (resp/fanout.hpp) wait behind all messages, in a queue of their own: what comes on
// top of kPublicationBytes makes the oldest of them go. At most a quarter of the window is theirs.
//
// Each frame names its Raft group; kAck, kHello and kHelloAck are the link's own and name none (0).
// All parts of a message are of one group.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "config/base/ids.hpp"
#include "config/limits.hpp"

namespace kiwi::actors {

// ON THE WIRE, never renumber.
enum class FrameKind : uint8_t {
  kWhole = 1,
  kFirstPart = 2,
  kPart = 3,
  kAck = 4,
  kHello = 5,
  kHelloAck = 6,
  kSnapshot = 7,
  kNote = 8,  // between the nodes' composition roots (node/node_note.hpp)
  kFanout = 9,
};

struct Frame {
  FrameKind kind = FrameKind::kWhole;
  GroupId group;
  std::string bytes;
};

struct FragmentLimits {
  size_t frame_bytes = config::limits::kFrameBytes;
  size_t unacked_bytes = 2 * config::limits::kFrameBytes;
  size_t queue_bytes = config::limits::kLinkQueueBytes;
  uint64_t message_bytes = config::limits::kLinkMessageBytes;
  size_t fanout_bytes = config::limits::kPublicationBytes;
};

static_assert(config::limits::kFrameBytes < config::limits::kLinkQueueBytes);
static_assert(config::limits::kFrameBytes <= UINT32_MAX / 4, "CAF counts a frame in 32 bits");

class LinkSender {
 public:
  explicit LinkSender(const FragmentLimits& limits = {}) : limits_(limits) {}

  // Would queue() take a message of about so many bytes? Saves encoding what would be dropped.
  bool has_room(size_t bytes) const {
    return queued_bytes_ == 0 || queued_bytes_ + bytes <= limits_.queue_bytes;
  }
  // False: too much is waiting already, the message is dropped.
  bool queue(GroupId group, std::string message, bool urgent);
  // Parts of snapshots: behind everything else, and never dropped, since their sender bounds them.
  void queue_snapshot(GroupId group, std::string bytes);
  void queue_note(GroupId group, std::string bytes);
  // How many older ones were dropped for it.
  size_t queue_fanout(GroupId group, std::string bytes);
  // The next frame that may go now; nullopt: nothing, or wait for an ack.
  std::optional<Frame> next();
  void acked(uint64_t received_bytes);
  size_t queued_bytes() const { return queued_bytes_; }
  // After next() said no: something waits for acks. It moves when progress() does.
  bool waits_for_ack() const {
    return !urgent_.empty() || !bulk_.empty() || !snapshot_.empty() || !fanout_.empty();
  }
  uint64_t progress() const {
    return bulk_.empty() && snapshot_.empty() && fanout_.empty() ? sent_ : bulk_frames_;
  }

 private:
  struct Waiting {
    uint64_t order = 0;
    Frame frame;
  };
  size_t next_bulk_bytes() const;
  Frame take_urgent();
  Frame take_bulk();
  Frame take_fanout();
  bool snapshot_may_go() const;
  bool window_is_nearly_free() const;

  FragmentLimits limits_;
  std::deque<Waiting> urgent_;
  std::deque<Waiting> bulk_;
  std::deque<Frame> snapshot_;
  std::deque<Frame> fanout_;
  size_t fanout_offset_ = 0;  // of fanout_.front(): what was sent of it
  size_t fanout_bytes_ = 0;   // in fanout_
  size_t part_offset_ = 0;    // of bulk_.front(): what was sent of it
  size_t queued_bytes_ = 0;
  uint64_t next_order_ = 0;
  uint64_t sent_ = 0;
  uint64_t acked_ = 0;
  uint64_t bulk_frames_ = 0;  // sent, parts of snapshots included
};

class LinkReceiver {
 public:
  explicit LinkReceiver(const FragmentLimits& limits = {}) : limits_(limits) {}

  struct Outcome {
    bool broken = false;                 // the peer does not keep the rules: close the link
    std::optional<std::string> message;  // of the frame's group
    std::optional<uint64_t> ack;         // tell the peer
  };
  // All kinds but kAck, kHello and kHelloAck.
  Outcome receive(Frame frame);

 private:
  Outcome take_fanout(std::string_view part, Outcome outcome);

  FragmentLimits limits_;
  std::string fanout_partial_;
  std::string partial_;
  GroupId partial_group_;
  uint64_t partial_total_ = 0;  // 0: no message in parts is under way
  uint64_t received_ = 0;
  uint64_t acked_ = 0;
};

std::string encode_ack(uint64_t received_bytes);
std::optional<uint64_t> decode_ack(std::string_view bytes);

}  // namespace kiwi::actors
