#include "actors/snapshots/snapshot_worker.hpp"

#include <utility>

#include "actors/data_directory.hpp"
#include "actors/opened_state.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/executor.hpp"
#include "rocks/background.hpp"
#include "rocks/files.hpp"
#include "rocks/keyspace.hpp"
#include "rocks/snapshot_target.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kProgressSaidMs = 5000;

std::string number(NodeId id) { return std::to_string(id.value); }
std::string number(LogIndex index) { return std::to_string(index.value); }
std::string mib(uint64_t bytes) {
  const uint64_t tenths = bytes * 10 >> 20;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

void remove(const std::string& directory) {
  if (Result<void> removed = rocks::remove_directory(directory); !removed) {
    log_warning(removed.error().text);
  }
}

}  // namespace

struct SnapshotWorker::Making {
  explicit Making(std::string directory_in) : directory(std::move(directory_in)) {}

  // Nobody waits for it any more. Not removed while it is being written.
  void abandon() {
    const std::lock_guard lock(mutex);
    abandoned = true;
    if (made) {
      remove(directory);
    }
  }

  const std::string directory;
  std::mutex mutex;
  bool made = false;
  bool abandoned = false;
};

SnapshotWorker::Checkpoint::~Checkpoint() {
  source.reset();
  if (!directory.empty()) {
    remove(directory);
  }
}

SnapshotWorker::SnapshotWorker(caf::actor_config& cfg,
                               const Hosting& hosting,
                               SnapshotWorkerOptions options)
    : Hosted(cfg, hosting, "SnapshotWorker", Vital::kNo),
      options_(std::move(options)),
      prng_(options_.seed),
      rate_(options_.bytes_per_second),
      receiver_({.group = options_.group, .first_round = prng_.next() >> 8},
                {[this](const rocks::Manifest& manifest) {
                   return rocks::FullTarget::open(path(data_directory::kIncoming), manifest,
                                                  path(options_.live_state));
                 },
                 [this] { return rocks::DeltaTarget::open(own_copy_->directory); },
                 [this](uint64_t bytes) {
                   return options_.room_for ? options_.room_for(bytes) : Result<void>();
                 },
                 [this] { remove(path(data_directory::kIncoming)); }}),
      report_(options_.board->get().counters()),
      received_before_(report_.bytes_received) {}

SnapshotWorker::behavior_type SnapshotWorker::make_behavior() {
  return {
      [this](const SnapshotFrame& frame) {
        give_way();
        received(frame.peer, frame.bytes);
        pump();
      },
      [this](const SnapshotLink& link) {
        links_[link.peer] = link.up;
        if (const auto found = sending_.find(link.peer); found != sending_.end()) {
          found->second.sender->set_link(link.up, options_.now_ms());
        }
        pump();
      },
      [this](const SnapshotNews& news) {
        news_ = news;
        receiver_.set_applied(news.applied, news.commit);
        pump_receiver();
      },
      [this](const raft::SnapshotWanted& follower) {
        give_way();
        wanted(follower);
        pump();
      },
      [this](const SnapshotUseless& useless) {
        // The log was cut above it meanwhile; the core asks again and gets a fresh one.
        if (const auto found = sending_.find(useless.follower); found != sending_.end()) {
          call_off(found->first, found->second);
          sending_.erase(found);
        }
        checkpoint_.reset();
      },
      [this](const SnapshotJudged& verdict) {
        judged(verdict);
        pump();
      },
      [this](const SnapshotStored&) { stored(); },
      [this](StateSwapped& state) {
        swapped(state);
        pump();
      },
      [this](const CheckpointMade& made) {
        checkpoint_made(made);
        pump();
      },
      [this](BackUp& order) { back_up(order); },
      [this](timer_atom) { timer(); },
      [this](stop_atom) { end(); },
  };
}

// A snapshot keeps a processor busy for seconds on both sides. Clients go first.
void SnapshotWorker::give_way() const {
  if (options_.in_background) {
    rocks::work_in_background();
  }
}

// Or the receiver waits for more until its patience ends, and its node answers LOADING meanwhile.
void SnapshotWorker::call_off(NodeId follower, const Sending& sending) {
  const SnapshotMessage nothing_more{sending.sender->transfer(), SnapshotAbort{}};
  caf::anon_send(options_.replica, SnapshotFrame{.peer = follower,
                                                 .bytes = encode_snapshot(nothing_more),
                                                 .group = options_.group});
}

