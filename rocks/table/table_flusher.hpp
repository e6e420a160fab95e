// Brings frozen epochs into RocksDB: one thread that sorts each, writes one SST file per family and
// ingests them all in one step, so that RocksDB always holds the state at exactly one applied index
// (I1, I7). Jobs are done in the order they came (I8); checkpoints and calls of "tell me when" are
// jobs too and see what was frozen before them.
//
// Owned by the table Keyspace, called by the apply thread. Its thread is the only one that writes
// the state's families (I2). What fails ends the process, but for lack of room on the
// disk: then the epoch stays in memory and is written when there is room (F60).
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/base/ids.hpp"
#include "config/base/result.hpp"
#include "rocks/table/state_table.hpp"

namespace kiwi::rocks {

class StateDatabase;

class TableFlusher {
 public:
  // `flushed`: what the database holds already. `before_ingest` as KeyspaceOptions::before_flush.
  enum class Thread { kOwn, kCallers };
  // kCallers: nothing is done until somebody calls do_job(), or waits.
  TableFlusher(StateDatabase& database,
               std::function<void()> before_ingest,
               LogIndex flushed,
               Thread thread = Thread::kOwn);
  // Waits for the job in hand and up to the last run(); epochs behind that are dropped: the log
  // will be replayed.
  ~TableFlusher();
  TableFlusher(const TableFlusher&) = delete;
  TableFlusher& operator=(const TableFlusher&) = delete;

  void flush(std::shared_ptr<const FrozenEpoch> epoch);
  // On the flusher's thread, after all that came before. For kSomebody all of that goes faster.
  enum class Waits { kNobody, kSomebody };
  void run(std::function<void()> call, Waits waits);
  void wait_for(uint32_t epoch);  // until it is in RocksDB
  // On the flusher's thread, after the next epoch; at once if none is on its way. Its end calls
  // too.
  void when_next_is_flushed(std::function<void()> call);
  // No epoch is written any more but the one whose files are being written; calls come at once, and
  // may ask given_up() what they can still do.
  void give_up();
  bool given_up() const { return given_up_.load(std::memory_order_acquire); }
  bool do_job();  // kCallers. False: there was none

  uint32_t flushed_epoch() const { return flushed_epoch_.load(std::memory_order_acquire); }
  LogIndex flushed_index() const {
    return LogIndex{flushed_index_.load(std::memory_order_acquire)};
  }
  struct Counters {
    uint64_t flushes = 0;
    uint64_t work_us = 0;
    uint64_t wait_us = 0;  // for compaction
  };
  Counters counters() const {
    return {flushes_.load(std::memory_order_relaxed), work_us_.load(std::memory_order_relaxed),
            wait_us_.load(std::memory_order_relaxed)};
  }

 private:
  struct Job {
    std::shared_ptr<const FrozenEpoch> epoch;
    std::function<void()> call;
    bool urgent = false;  // counted in urgent_ until it is begun (an epoch) or done (a call)
  };
  struct Item;
  using Sorted = std::vector<Item>;  // records of one family in key order
  struct Files;

  static void sort(Sorted& items, const std::function<void()>& rest);
  static std::array<Sorted, kFamilies> sorted(const FrozenEpoch& epoch,
                                              const std::function<void()>& rest);
  static void check_applied(const Sorted& system, LogIndex applied);
  void work();
  bool carry_out(Job& job);  // false: the flusher ends
  void put_job(Job job);
  bool nothing_to_do() const;
  bool writes_nothing() const { return given_up() || nothing_to_do(); }
  void breathe_unless_urgent() const;
  bool wait_for_compaction();  // false: the flusher ends
  bool wait_for_room(uint64_t bytes);
  bool write_when_possible(const FrozenEpoch& epoch, const std::array<Sorted, kFamilies>& families);
  bool write(const FrozenEpoch& epoch, const std::array<Sorted, kFamilies>& families);
  bool ingest(const FrozenEpoch& epoch);
  std::string file_of(Family family) const;

  StateDatabase& database_;
  const std::function<void()> before_ingest_;
  uint64_t attempts_ = 0;  // to write an epoch
  std::atomic<uint32_t> flushed_epoch_{kCleanEpoch};
  std::atomic<uint64_t> flushed_index_;
  std::atomic<uint64_t> flushes_{0};
  std::atomic<uint64_t> work_us_{0};
  std::atomic<uint64_t> wait_us_{0};
  // Epochs behind the one in hand, and who waits: the flusher takes no rests then.
  std::atomic<uint32_t> urgent_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the one in hand is no longer in here
  size_t calls_ = 0;      // run()s that are not done
  uint32_t queued_epoch_ = kCleanEpoch;
  std::vector<std::function<void()>> waiting_;  // for the next epoch
  bool closing_ = false;
  std::atomic<bool> given_up_{false};  // set with the mutex held
  std::thread thread_;
};

// Files that a flush left behind when the process died. Before a flusher is there. An error must
// not be passed over: such a file may be a second name of one that the state lives in.
Result<void> remove_unfinished_ingests(const std::string& path);

}  // namespace kiwi::rocks
