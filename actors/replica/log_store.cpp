#include "actors/replica/log_store.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

LogStore::LogStore(caf::actor_config& cfg, const Hosting& hosting, LogStoreOptions options)
    : Hosted(cfg, hosting, "LogStore", Vital::kYes), options_(std::move(options)) {
  CHECK_INVARIANT(options_.storage != nullptr && options_.metrics != nullptr);
}

void LogStore::stopped() {
  replica_ = nullptr;
  snapshots_ = nullptr;
}

LogStore::behavior_type LogStore::make_behavior() {
  return {
      [this](raft::PersistRequest& request) { queue(LogWrite(std::move(request))); },
      [this](const raft::LogRead& request) { queue(request); },
      [this](raft::CutRequest& request) { queue(std::move(request)); },
      [this](InstallSnapshot& order) { queue(std::move(order)); },
      [this](SnapshotWorkerStarted& started) { snapshots_ = std::move(started.worker); },
      [this](const LogWritten& result) {
        CHECK_INVARIANT(writing_);
        writing_ = false;
        written(result);
        work_all();
      },
      [this](ReplicaStarted& started) {
        replica_ = std::move(started.replica);
        group_ = started.group;
      },
      [this](timer_atom) {
        if (waits_for_room_) {
          work_all();
        }
      },
      [this](stop_atom) {
        work_all();
        end();
      },
  };
}

namespace {

LogWritten do_write(raft::LogStorage& storage, const LogWrite& write) {
  const auto begin = std::chrono::steady_clock::now();
  const Result<void> result = storage.persist(write.request());
  const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  return {write.tokens(), static_cast<uint64_t>(spent.count()),
          result ? std::string() : result.error().text + " (writing the Raft log)"};
}

}  // namespace

namespace {

// All that this loop does with the storage is inside one of these.
class OnDisk {
 public:
  explicit OnDisk(std::atomic<bool>* told) : told_(told) { tell(true); }
  ~OnDisk() { tell(false); }
  OnDisk(const OnDisk&) = delete;
  OnDisk& operator=(const OnDisk&) = delete;

 private:
  void tell(bool on_disk) {
    if (told_ != nullptr) {
      told_->store(on_disk, std::memory_order_relaxed);
    }
  }
  std::atomic<bool>* told_;
};

}  // namespace

void LogStore::queue(Job job) {
  waiting_.push_back(std::move(job));
  work_all();
}

// Writes that waited for the one before are one write (log_write.hpp). What stands between them
// keeps its place, reads too: the core asked for what the log held then, which a later write may
// truncate and a later cut may drop, and an answer that came after the vote for another term of
// this leader would be taken for one to a new question.
void LogStore::work_all() {
  const OnDisk on_disk(options_.on_disk);
  while (!writing_ && !waiting_.empty()) {
    waits_for_room_ = !has_room(waiting_.front());
    if (waits_for_room_) {
      if (!std::exchange(said_that_it_waits_, true)) {
        log_warning("the disk has no room for what comes into the Raft log: that waits");
      }
      cut_ahead();
      break;
    }
    if (std::holds_alternative<LogWrite>(waiting_.front())) {
      persist(take_writes(waiting_, joined_bytes_max()));
      continue;
    }
    const Job job = std::move(waiting_.front());
    waiting_.pop_front();
    if (const auto* reading = std::get_if<raft::LogRead>(&job)) {
      read(*reading);
    } else if (const auto* cutting = std::get_if<raft::CutRequest>(&job)) {
      cut(*cutting);
    } else {
      install(std::get<InstallSnapshot>(job));
    }
  }
  said_that_it_waits_ = said_that_it_waits_ && !waiting_.empty();
}

// A cut may make the room that the write before it waits for, and drops nothing of what waits: it
// ends at what is applied, and that is durable. A read that is behind it now is told so.
void LogStore::cut_ahead() {
  for (auto job = waiting_.begin(); job != waiting_.end();) {
    if (std::holds_alternative<InstallSnapshot>(*job)) {
      return;  // another log
    }
    const auto* cutting = std::get_if<raft::CutRequest>(&*job);
    if (cutting == nullptr) {
      ++job;
      continue;
    }
    cut(*cutting);
    job = waiting_.erase(job);
  }
}