void SnapshotWorker::stopped() {
  for (const auto& [follower, sending] : sending_) {
    call_off(follower, sending);
  }
  options_.state_machine = nullptr;
  options_.replica = nullptr;
  sending_.clear();
  checkpoint_.reset();
  options_.open_state = nullptr;
  receiver_.forget();
  for (const std::shared_ptr<Making>& one : {making_, own_copy_}) {
    if (one) {
      one->abandon();
    }
  }
  for (const auto& [directory, backup] : backups_) {
    backup.making->abandon();
  }
}

void SnapshotWorker::died(const std::string& why) {
  if (options_.died) {
    options_.died(why);
  }
}

// ---------------------------------------------------------------- sending

void SnapshotWorker::wanted(const raft::SnapshotWanted& wanted) {
  CHECK_INVARIANT(wanted.follower && wanted.first_index);
  const LogIndex useful_from{wanted.first_index.value - 1};
  if (const auto found = sending_.find(wanted.follower); found != sending_.end()) {
    // A new leader's core does not know what is on its way already (F32).
    send(options_.replica,
         SnapshotPin{wanted.follower, found->second.sender->index(), options_.group});
    return;
  }
  if (!report_.damage.empty()) {
    // Said again as often as it is wanted: whoever leads next has another state.
    send(options_.replica, SnapshotEnded{wanted.follower, LogIndex{0}, false, options_.group});
    return;
  }
  if (checkpoint_ && checkpoint_->source->info().applied.index >= useful_from) {
    start_sending(wanted.follower, useful_from);
    return;
  }
  waiting_[wanted.follower] = useful_from;
  if (!making_) {
    making_ = make_checkpoint(new_directory(data_directory::kCheckpoint));
  }
}

std::string SnapshotWorker::new_directory(const char* kind) {
  return path(std::string(kind) + "-" + std::to_string(options_.life) + "-" +
              std::to_string(++directories_));
}

std::shared_ptr<SnapshotWorker::Making> SnapshotWorker::make_checkpoint(
    const std::string& directory) {
  auto making = std::make_shared<Making>(directory);
  send(options_.state_machine,
       MakeCheckpoint{
           directory, [self = SnapshotWorkerHandle(this), making](const Result<LogIndex>& result) {
             const std::lock_guard lock(making->mutex);
             making->made = result.has_value();  // else the directory may be somebody's
             if (making->abandoned) {
               if (making->made) {
                 remove(making->directory);
               }
               return;
             }
             caf::anon_send(self, CheckpointMade{making->directory,
                                                 result ? std::string() : result.error().text});
           }});
  return making;
}

void SnapshotWorker::checkpoint_made(const CheckpointMade& made) {
  const AtWork at_work(*this);
  if (own_copy_ && made.directory == own_copy_->directory) {
    own_copy_made(made);
  } else if (making_ && made.directory == making_->directory) {
    source_made(made);
  } else {
    backup_made(made);
  }
}

void SnapshotWorker::source_made(const CheckpointMade& made) {
  making_.reset();
  std::string error = made.error;
  if (error.empty() && !report_.damage.empty()) {
    error = report_.damage;
    remove(made.directory);
  }
  if (error.empty()) {
    auto source = rocks::SnapshotSource::open(made.directory, options_.self, options_.group);
    if (source) {
      checkpoint_ = std::make_shared<Checkpoint>();
      checkpoint_->directory = made.directory;
      checkpoint_->source = std::move(*source);
      checkpoint_->used_ms = options_.now_ms();
      ++report_.created;
      log_notice("checkpoint at entry " + number(checkpoint_->source->info().applied.index) + ", " +
                 mib(checkpoint_->source->bytes()));
    } else {
      error = source.error().text;
      remove(made.directory);
    }
  }
  for (const auto& [follower, useful_from] : std::exchange(waiting_, {})) {
    if (error.empty() && checkpoint_->source->info().applied.index >= useful_from) {
      start_sending(follower, useful_from);
    } else {
      log_warning("no snapshot for node " + number(follower) + ": " +
                  (error.empty() ? "the state is behind the log's beginning" : error));
      send(options_.replica, SnapshotEnded{follower, LogIndex{0}, false, options_.group});
    }
  }
}

