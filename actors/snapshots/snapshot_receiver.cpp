#include "actors/snapshots/snapshot_receiver.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

SnapshotReceiver::SnapshotReceiver(const Options& options, SnapshotDisk disk)
    : options_(options), incoming_(options.group, std::move(disk)), round_(options.first_round) {}

// ---------------------------------------------------------------- inputs

void SnapshotReceiver::receive(NodeId from, const SnapshotMessage& message, int64_t now_ms) {
  if (const auto* offer = std::get_if<SnapshotOffer>(&message.body)) {
    take(from, message.transfer, *offer, now_ms);
    return;
  }
  if (step_ == Step::kIdle || message.transfer != transfer_ || from != from_) {
    if (std::holds_alternative<SnapshotChunk>(message.body)) {
      messages_.push_back({from, {message.transfer, SnapshotUnknown{}}});
    }
    return;
  }
  heard_ms_ = now_ms;
  if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    take(*chunk);
  } else if (const auto* refused = std::get_if<SnapshotRefused>(&message.body)) {
    if (step_ == Step::kDelta && refused->round == round_) {
      ask_manifest();
    }
  } else if (std::holds_alternative<SnapshotAbort>(message.body) && step_ != Step::kArrived) {
    forget();
  }
}

void SnapshotReceiver::take(NodeId from,
                            uint64_t transfer,
                            const SnapshotOffer& offer,
                            int64_t now_ms) {
  if (step_ != Step::kIdle && transfer == transfer_ && from == from_) {
    heard_ms_ = now_ms;
    ask_again();
    return;
  }
  if (transfer == concluded_transfer_) {
    messages_.push_back({from, {transfer, concluded_}});
    return;
  }
  if (offer.index <= applied_) {
    messages_.push_back({from, {transfer, SnapshotDone{true, applied_}}});
    return;
  }
  const bool patient = now_ms - heard_ms_ < options_.patience_ms;
  if (step_ == Step::kArrived ||
      (step_ != Step::kIdle && from != from_ && patient && offer_.index >= offer.useful_from)) {
    messages_.push_back({from, {transfer, SnapshotBusy{offer_.index}}});
    return;
  }
  heard_ms_ = now_ms;
  begin(from, transfer, offer);
}

void SnapshotReceiver::begin(NodeId from, uint64_t transfer, const SnapshotOffer& offer) {
  forget();
  from_ = from;
  transfer_ = transfer;
  offer_ = offer;
  if (applied_ > LogIndex{0}) {
    step_ = Step::kOwnCopy;
    progress_.mode = "own copy";
    wants_own_copy_ = true;
  } else {
    ask_manifest();
  }
}

void SnapshotReceiver::own_copy_ready(bool made) {
  if (step_ != Step::kOwnCopy) {
    return;
  }
  if (made) {
    Result<void> delta = incoming_.begin_delta();
    if (delta) {
      step_ = Step::kDelta;
      next_ = 0;
      progress_.mode = "delta";
      ask_delta();
      return;
    }
    log_notice("no delta to the own state: " + delta.error().text);
  }
  ask_manifest();
}

void SnapshotReceiver::concluded(bool ok, LogIndex installed) {
  if (step_ != Step::kArrived) {
    return;
  }
  if (ok) {
    applied_ = std::max(applied_, installed);
  }
  conclude({ok, installed});
}

void SnapshotReceiver::conclude(const SnapshotDone& outcome) {
  CHECK_INVARIANT(step_ != Step::kIdle);
  concluded_transfer_ = transfer_;
  concluded_ = outcome;
  say(concluded_);
  forget();
}

// Its sender may be dead, or no leader any more; while a snapshot is received the node answers
// LOADING (F22). What has arrived is Raft's to judge.
void SnapshotReceiver::set_applied(LogIndex applied, LogIndex committed) {
  applied_ = applied;
  committed_ = committed;
  if (step_ != Step::kIdle && step_ != Step::kArrived && applied_ >= offer_.index) {
    log_notice("the snapshot of entry " + std::to_string(offer_.index.value) + " from node " +
               std::to_string(from_.value) + " is not needed: the log reached entry " +
               std::to_string(applied_.value) + " meanwhile");
    conclude({true, applied_});
  }
}

void SnapshotReceiver::tick(int64_t now_ms) {
  if (step_ != Step::kIdle && step_ != Step::kArrived && now_ms - heard_ms_ >= options_.forget_ms) {
    log_notice("the snapshot from node " + std::to_string(from_.value) +
               " was given up: nothing more came; what is here stays for the next one");
    forget();
  }
}

void SnapshotReceiver::forget() {
  step_ = Step::kIdle;
  transfer_ = 0;
  from_ = {};
  incoming_.reset();
  wants_own_copy_ = false;
  arrived_.reset();
  sender_term_ = {};
  progress_ = {};
}

