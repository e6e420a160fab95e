#include "actors/snapshots/snapshot_sender.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kRewindMs = 200;  // one gap is told by every chunk behind it
constexpr int64_t kSilentResends = 5;
}  // namespace

SnapshotSender::SnapshotSender(const SnapshotSenderOptions& options,
                               uint64_t transfer,
                               rocks::SnapshotSource& source,
                               LogIndex useful_from,
                               int64_t now_ms)
    : options_(options),
      transfer_(transfer),
      source_(source),
      useful_from_(useful_from),
      heard_ms_(now_ms),
      moved_ms_(now_ms) {}

// ---------------------------------------------------------------- inputs

void SnapshotSender::receive(const SnapshotMessage& message, int64_t now_ms) {
  if (message.transfer != transfer_ || over()) {
    return;
  }
  heard_ms_ = now_ms;
  if (const auto* want = std::get_if<SnapshotWant>(&message.body)) {
    take(*want, now_ms);
  } else if (const auto* ack = std::get_if<SnapshotAck>(&message.body)) {
    take(*ack, now_ms);
  } else if (const auto* done = std::get_if<SnapshotDone>(&message.body)) {
    if (done->ok) {
      state_ = State::kDone;
      installed_ = done->installed;
    } else {
      fail("the follower could not use it");
    }
  } else if (const auto* busy = std::get_if<SnapshotBusy>(&message.body)) {
    if (state_ != State::kStreaming) {
      state_ = State::kBusyElsewhere;
      elsewhere_ = busy->index;
    }
  } else if (std::holds_alternative<SnapshotUnknown>(message.body)) {
    if (state_ == State::kStreaming) {
      offer_again(now_ms);
    }
  }
}

void SnapshotSender::take(const SnapshotWant& want, int64_t now_ms) {
  if (state_ == State::kStreaming && want.round <= round_) {
    return;  // repeated, or late
  }
  moved_ms_ = now_ms;
  rewound_ms_.reset();
  state_ = State::kStreaming;
  if (!resume_delta(want)) {
    begin_round(want);
  }
}

bool SnapshotSender::resume_delta(const SnapshotWant& want) {
  CHECK_INVARIANT(produced_ >= unacked_.size());
  const uint64_t first = produced_ - unacked_.size();
  if (want.what != SnapshotWant::What::kDelta || !delta_ || want.base != delta_base_ ||
      want.next < first || want.next > produced_) {
    return false;
  }
  round_ = want.round;
  what_ = want.what;
  for (uint64_t number = first; number < want.next; ++number) {
    unacked_bytes_ -= unacked_.front().bytes.size();
    unacked_.pop_front();
  }
  send_at_ = 0;
  return true;
}

void SnapshotSender::begin_round(const SnapshotWant& want) {
  round_ = want.round;
  what_ = want.what;
  unacked_.clear();
  unacked_bytes_ = 0;
  produced_ = 0;
  send_at_ = 0;
  all_produced_ = false;
  manifest_at_ = 0;
  delta_.reset();
  delta_ahead_.reset();
  ranges_.assign(want.ranges.begin(), want.ranges.end());
  if (what_ == SnapshotWant::What::kManifest && manifest_.empty()) {
    Result<rocks::Manifest> manifest = source_.manifest();
    if (!manifest) {
      source_damaged_ = manifest.error().code == Errc::kCorrupt;
      return fail(manifest.error().text);
    }
    manifest_ = rocks::encode_manifest(*manifest);
  }
  if (what_ == SnapshotWant::What::kFiles) {
    progress_.mode = "files";
    progress_.bytes_total = progress_.bytes_acknowledged;
    for (const SnapshotRange& range : ranges_) {
      progress_.bytes_total += range.bytes;
    }
  }
  if (what_ == SnapshotWant::What::kDelta) {
    auto delta = want.next == 0 ? source_.delta(want.base)
                                : Result<std::unique_ptr<rocks::DeltaStream>>(
                                      Error{Errc::kInvalid, "a delta cannot be taken up again"});
    if (!delta) {
      all_produced_ = true;
      control_.push_back({transfer_, SnapshotRefused{round_}});
      return;
    }
    delta_ = std::move(*delta);
    delta_base_ = want.base;
    progress_.mode = "delta";
  }
}

void SnapshotSender::take(const SnapshotAck& ack, int64_t now_ms) {
  if (ack.round == 0) {
    moved_ms_ = now_ms;  // it has the chunks and cannot say so yet: none is sent again
    return;
  }
  CHECK_INVARIANT(produced_ >= unacked_.size());
  const uint64_t first = produced_ - unacked_.size();
  if (state_ != State::kStreaming || ack.round != round_ || ack.next < first ||
      ack.next > produced_) {
    return;
  }
  for (uint64_t number = first; number < ack.next; ++number) {
    CHECK_INVARIANT(unacked_bytes_ >= unacked_.front().bytes.size());
    progress_.bytes_acknowledged += unacked_.front().bytes.size();
    unacked_bytes_ -= unacked_.front().bytes.size();
    unacked_.pop_front();
    send_at_ -= std::min<size_t>(send_at_, 1);
    moved_ms_ = now_ms;
  }
  CHECK_INVARIANT(send_at_ <= unacked_.size());
  if (ack.gap && (!rewound_ms_ || now_ms - *rewound_ms_ >= kRewindMs)) {
    rewound_ms_ = now_ms;
    send_at_ = 0;
  }
}