void SnapshotWorker::start_sending(NodeId follower, LogIndex useful_from) {
  CHECK_INVARIANT(checkpoint_ && checkpoint_->source->info().applied.index >= useful_from);
  const int64_t now_ms = options_.now_ms();
  Sending sending;
  sending.checkpoint = checkpoint_;
  sending.checkpoint->used_ms = now_ms;
  sending.sender = std::make_unique<SnapshotSender>(options_.sender, prng_.next(),
                                                    *checkpoint_->source, useful_from, now_ms);
  sending.sender->set_term(news_.term);
  sending.sender->set_link(links_[follower], now_ms);
  sending.pinned = sending.sender->index();
  sending.said_ms = now_ms;
  send(options_.replica, SnapshotPin{follower, sending.pinned, options_.group});
  log_notice("node " + number(follower) + " needs a snapshot: the log begins at entry " +
             number(useful_from + 1) + "; offering entry " + number(sending.pinned));
  sending_.insert_or_assign(follower, std::move(sending));
}

void SnapshotWorker::pump_sender(NodeId follower, Sending& sending) {
  SnapshotSender& talk = *sending.sender;
  const int64_t now_ms = options_.now_ms();
  talk.set_term(news_.term);
  while (auto message = talk.next(rate_, now_ms)) {
    send(options_.replica,
         SnapshotFrame{
             .peer = follower, .bytes = encode_snapshot(*message), .group = options_.group});
  }
  sending.checkpoint->used_ms = now_ms;
  if (talk.state() == SnapshotSender::State::kBusyElsewhere && talk.elsewhere() != sending.pinned) {
    sending.pinned = talk.elsewhere();
    send(options_.replica, SnapshotPin{follower, sending.pinned, options_.group});
  }
  const SnapshotSender::Progress& progress = talk.progress();
  if (!talk.over() && now_ms - sending.said_ms >= kProgressSaidMs) {
    sending.said_ms = now_ms;
    log_notice("snapshot for node " + number(follower) + " (" + progress.mode +
               "): " + mib(progress.bytes_acknowledged) +
               (progress.bytes_total > 0 ? " of " + mib(progress.bytes_total) : std::string()));
  }
}

// ---------------------------------------------------------------- receiving

void SnapshotWorker::received(NodeId peer, const std::string& bytes) {
  const AtWork at_work(*this);
  Result<SnapshotMessage> message = decode_snapshot(bytes);
  if (!message) {
    log_warning("node " + number(peer) + ": " + message.error().text);
    return;
  }
  const int64_t now_ms = options_.now_ms();
  const auto found = sending_.find(peer);
  if (found != sending_.end() && found->second.sender->transfer() == message->transfer) {
    found->second.sender->receive(*message, now_ms);
    return;
  }
  receiver_.receive(peer, *message, now_ms);
}

void SnapshotWorker::pump_receiver() {
  if (receiver_.take_wants_own_copy()) {
    if (own_copy_) {
      own_copy_->abandon();
    }
    own_copy_ = make_checkpoint(new_directory(data_directory::kOwnCopy));
  }
  for (auto& [peer, message] : receiver_.take_messages()) {
    send(options_.replica,
         SnapshotFrame{.peer = peer, .bytes = encode_snapshot(message), .group = options_.group});
  }
  if (auto whole = receiver_.take_arrived()) {
    arrived(std::move(*whole));
  }
  if (own_copy_ && !receiver_.uses_own_copy()) {
    own_copy_->abandon();  // its links would keep old files alive
    own_copy_.reset();
  }
}

void SnapshotWorker::own_copy_made(const CheckpointMade& made) {
  if (!made.error.empty()) {
    log_warning("no copy of the own state for a delta: " + made.error);
  }
  receiver_.own_copy_ready(made.error.empty());
}

void SnapshotWorker::arrived(SnapshotReceiver::Arrived arrived) {
  CHECK_INVARIANT(!installing_);
  Result<std::string> name = rocks::publish_state(options_.dir, arrived.directory);
  if (!name) {
    log_warning("the snapshot cannot be put in place: " + name.error().text);
    receiver_.concluded(false, LogIndex{0});
    return;
  }
  installing_ = arrived.info.meta();
  installing_name_ = *name;
  set_vital(Vital::kYes);
  log_notice("a snapshot of entry " + number(installing_->index) + " from node " +
             number(receiver_.report().from) + " is here and verified");
  send(options_.replica, SnapshotArrived{*installing_, arrived.sender_term, *name, options_.group});
}

void SnapshotWorker::judged(const SnapshotJudged& judged) {
  const AtWork at_work(*this);
  if (!installing_ || judged.verdict == raft::SnapshotVerdict::kInstall) {
    return;
  }
  const LogIndex index = installing_->index;
  installing_.reset();
  set_vital(Vital::kNo);
  remove(path(installing_name_));
  log_notice("the snapshot of entry " + number(index) + " is not needed: the log reached entry " +
             number(judged.commit) + " meanwhile");
  const bool there = judged.commit >= index;
  receiver_.concluded(there, there ? index : LogIndex{0});
}

