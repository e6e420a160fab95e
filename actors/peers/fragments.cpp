#include "actors/peers/fragments.hpp"

#include <algorithm>
#include <utility>

#include "actors/snapshots/snapshot_protocol.hpp"
#include "config/base/bytes.hpp"
#include "config/base/check.hpp"

namespace kiwi::actors {

bool LinkSender::queue(GroupId group, std::string message, bool urgent) {
  if (!has_room(message.size())) {
    return false;
  }
  queued_bytes_ += message.size();
  const bool may_overtake = urgent && message.size() <= limits_.frame_bytes;
  (may_overtake ? urgent_ : bulk_)
      .push_back({next_order_++, {FrameKind::kWhole, group, std::move(message)}});
  return true;
}

void LinkSender::queue_snapshot(GroupId group, std::string bytes) {
  snapshot_.push_back({FrameKind::kSnapshot, group, std::move(bytes)});
}

void LinkSender::queue_note(GroupId group, std::string bytes) {
  queued_bytes_ += bytes.size();
  urgent_.push_back({next_order_++, {FrameKind::kNote, group, std::move(bytes)}});
}

// What was begun is not taken back, so there may be one message more than fits.
size_t LinkSender::queue_fanout(GroupId group, std::string bytes) {
  size_t dropped = 0;
  const size_t begun = fanout_offset_ != 0 ? 1 : 0;
  while (fanout_.size() > begun && fanout_bytes_ + bytes.size() > limits_.fanout_bytes) {
    const auto oldest = fanout_.begin() + static_cast<std::ptrdiff_t>(begun);
    fanout_bytes_ -= oldest->bytes.size();
    fanout_.erase(oldest);
    ++dropped;
  }
  fanout_bytes_ += bytes.size();
  fanout_.push_back({FrameKind::kFanout, group, std::move(bytes)});
  return dropped;
}

// Acks come for every quarter of the window, so that much may linger unacknowledged on an idle
// link.
bool LinkSender::window_is_nearly_free() const {
  return sent_ - acked_ <= limits_.unacked_bytes / 4;
}

bool LinkSender::snapshot_may_go() const {
  return !snapshot_.empty() && urgent_.empty() && bulk_.empty() && window_is_nearly_free();
}

size_t LinkSender::next_bulk_bytes() const {
  return std::min(limits_.frame_bytes, bulk_.front().frame.bytes.size() - part_offset_);
}

std::optional<Frame> LinkSender::next() {
  CHECK_INVARIANT(acked_ <= sent_);
  CHECK_INVARIANT(queued_bytes_ == 0 || !urgent_.empty() || !bulk_.empty());
  const uint64_t unacked = sent_ - acked_;
  const bool bulk_may_go =
      !bulk_.empty() && (unacked == 0 || unacked + next_bulk_bytes() <= limits_.unacked_bytes);
  const bool urgent_may_go =
      !urgent_.empty() && unacked <= limits_.unacked_bytes + limits_.frame_bytes;
  if (urgent_may_go &&
      (!bulk_may_go || part_offset_ != 0 || urgent_.front().order < bulk_.front().order)) {
    return take_urgent();
  }
  if (bulk_may_go) {
    return take_bulk();
  }
  if (!fanout_.empty() && window_is_nearly_free()) {
    return take_fanout();
  }
  if (snapshot_may_go()) {
    Frame frame = std::move(snapshot_.front());
    snapshot_.pop_front();
    sent_ += frame.bytes.size();
    ++bulk_frames_;
    return frame;
  }
  return std::nullopt;
}

Frame LinkSender::take_urgent() {
  Frame frame = std::move(urgent_.front().frame);
  urgent_.pop_front();
  CHECK_INVARIANT(queued_bytes_ >= frame.bytes.size());
  queued_bytes_ -= frame.bytes.size();
  sent_ += frame.bytes.size();
  return frame;
}

Frame LinkSender::take_bulk() {
  ++bulk_frames_;
  Frame& whole = bulk_.front().frame;
  CHECK_INVARIANT(queued_bytes_ >= whole.bytes.size());
  CHECK_INVARIANT(part_offset_ == 0 || part_offset_ < whole.bytes.size());
  if (whole.bytes.size() <= limits_.frame_bytes) {
    Frame frame = std::move(whole);
    queued_bytes_ -= frame.bytes.size();
    sent_ += frame.bytes.size();
    bulk_.pop_front();
    return frame;
  }
  const size_t size = next_bulk_bytes();
  Frame part{FrameKind::kPart, whole.group, {}};
  if (part_offset_ == 0) {
    part.kind = FrameKind::kFirstPart;
    put_le<uint64_t>(part.bytes, whole.bytes.size());
  }
  part.bytes.append(whole.bytes, part_offset_, size);
  sent_ += part.bytes.size();
  part_offset_ += size;
  if (part_offset_ == whole.bytes.size()) {
    queued_bytes_ -= whole.bytes.size();
    bulk_.pop_front();
    part_offset_ = 0;
  }
  return part;
}

Frame LinkSender::take_fanout() {
  ++bulk_frames_;
  const std::string& whole = fanout_.front().bytes;
  CHECK_INVARIANT(fanout_offset_ == 0 || fanout_offset_ < whole.size());
  const size_t size = std::min(limits_.frame_bytes, whole.size() - fanout_offset_);
  Frame frame{FrameKind::kFanout, fanout_.front().group, {}};
  frame.bytes.reserve(size + 1);
  fanout_offset_ += size;
  put_u8(frame.bytes, fanout_offset_ < whole.size() ? 1 : 0);
  frame.bytes.append(whole, fanout_offset_ - size, size);
  sent_ += frame.bytes.size();
  if (fanout_offset_ == whole.size()) {
    CHECK_INVARIANT(fanout_bytes_ >= whole.size());
    fanout_bytes_ -= whole.size();
    fanout_.pop_front();
    fanout_offset_ = 0;
  }
  return frame;
}

void LinkSender::acked(uint64_t received_bytes) {
  // A little more than was sent: frames came twice. Much more: the peer counts something else.
  if (received_bytes <= sent_ + limits_.unacked_bytes) {
    acked_ = std::max(acked_, std::min(received_bytes, sent_));
  }
}

LinkReceiver::Outcome LinkReceiver::receive(Frame frame) {
  Outcome outcome;
  CHECK_INVARIANT(acked_ <= received_ && partial_.size() <= partial_total_);
  received_ += frame.bytes.size();
  // Half a window: the sender never waits for an ack that is not due. Small parts of a snapshot are
  // acknowledged at once: next to what CAF dropped on this link, that window is little.
  const bool of_snapshot = frame.kind == FrameKind::kSnapshot;
  if (of_snapshot || received_ - acked_ >= limits_.unacked_bytes / 4) {
    acked_ = received_;
    outcome.ack = received_;
  }
  const size_t longest =
      limits_.frame_bytes + (of_snapshot ? kSnapshotHeaderBytes : sizeof(uint64_t));
  if (!frame.group || frame.bytes.size() > longest) {
    outcome.broken = true;
    return outcome;
  }
  if (frame.kind == FrameKind::kFanout) {
    return take_fanout(frame.bytes, std::move(outcome));
  }
  if (frame.kind != FrameKind::kFirstPart && frame.kind != FrameKind::kPart) {
    outcome.message = std::move(frame.bytes);
    return outcome;
  }
  std::string_view part = frame.bytes;
  if (frame.kind == FrameKind::kFirstPart) {
    ByteReader reader(part);
    partial_.clear();
    partial_group_ = frame.group;
    partial_total_ = reader.le<uint64_t>();
    part = reader.rest();
    if (!reader.ok() || partial_total_ == 0 || partial_total_ > limits_.message_bytes) {
      outcome.broken = true;
      return outcome;
    }
  }
  // Memory grows with what arrived, not with what was announced.
  if (partial_total_ == 0 || frame.group != partial_group_ || part.empty() ||
      partial_.size() + part.size() > partial_total_) {
    outcome.broken = true;
    return outcome;
  }
  partial_.append(part);
  if (partial_.size() == partial_total_) {
    outcome.message = std::move(partial_);
    partial_ = {};
    partial_total_ = 0;
  }
  return outcome;
}

// Publications come in parts as other messages do, but between them.
LinkReceiver::Outcome LinkReceiver::take_fanout(std::string_view part, Outcome outcome) {
  if (part.size() < 2 || static_cast<uint8_t>(part[0]) > 1 ||
      fanout_partial_.size() + part.size() - 1 > limits_.fanout_bytes) {
    outcome.broken = true;
    return outcome;
  }
  fanout_partial_.append(part.substr(1));
  if (part[0] == 0) {
    outcome.message = std::exchange(fanout_partial_, {});
  }
  return outcome;
}

std::string encode_ack(uint64_t received_bytes) {
  std::string bytes;
  put_le(bytes, received_bytes);
  return bytes;
}

std::optional<uint64_t> decode_ack(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto received = reader.le<uint64_t>();
  return reader.done() ? std::optional(received) : std::nullopt;
}

}  // namespace kiwi::actors