void SnapshotSender::set_link(bool up, int64_t now_ms) {
  if (up == link_up_) {
    return;
  }
  link_up_ = up;
  if (up && !over()) {
    offer_again(now_ms);  // answered by a Want that says what has to be sent again
  }
}

void SnapshotSender::offer_again(int64_t now_ms) {
  if (state_ == State::kStreaming) {
    state_ = State::kOffering;
  }
  offered_ms_.reset();
  moved_ms_ = now_ms;
}

void SnapshotSender::tick(int64_t now_ms) {
  if (over()) {
    return;
  }
  if (now_ms - heard_ms_ >= options_.give_up_ms) {
    return fail("the follower has not answered for " + std::to_string(options_.give_up_ms / 1000) +
                " s");
  }
  if (!link_up_ || state_ != State::kStreaming) {
    return;
  }
  if (now_ms - heard_ms_ >= kSilentResends * options_.resend_ms) {
    offer_again(now_ms);
  } else if (now_ms - moved_ms_ >= options_.resend_ms && !unacked_.empty()) {
    moved_ms_ = now_ms;
    send_at_ = 0;
  }
}

void SnapshotSender::fail(std::string why) {
  state_ = State::kFailed;
  failure_ = std::move(why);
}

// ---------------------------------------------------------------- what goes out

std::optional<SnapshotMessage> SnapshotSender::next(ByteRate& rate, int64_t now_ms) {
  if (!link_up_ || over()) {
    return std::nullopt;
  }
  if (!control_.empty()) {
    SnapshotMessage message = std::move(control_.front());
    control_.pop_front();
    return message;
  }
  if (state_ != State::kStreaming) {
    if (offered_ms_ && now_ms - *offered_ms_ < options_.resend_ms) {
      return std::nullopt;
    }
    offered_ms_ = now_ms;
    return SnapshotMessage{transfer_, SnapshotOffer{index(), useful_from_, source_.bytes()}};
  }
  if (send_at_ == unacked_.size() &&
      (all_produced_ ||
       (!unacked_.empty() && unacked_bytes_ + options_.chunk_bytes > options_.window_bytes))) {
    return std::nullopt;
  }
  if (!rate.take(options_.chunk_bytes, now_ms)) {
    return std::nullopt;
  }
  if (send_at_ == unacked_.size() && !produce()) {
    return std::nullopt;
  }
  CHECK_INVARIANT(send_at_ < unacked_.size());
  SnapshotChunk chunk = unacked_[send_at_++];
  chunk.round = round_;
  chunk.sender_term = term_;
  progress_.bytes_sent += chunk.bytes.size();
  return SnapshotMessage{transfer_, std::move(chunk)};
}

bool SnapshotSender::produce() {
  CHECK_INVARIANT(!all_produced_);
  SnapshotChunk chunk;
  chunk.number = produced_;
  bool any = true;
  switch (what_) {
    case SnapshotWant::What::kManifest:
      produce_manifest(chunk);
      break;
    case SnapshotWant::What::kFiles:
      any = produce_files(chunk);
      break;
    case SnapshotWant::What::kDelta:
      any = produce_delta(chunk);
      break;
  }
  if (!any) {
    all_produced_ = true;
    return false;
  }
  all_produced_ = chunk.last;
  ++produced_;
  unacked_bytes_ += chunk.bytes.size();
  unacked_.push_back(std::move(chunk));
  return true;
}

void SnapshotSender::produce_manifest(SnapshotChunk& chunk) {
  chunk.bytes = manifest_.substr(manifest_at_, options_.chunk_bytes);
  manifest_at_ += chunk.bytes.size();
  CHECK_INVARIANT(manifest_at_ <= manifest_.size());
  chunk.last = manifest_at_ == manifest_.size();
}

bool SnapshotSender::produce_files(SnapshotChunk& chunk) {
  while (!ranges_.empty() && ranges_.front().bytes == 0) {
    ranges_.pop_front();
  }
  if (ranges_.empty()) {
    chunk.last = true;  // nothing was asked for: an empty chunk says so
    return true;
  }
  SnapshotRange& range = ranges_.front();
  const size_t size = std::min<uint64_t>(options_.chunk_bytes, range.bytes);
  Result<std::string> bytes = source_.read(range.file, range.offset, size);
  if (!bytes || bytes->empty()) {
    fail(bytes ? "a file of the snapshot is shorter than it was" : bytes.error().text);
    return false;
  }
  chunk.file = range.file;
  chunk.offset = range.offset;
  chunk.bytes = std::move(*bytes);
  range.offset += chunk.bytes.size();
  range.bytes -= std::min<uint64_t>(range.bytes, chunk.bytes.size());
  while (!ranges_.empty() && ranges_.front().bytes == 0) {
    ranges_.pop_front();
  }
  chunk.last = ranges_.empty();
  return true;
}

bool SnapshotSender::produce_delta(SnapshotChunk& chunk) {
  const auto read = [this]() -> std::optional<std::string> {
    Result<std::optional<std::string>> bytes = delta_->next();
    if (!bytes) {
      fail(bytes.error().text);
      return std::nullopt;
    }
    return std::move(*bytes);
  };
  if (produced_ == 0 && !delta_ahead_) {
    delta_ahead_ = read();
  }
  if (over()) {
    return false;
  }
  chunk.bytes = delta_ahead_ ? std::move(*delta_ahead_) : std::string();
  delta_ahead_ = delta_ahead_ ? read() : std::nullopt;
  chunk.last = !delta_ahead_;
  return !over();
}

}  // namespace kiwi::actors
