// The receiving half of snapshot_protocol.hpp: one snapshot at a time comes here. Plain class,
// owned by SnapshotWorker, on its thread; time is told. What comes is put together by
// IncomingState.
//
// A node that has a state asks for a delta to it first (F17) and for files if that is refused or
// comes out wrong. Files are asked for only if the disk has room for all of them, and those that it
// cannot take go (F60); otherwise files that arrived stay for the next attempt, also by another
// sender of the same life. A verified snapshot is handed out once (take_arrived()); Raft decides
// about it then (F15), and concluded() says what became of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actors/snapshots/incoming_state.hpp"
#include "actors/snapshots/snapshot_protocol.hpp"

namespace kiwi::actors {

class SnapshotReceiver {
 public:
  struct Options {
    int64_t patience_ms = 10'000;  // a sender that is silent for so long makes way for another
    int64_t forget_ms = 120'000;   // and is forgotten then
    GroupId group = kFirstGroup;   // whose states it takes
    uint64_t first_round = 1;      // drawn at random: rounds of an earlier process are not ours
  };
  struct Arrived {
    rocks::SnapshotInfo info;
    std::string directory;
    Term sender_term;
  };

  SnapshotReceiver(const Options& options, SnapshotDisk disk);

  // ---- inputs
  void receive(NodeId from, const SnapshotMessage& message, int64_t now_ms);
  // committed: entries up to there are in this node's own log and will be applied. What is coming
  // is of no use any more when the log brought this node as far.
  void set_applied(LogIndex applied, LogIndex committed);
  void own_copy_ready(bool made);  // answers wants_own_copy()
  // What was taken by take_arrived() is settled. ok: this node is at `installed` or above.
  void concluded(bool ok, LogIndex installed);
  void tick(int64_t now_ms);
  // The caller was busy for so long: no silence of the sender.
  void excuse(int64_t busy_ms) { heard_ms_ += busy_ms; }
  void forget();  // of what is coming; the directories it writes into may go now

  // ---- outcome, to be looked at after every input
  std::vector<std::pair<NodeId, SnapshotMessage>> take_messages();
  // Once: make a checkpoint of the own state, for a delta. Not before the own log is applied: what
  // a node replays after its start would be in the delta too.
  bool take_wants_own_copy();
  std::optional<Arrived> take_arrived();

  // Who sends, and its number: nullopt while nothing comes.
  std::optional<std::pair<NodeId, uint64_t>> transfer() const {
    return step_ == Step::kIdle ? std::nullopt : std::optional(std::pair(from_, transfer_));
  }
  // The copy that take_wants_own_copy() asked for is in use.
  bool uses_own_copy() const {
    return step_ == Step::kOwnCopy || step_ == Step::kDelta || step_ == Step::kArrived;
  }
  struct Progress {
    const char* mode = "none";  // none, own copy, manifest, files, delta, installing
    uint64_t bytes_received = 0;
    uint64_t bytes_total = 0;   // files only
    uint64_t bytes_reused = 0;  // files only
  };
  struct Report {
    bool receiving = false;
    NodeId from;     // while receiving
    LogIndex index;  // while receiving
    Progress progress;
    const char* last_mode = "none";  // how the one came that was handed out last: files, delta
    uint64_t bytes_ever = 0;         // received
  };
  Report report() const;

 private:
  enum class Step : uint8_t { kIdle, kOwnCopy, kManifest, kFiles, kDelta, kArrived };

  void take(NodeId from, uint64_t transfer, const SnapshotOffer& offer, int64_t now_ms);
  void take(const SnapshotChunk& chunk);
  void begin(NodeId from, uint64_t transfer, const SnapshotOffer& offer);
  void ask_again();  // for what the present step lacks
  void ask_manifest();
  void ask_files();
  void ask_delta();
  void follow(IncomingState::Next next);
  void arrived(IncomingState::Whole whole);
  void give_up(const std::string& why);
  void conclude(const SnapshotDone& outcome);
  void say(SnapshotBody body);

  Options options_;
  IncomingState incoming_;
  LogIndex applied_;
  LogIndex committed_;
  Step step_ = Step::kIdle;
  NodeId from_;
  uint64_t transfer_ = 0;
  SnapshotOffer offer_;
  Term sender_term_;
  int64_t heard_ms_ = 0;
  uint64_t round_;
  uint64_t next_ = 0;  // chunk of the round
  bool wants_own_copy_ = false;
  std::optional<Arrived> arrived_;
  std::vector<std::pair<NodeId, SnapshotMessage>> messages_;
  // The last one that was concluded: its sender may not have heard.
  uint64_t concluded_transfer_ = 0;
  SnapshotDone concluded_;
  Progress progress_;
  const char* last_mode_ = "none";
  uint64_t bytes_ever_ = 0;
};

}  // namespace kiwi::actors