void SnapshotWorker::stored() {
  const AtWork at_work(*this);
  CHECK_INVARIANT(installing_ && !installing_name_.empty());
  Result<std::shared_ptr<OpenedState>> opened = options_.open_state(installing_name_);
  if (!opened) {
    hosting().fail_stop("the installed snapshot cannot be opened: " + opened.error().text);
    return;
  }
  send(options_.state_machine, SwapState{std::move(*opened), *installing_});
}

void SnapshotWorker::swapped(StateSwapped& swapped) {
  const AtWork at_work(*this);
  CHECK_INVARIANT(installing_ && swapped.meta.index == installing_->index);
  CHECK_INVARIANT(swapped.old != nullptr && swapped.old->name != installing_name_);
  const std::string old_name = swapped.old->name;
  swapped.old->executor.reset();
  swapped.old->keyspace.reset();  // waits for its background jobs
  swapped.old.reset();
  if (Result<void> removed = rocks::remove_state(path(old_name)); !removed) {
    log_warning("the old state stays until the next start: " + removed.error().text);
  }
  options_.live_state = installing_name_;
  report_.damage.clear();  // of the state that went
  ++report_.received;
  const SnapshotReceiver::Report receiving = receiver_.report();
  report_.last_bytes = receiving.progress.bytes_received;
  report_.last_mode = receiving.last_mode;
  log_notice("the state is at entry " + number(swapped.meta.index) + " now, by a snapshot of " +
             mib(report_.last_bytes) + " (" + report_.last_mode + ")");
  installing_.reset();
  set_vital(Vital::kNo);
  receiver_.set_applied(swapped.meta.index, swapped.meta.index);
  receiver_.concluded(true, swapped.meta.index);
}

// ---------------------------------------------------------------- all of it

void SnapshotWorker::pump() {
  const AtWork at_work(*this);
  for (auto it = sending_.begin(); it != sending_.end();) {
    pump_sender(it->first, it->second);
    const SnapshotSender& talk = *it->second.sender;
    if (!talk.over()) {
      ++it;
      continue;
    }
    const bool ok = talk.state() == SnapshotSender::State::kDone;
    log_notice("snapshot for node " + number(it->first) + ": " +
               (ok ? "the node is at entry " + number(talk.installed()) + ", " +
                         mib(talk.progress().bytes_sent) + " were sent (" + talk.progress().mode +
                         ")"
                   : "given up: " + talk.failure()));
    report_.sent += ok ? 1 : 0;
    report_.sent_deltas += ok && std::string_view(talk.progress().mode) == "delta" ? 1 : 0;
    report_.bytes_sent += talk.progress().bytes_sent;
    send(options_.replica, SnapshotEnded{it->first, talk.installed(), ok, options_.group});
    if (!ok) {
      call_off(it->first, it->second);
    }
    if (talk.source_damaged()) {
      report_.damage = talk.failure();
      checkpoint_.reset();
    }
    it = sending_.erase(it);
  }
  pump_receiver();
  report();
}

void SnapshotWorker::timer() {
  const int64_t now_ms = options_.now_ms();
  for (auto& [follower, sending] : sending_) {
    sending.sender->tick(now_ms);
  }
  receiver_.tick(now_ms);
  if (checkpoint_ && sending_.empty() &&
      now_ms - checkpoint_->used_ms >= options_.keep_checkpoint_ms) {
    checkpoint_.reset();
  }
  const SnapshotReceiver::Report receiving = receiver_.report();
  if (receiving.receiving && now_ms - receiving_said_ms_ >= kProgressSaidMs) {
    receiving_said_ms_ = now_ms;
    const SnapshotReceiver::Progress& progress = receiving.progress;
    log_notice("receiving a snapshot of entry " + number(receiving.index) + " from node " +
               number(receiving.from) + " (" + progress.mode +
               "): " + mib(progress.bytes_received) +
               (progress.bytes_total > 0 ? " of " + mib(progress.bytes_total) : std::string()));
  }
  pump();
}

SnapshotWorkerHandle spawn_snapshot_worker(caf::actor_system& system,
                                           const Hosting& hosting,
                                           SnapshotWorkerOptions options) {
  return spawn_hosted<SnapshotWorker>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
