// One snapshot on its way to one follower: the sending half of snapshot_protocol.hpp. Plain class,
// owned by SnapshotWorker, on its thread; time and link are told, the disk is a SnapshotSource.
//
// It goes on through everything but the death of this process: a link that breaks is waited for,
// and leaders may change meanwhile (F32). At most window_bytes of chunks are unacknowledged, and
// kept, so that they can be sent again without reading (a delta cannot be read twice). Nothing
// heard for give_up_ms ends it; what the receiver has by then is not lost (FullTarget).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/snapshots/snapshot_protocol.hpp"
#include "rocks/snapshot_source.hpp"

namespace kiwi::actors {

struct SnapshotSenderOptions {
  uint64_t window_bytes = 1 << 20;
  size_t chunk_bytes = rocks::kSnapshotChunkBytes;
  int64_t resend_ms = 1000;
  int64_t give_up_ms = 120'000;
};

class SnapshotSender {
 public:
  enum class State : uint8_t {
    kOffering,
    kBusyElsewhere,  // the receiver gets another one; offered again now and then
    kStreaming,
    kDone,    // the receiver is at installed()
    kFailed,  // it came to nothing: failure()
  };

  // `source` outlives this. useful_from: below it, the log of this node does not go on.
  SnapshotSender(const SnapshotSenderOptions& options,
                 uint64_t transfer,
                 rocks::SnapshotSource& source,
                 LogIndex useful_from,
                 int64_t now_ms);

  // ---- inputs
  void receive(const SnapshotMessage& message, int64_t now_ms);
  void set_link(bool up, int64_t now_ms);
  void set_term(Term term) { term_ = term; }
  // The caller was busy for so long, reading for this one or another: no silence of the receiver.
  void excuse(int64_t busy_ms) {
    heard_ms_ += busy_ms;
    moved_ms_ += busy_ms;
  }
  void tick(int64_t now_ms);

  // The next message that may go now; nullopt: nothing, or the window or the rate says wait.
  std::optional<SnapshotMessage> next(ByteRate& rate, int64_t now_ms);

  // ---- outcome, to be looked at after every input
  State state() const { return state_; }
  bool over() const { return state_ == State::kDone || state_ == State::kFailed; }
  LogIndex installed() const { return installed_; }
  LogIndex elsewhere() const { return elsewhere_; }  // kBusyElsewhere: that one's index
  const std::string& failure() const { return failure_; }
  bool source_damaged() const { return source_damaged_; }  // kFailed, and nobody else gets it

  uint64_t transfer() const { return transfer_; }
  LogIndex index() const { return source_.info().applied.index; }
  struct Progress {
    const char* mode = "offered";  // offered, files, delta
    uint64_t bytes_sent = 0;       // payload, repetitions included
    uint64_t bytes_acknowledged = 0;
    uint64_t bytes_total = 0;  // files only: what the receiver lacked
  };
  const Progress& progress() const { return progress_; }

 private:
  void take(const SnapshotWant& want, int64_t now_ms);
  void take(const SnapshotAck& ack, int64_t now_ms);
  void begin_round(const SnapshotWant& want);
  bool resume_delta(const SnapshotWant& want);
  bool produce();  // one more chunk at the end of unacked_; false: there is none
  void produce_manifest(SnapshotChunk& chunk);
  bool produce_files(SnapshotChunk& chunk);
  bool produce_delta(SnapshotChunk& chunk);
  void offer_again(int64_t now_ms);
  void fail(std::string why);

  SnapshotSenderOptions options_;
  uint64_t transfer_;
  rocks::SnapshotSource& source_;
  LogIndex useful_from_;
  Term term_;
  State state_ = State::kOffering;
  bool link_up_ = false;
  int64_t heard_ms_;
  int64_t moved_ms_;  // the receiver has more than before, or was sent something again
  std::optional<int64_t> offered_ms_;
  std::deque<SnapshotMessage> control_;

  // The round.
  uint64_t round_ = 0;
  SnapshotWant::What what_ = SnapshotWant::What::kManifest;
  std::string manifest_;
  size_t manifest_at_ = 0;
  std::deque<SnapshotRange> ranges_;
  std::unique_ptr<rocks::DeltaStream> delta_;
  rocks::AppliedRecord delta_base_;
  std::optional<std::string> delta_ahead_;  // read, to know whether the one before was the last
  bool all_produced_ = false;
  std::deque<SnapshotChunk> unacked_;
  uint64_t unacked_bytes_ = 0;
  uint64_t produced_ = 0;  // number of the next chunk to produce
  size_t send_at_ = 0;     // in unacked_: what is sent next
  std::optional<int64_t> rewound_ms_;

  LogIndex installed_;
  LogIndex elsewhere_;
  std::string failure_;
  bool source_damaged_ = false;
  Progress progress_;
};

}  // namespace kiwi::actors
