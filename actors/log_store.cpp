#include "actors/log_store.hpp"

#include <chrono>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace kiwi::actors {

LogStore::LogStore(caf::actor_config& cfg, const Hosting& hosting, LogStoreOptions options)
    : Hosted(cfg, hosting, "LogStore", Vital::kYes), options_(std::move(options)) {
  CHECK_INVARIANT(options_.storage != nullptr && options_.metrics != nullptr);
}

LogStore::behavior_type LogStore::make_behavior() {
  return {
      [this](raft::PersistRequest& request) {
        waiting_.push_back(std::move(request));
        if (!bouncing_) {
          bouncing_ = true;
          if (options_.bounce) {
            options_.bounce(this);
          } else {
            send(this, work_atom_v);
          }
        }
      },
      [this](const raft::LogRead& request) {
        if (bouncing_) {  // it may ask for what is about to be written
          persist_all();
        }
        read(request);
      },
      [this](ReplicaStarted& started) { replica_ = std::move(started.replica); },
      [this](work_atom) {
        bouncing_ = false;
        persist_all();
      },
      [this](stop_atom) {
        persist_all();
        end();
      },
  };
}

// One write a request: the port says that a request is one atomic turn, and its token attests the
// log as it was then.
void LogStore::persist_all() {
  while (!waiting_.empty()) {
    raft::PersistRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    const auto begin = std::chrono::steady_clock::now();
    Result<void> written = options_.storage->persist(request);
    if (!written) {
      waiting_.clear();
      hosting().fail_stop("writing the Raft log failed: " + written.error().text);
      return;
    }
    const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - begin);
    const auto microseconds = static_cast<uint64_t>(spent.count());
    options_.metrics->fsync_count.add();
    options_.metrics->fsync_total_microseconds.add(microseconds);
    options_.metrics->fsync_max_microseconds.raise_to(microseconds);
    send(replica_, LogPersisted{request.token});
  }
}

void LogStore::read(const raft::LogRead& request) {
  Result<std::vector<raft::Entry>> entries =
      options_.storage->read(request.from, request.last, request.bytes_max);
  if (!entries) {
    hosting().fail_stop("reading the Raft log failed: " + entries.error().text);
    return;
  }
  LogReadDone answer{request, std::move(*entries), Term{0}};
  if (request.from.value > 1) {
    Result<Term> term = options_.storage->term_at(request.from - 1);
    if (term) {  // below the first index there is none: the core knows what it cut
      answer.prev_term = *term;
    }
  }
  send(replica_, std::move(answer));
}

LogStoreHandle spawn_log_store(caf::actor_system& system,
                               const Hosting& hosting,
                               LogStoreOptions options) {
  return spawn_hosted<LogStore>(system, hosting, std::move(options));
}

}  // namespace kiwi::actors
