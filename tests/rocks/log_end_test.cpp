// The end of a log's newest file: what rots there, what a cut leaves there, and what is said of a
// record that a sync met half written (F59, F16).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <string_view>
#include <thread>

#include <doctest/doctest.h>

#include "tests/rocks/last_write.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

TEST_CASE("log end: a last record whose end rots is damage, whatever is there then [F16] [F59]") {
  for (uint64_t seed = 1; seed <= rounds(6); ++seed) {
    Prng random(seed);
    LastWrite log;
    log.append_one("first");
    log.wait_for_room();
    for (const size_t size : {700, 1500, 1500, 9000, 40'000, 70'000, 200'000}) {
      log.append_one(random_bytes(random, size + random.below(600)));
      const std::string whole = log.with_room(log.after());
      const size_t end = log.after().size();
      REQUIRE(whole.size() > end + kPage);
      for (uint64_t turn = 0; turn < 32; ++turn) {
        const bool sector = turn % 2 == 0;
        const size_t from = sector ? (end - 1) / kSector * kSector : end - 32;
        const size_t to = sector ? from + kSector : end + 32;
        std::string bytes = whole;
        bytes.replace(from, to - from, random_bytes(random, to - from));
        INFO("seed ", seed, " size ", size, " turn ", turn);
        REQUIRE(log.scan(bytes).verdict == WalVerdict::kDamaged);
        if (turn < 2) {
          log.must_refuse(bytes);
        }
      }
    }
  }
}

// ftruncate() writes zeros up to the end of the page before the new length is on disk.
TEST_CASE("log end: a power loss while the file is cut leaves zeros that are no damage [F59]") {
  for (uint64_t seed = 1; seed <= rounds(6); ++seed) {
    Prng random(seed);
    LastWrite log;
    log.append_one("first");
    log.wait_for_room();
    for (int turn = 0; turn < 8; ++turn) {
      log.append_one(random_bytes(random, random.below(12'000)));
      const auto cut_at = [&](std::string bytes, size_t end) {
        zero(bytes, end, (end / kPage + 1) * kPage);
        return bytes;
      };
      const std::string torn = log.losing([](size_t sector) { return sector == 1; });
      INFO("seed ", seed, " turn ", turn);
      // One that begins with a sector cannot be told from one that turned into zeros.
      if (log.after().size() % kSector != 0) {
        log.must_hold(cut_at(log.with_room(log.after()), log.after().size()));
      }
      if (log.begin() % kSector != 0) {
        log.must_hold(cut_at(log.with_room(torn), log.begin()));
      }
      // And zeros elsewhere are damage as ever.
      if (log.after().size() - log.begin() > 2 * kPage) {
        std::string bytes = cut_at(log.with_room(torn), log.begin());
        const size_t next = (log.begin() / kPage + 1) * kPage;
        zero(bytes, next, next + kSector);
        log.must_refuse(bytes);
      }
    }
  }
}

TEST_CASE(
    "log end: with log-fsync no, a sync in the middle of a write says nothing of its record "
    "[F59]") {
  TempDirectory directory;
  const std::string path = directory.path("log");
  auto log = must_open(path, false);
  std::atomic<bool> over{false};
  std::thread syncs([&] {
    for (uint64_t turn = 0; !over; ++turn) {
      CHECK(log->sync().has_value());
      std::this_thread::sleep_for(std::chrono::milliseconds(turn * 7 % 23));
    }
  });
  Prng random(1);
  const std::string value = random_bytes(random, 2 << 20);
  for (uint64_t index = 1; index <= 40; ++index) {
    REQUIRE(log->persist(append({make_entry(index, 1, value)})).has_value());
  }
  over = true;
  syncs.join();
  const std::string name = newest_wal(path);
  const std::string bytes = read_file(path + "/" + name);
  std::set<uint64_t> ends{0};
  for (size_t at = 0; at + kWalHeader <= bytes.size();) {
    const std::string_view rest = std::string_view(bytes).substr(at, kWalBlock - at % kWalBlock);
    if (rest.size() < kWalHeader) {
      at += rest.size();
      continue;
    }
    const uint8_t type = intact_wal_record(rest);
    REQUIRE(type != 0);
    at += kWalHeader + wal_length(rest);
    if (type == kWalFull || type == kWalLast) {
      ends.insert(at);
    }
  }
  find_wal_notes(bytes, mark_in(path),
                 [&](const WalNote& note) { CHECK(ends.contains(note.synced.end.offset)); });
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