void SnapshotReceiver::give_up(const std::string& why) {
  log_warning("the snapshot from node " + std::to_string(from_.value) + " is of no use: " + why);
  conclude({false, LogIndex{0}});
}

// ---------------------------------------------------------------- asking

void SnapshotReceiver::say(SnapshotBody body) {
  CHECK_INVARIANT(step_ != Step::kIdle);  // nobody is talked to then
  messages_.push_back({from_, {transfer_, std::move(body)}});
}

void SnapshotReceiver::ask_again() {
  switch (step_) {
    case Step::kManifest:
      ask_manifest();
      break;
    case Step::kFiles:
      ask_files();
      break;
    case Step::kDelta:
      ask_delta();
      break;
    case Step::kArrived:
    case Step::kOwnCopy:
      say(SnapshotAck{round_, next_, false});  // alive, and nothing is wanted yet
      break;
    case Step::kIdle:
      break;
  }
}

void SnapshotReceiver::ask_manifest() {
  step_ = Step::kManifest;
  incoming_.begin_manifest();
  next_ = 0;
  progress_.mode = "manifest";
  SnapshotWant want;
  want.round = ++round_;
  want.what = SnapshotWant::What::kManifest;
  say(std::move(want));
}

void SnapshotReceiver::ask_files() {
  const rocks::FullTarget& files = incoming_.files();
  step_ = Step::kFiles;
  next_ = 0;
  progress_.mode = "files";
  progress_.bytes_reused = files.bytes_reused();
  progress_.bytes_total = progress_.bytes_received + files.bytes_missing();
  SnapshotWant want;
  want.round = ++round_;
  want.what = SnapshotWant::What::kFiles;
  for (const rocks::FullTarget::Missing& missing : files.missing()) {
    if (want.ranges.size() < kSnapshotRangesMax && missing.bytes > 0) {
      want.ranges.push_back({missing.file, missing.offset, missing.bytes});
    }
  }
  say(std::move(want));
}

// After a link came back it goes on where it stopped: next_ stays.
void SnapshotReceiver::ask_delta() {
  CHECK_INVARIANT(step_ == Step::kDelta);
  SnapshotWant want;
  want.round = ++round_;
  want.what = SnapshotWant::What::kDelta;
  want.base = incoming_.base();
  want.next = next_;
  say(std::move(want));
}

// ---------------------------------------------------------------- chunks

void SnapshotReceiver::take(const SnapshotChunk& chunk) {
  if (chunk.round != round_ || step_ == Step::kArrived || step_ == Step::kOwnCopy) {
    return;
  }
  sender_term_ = std::max(sender_term_, chunk.sender_term);
  if (chunk.number != next_) {
    say(SnapshotAck{round_, next_, chunk.number > next_});
    return;
  }
  progress_.bytes_received += chunk.bytes.size();
  bytes_ever_ += chunk.bytes.size();
  if (const IncomingState::Next next = incoming_.take(chunk); next != IncomingState::Next::kMore) {
    follow(next);
    return;
  }
  ++next_;
  say(SnapshotAck{round_, next_, false});
  if (chunk.last) {
    follow(incoming_.end_of_round());
  }
}

void SnapshotReceiver::follow(IncomingState::Next next) {
  switch (next) {
    case IncomingState::Next::kMore:
      break;
    case IncomingState::Next::kManifest:
      ask_manifest();
      break;
    case IncomingState::Next::kFiles:
      ask_files();
      break;
    case IncomingState::Next::kWhole:
      arrived(incoming_.take_whole());
      break;
    case IncomingState::Next::kUseless:
      give_up(incoming_.why());
      break;
  }
}

void SnapshotReceiver::arrived(IncomingState::Whole whole) {
  CHECK_INVARIANT(step_ != Step::kIdle && step_ != Step::kArrived && !arrived_);
  step_ = Step::kArrived;
  last_mode_ = progress_.mode;
  progress_.mode = "installing";
  arrived_ = Arrived{std::move(whole.info), std::move(whole.directory), sender_term_};
}

// ---------------------------------------------------------------- outcome

std::vector<std::pair<NodeId, SnapshotMessage>> SnapshotReceiver::take_messages() {
  return std::exchange(messages_, {});
}

bool SnapshotReceiver::take_wants_own_copy() {
  return applied_ >= committed_ && std::exchange(wants_own_copy_, false);
}

std::optional<SnapshotReceiver::Arrived> SnapshotReceiver::take_arrived() {
  return std::exchange(arrived_, std::nullopt);
}

SnapshotReceiver::Report SnapshotReceiver::report() const {
  const bool receiving = step_ != Step::kIdle;
  return {.receiving = receiving,
          .from = from_,
          .index = receiving ? offer_.index : LogIndex{0},
          .progress = progress_,
          .last_mode = last_mode_,
          .bytes_ever = bytes_ever_};
}

}  // namespace kiwi::actors