bool LogStore::has_room(const Job& job) const {
  const auto* write = std::get_if<LogWrite>(&job);
  return options_.room == nullptr || write == nullptr || write->request().entries.empty() ||
         options_.room->load(std::memory_order_relaxed) >=
             static_cast<int64_t>(write->payload_bytes());
}

// Short writes do not become a long one together, and none joins that would have to wait for room.
size_t LogStore::joined_bytes_max() const {
  if (options_.room == nullptr) {
    return options_.long_write_bytes;
  }
  const int64_t room = std::max<int64_t>(0, options_.room->load(std::memory_order_relaxed));
  return std::min(options_.long_write_bytes, static_cast<size_t>(room));
}

void LogStore::persist(LogWrite write) {
  if (options_.room != nullptr) {
    options_.room->fetch_sub(static_cast<int64_t>(write.payload_bytes()),
                             std::memory_order_relaxed);
  }
  if (options_.elsewhere && write.payload_bytes() >= options_.long_write_bytes) {
    persist_elsewhere(std::move(write));
  } else {
    written(do_write(*options_.storage, write));
  }
}

void LogStore::cut(const raft::CutRequest& request) {
  CHECK_INVARIANT(request.keep_from <= request.meta.index + 1);
  if (Result<void> kept = options_.storage->cut(request.meta, request.keep_from); !kept) {
    hosting().fail_stop("cutting the Raft log failed: " + kept.error().text);
    return;
  }
  first_index_ = std::max(first_index_, request.keep_from);
}

void LogStore::install(const InstallSnapshot& order) {
  CHECK_INVARIANT(order.meta.index && !order.live_state.empty());
  if (Result<void> kept = options_.storage->install(order.meta, order.live_state); !kept) {
    hosting().fail_stop("recording the snapshot in the Raft log failed: " + kept.error().text);
    return;
  }
  first_index_ = order.meta.index + 1;
  send(snapshots_, SnapshotStored{});
}

void LogStore::persist_elsewhere(LogWrite write) {
  CHECK_INVARIANT(!writing_);
  writing_ = true;
  options_.elsewhere(
      [self = LogStoreHandle(this), storage = options_.storage, write = std::move(write)] {
        caf::anon_send(self, do_write(*storage, write));
      });
}

void LogStore::written(const LogWritten& result) {
  if (!result.error.empty()) {
    waiting_.clear();
    hosting().fail_stop(result.error);
    return;
  }
  options_.metrics->fsync_count.add();
  options_.metrics->fsync_total_microseconds.add(result.microseconds);
  options_.metrics->fsync_max_microseconds.raise_to(result.microseconds);
  options_.metrics->log_sync.add(result.microseconds);
  if (options_.slowest_us != nullptr) {
    uint64_t before = options_.slowest_us->load(std::memory_order_relaxed);
    while (result.microseconds > before &&
           !options_.slowest_us->compare_exchange_weak(before, result.microseconds,
                                                       std::memory_order_relaxed)) {
    }
  }
  for (const raft::PersistToken& token : result.tokens) {
    send(replica_, LogPersisted{token, group_});
  }
}

void LogStore::read(const raft::LogRead& request) {
  CHECK_INVARIANT(request.from <= request.last);
  if (request.from < first_index_) {
    send(replica_,
         LogReadDone{request, {}, Term{0}, group_});  // cut meanwhile: the core knows better ways
    return;
  }
  Result<std::vector<raft::Entry>> entries =
      options_.storage->read(request.from, request.last, request.bytes_max);
  if (!entries) {
    hosting().fail_stop("reading the Raft log failed: " + entries.error().text);
    return;
  }
  CHECK_INVARIANT(!entries->empty() && entries->front().index == request.from);
  CHECK_INVARIANT(entries->back().index <= request.last);
  LogReadDone answer{request, std::move(*entries), Term{0}};
  if (request.from > first_index_ && request.from.value > 1) {
    Result<Term> term = options_.storage->term_at(request.from - 1);
    if (term) {  // below the first index there is none: the core knows what it cut
      answer.prev_term = *term;
    }
  }
  answer.group = group_;
  send(replica_, std::move(answer));
}

LogStoreHandle spawn_log_store(caf::actor_system& system,
                               const Hosting& hosting,
                               LogStoreOptions options) {
  return spawn_hosted<LogStore>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
