// When the log is cut, behind what, and who is told; and the worker that makes snapshots.
#include "actors/node/log_cutter.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "actors/node/snapshot_keeper.hpp"

namespace kiwi::actors {
namespace {

LogNow log_of(uint64_t last) {
  LogNow log;
  log.limits = {100, 10, 1 << 20, 1 << 16};
  log.size = {LogIndex{1}, LogIndex{last}, LogIndex{0}, LogIndex{last}, 1000, 1 << 10};
  return log;
}

}  // namespace

TEST_CASE("the state is flushed first, then the log is cut behind what is on disk") {
  LogCutter cutter;
  cutter.tick(log_of(99), 0);
  CHECK(cutter.take_effects().flushes.empty());
  cutter.tick(log_of(100), 1000);
  LogCutterEffects effects = cutter.take_effects();
  REQUIRE(effects.flushes.size() == 1);
  CHECK(effects.flushes[0].write);
  CHECK(effects.cuts.empty());
  CHECK(cutter.running());
  cutter.tick(log_of(200), 2000);
  CHECK(cutter.take_effects().flushes.empty());  // one is under way

  cutter.flushed(effects.flushes[0].id, LogIndex{90}, Term{3}, log_of(200), 4000);
  effects = cutter.take_effects();
  REQUIRE(effects.cuts.size() == 1);
  CHECK(effects.cuts[0].flushed == LogIndex{90});  // not what is applied by now (F13)
  CHECK(effects.cuts[0].term == Term{3});
  CHECK(effects.cuts[0].keep_entries == 10);
  CHECK(effects.cuts[0].keep_for_laggards_entries == 64);
  CHECK_FALSE(cutter.running());
  CHECK(cutter.cuts() == 1);
  CHECK(cutter.last_seconds() == 3);
}

TEST_CASE("a state that was flushed for being full is asked how far it is, and cut behind") {
  LogCutter cutter;
  cutter.state_is_at(LogIndex{200}, log_of(900));
  CHECK(cutter.take_effects().flushes.empty());  // not worth it
  CHECK_FALSE(cutter.is_news(LogIndex{200}));
  cutter.state_is_at(LogIndex{300}, log_of(900));
  const LogCutterEffects effects = cutter.take_effects();
  REQUIRE(effects.flushes.size() == 1);
  CHECK_FALSE(effects.flushes[0].write);
  CHECK_FALSE(cutter.running());
  cutter.flushed(effects.flushes[0].id, LogIndex{300}, Term{3}, log_of(900), 5);
  CHECK(cutter.take_effects().cuts.size() == 1);
  CHECK(cutter.last_seconds() == -1);
}

TEST_CASE("operators wait for one cut together; DEBUG COMPACT keeps nothing") {
  LogCutter cutter;
  const uint64_t first = cutter.cut_now(LogCutter::Cut::kAll, 0);
  const uint64_t second = cutter.cut_now(LogCutter::Cut::kAll, 1);
  const uint64_t saved = cutter.cut_now(LogCutter::Cut::kUsual, 2);
  LogCutterEffects effects = cutter.take_effects();
  REQUIRE(effects.flushes.size() == 2);
  CHECK(effects.answered.empty());
  cutter.flushed(effects.flushes[0].id, LogIndex{50}, Term{1}, log_of(50), 9);
  LogCutterEffects all = cutter.take_effects();
  REQUIRE(all.cuts.size() == 1);
  CHECK(all.cuts[0].keep_entries == 0);
  CHECK(all.cuts[0].keep_for_laggards_entries == 0);
  CHECK(all.answered == std::vector{first, second});
  cutter.flushed(effects.flushes[1].id, LogIndex{0}, Term{}, log_of(50), 9);
  LogCutterEffects usual = cutter.take_effects();
  CHECK(usual.cuts.empty());  // nothing is on disk
  CHECK(usual.answered == std::vector{saved});
}

TEST_CASE("a snapshot worker that died comes again a second later; its backups failed") {
  SnapshotKeeper keeper;
  using Due = SnapshotKeeper::Due;
  CHECK(keeper.tick(true, 0) == Due::kNothing);
  CHECK(keeper.back_up("/b").end == BackupEnd::kNoCluster);
  keeper.core_runs();
  CHECK(keeper.tick(false, 0) == Due::kStart);
  CHECK(keeper.started() == 1);
  CHECK(keeper.tick(true, 100) == Due::kWake);
  int woken = 0;
  for (int round = 0; round < 100; ++round) {
    woken += keeper.tick(false, 100) == Due::kWake ? 1 : 0;
  }
  CHECK(woken == 10);

  const BackupAnswer made = keeper.back_up("/made");
  CHECK(made.end == BackupEnd::kMade);
  CHECK(keeper.backup_ended(made.id, "").value().directory == "/made");
  const BackupAnswer failed = keeper.back_up("/failed");
  CHECK(sentence(keeper.backup_ended(failed.id, "no room").value()) ==
        "ERR backup failed: no room");
  const BackupAnswer lost = keeper.back_up("/lost");
  const std::vector<BackupAnswer> answers = keeper.died(1000);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].id == lost.id);
  CHECK(answers[0].end == BackupEnd::kWorkerDied);
  CHECK_FALSE(keeper.backup_ended(lost.id, "").has_value());  // told once
  CHECK(keeper.back_up("/b").end == BackupEnd::kNoWorker);
  CHECK(keeper.tick(true, 1900) == Due::kNothing);
  CHECK(keeper.tick(true, 2000) == Due::kStart);
  CHECK(keeper.started() == 2);
  CHECK(keeper.restarts() == 1);
}

}  // namespace kiwi::actors
