// What a power loss may leave of the write that was under way, and what a disk may do to the
// writes before it (F59, F16). Each log here is real; losses are made in copies of its newest
// write-ahead log file.
#include <algorithm>
#include <array>
#include <map>

#include <doctest/doctest.h>

#include "tests/rocks/last_write.hpp"

namespace kiwi::rocks::test {

namespace {

const std::string kEmptyRecord("\x05\x2b\x28\x43\x00\x00\x01", 7);  // FULL, of length 0

// Values that are hard on recovery: any bytes, zeros, bits in zeros, what looks like records, this
// log's own file, another log's that is further.
std::string hard_value(Prng& random, const LastWrite& log, const std::string& other) {
  const size_t most = std::array<size_t, 4>{200, 3000, 20'000, 200'000}[random.below(4)];
  std::string value = random_bytes(random, random.below(most));
  switch (random.below(7)) {
    case 0:
      zero(value, 0, value.size());
      break;
    case 5:
      value = room(value.size());
      break;
    case 1:
      for (char& byte : value) {
        byte = random.chance(1, 400) ? '\x10' : '\0';
      }
      break;
    case 2:
      for (size_t at = 0; at + 600 < value.size(); at += random.below(4000)) {
        zero(value, at, at + random.below(600));
        value.replace(at, kEmptyRecord.size(), kEmptyRecord);
      }
      break;
    case 3:
      value += log.wal().substr(0, 100'000);
      break;
    case 4:
      value += other;
      break;
    default:
      break;
  }
  return value;
}

raft::PersistRequest hard_write(Prng& random, const LastWrite& log, const std::string& other) {
  raft::PersistRequest request;
  uint64_t index = log.last();
  for (uint64_t n = 1 + random.below(3); n > 0; --n) {
    request.entries.push_back(make_entry(++index, 1, hard_value(random, log, other)));
  }
  if (random.chance(1, 3)) {
    request.hard_state = raft::HardState{Term{index}, NodeId{2}};
  }
  request.commit = LogIndex{log.last()};
  return request;
}

std::string another_log() {
  LastWrite other;
  for (int i = 0; i < 60; ++i) {
    other.append_one(std::string(100 + i, 'o'));
  }
  return other.wal();
}

// The last write as a power loss may leave it: in sectors or pages, any of them, the file longer
// or shorter, the process killed in the middle of it.
std::string random_loss(Prng& random, const LastWrite& log) {
  const uint64_t percent = std::array<uint64_t, 5>{2, 20, 50, 80, 98}[random.below(5)];
  const size_t unit = random.chance(1, 2) ? kSector : kPage;
  const size_t first = log.begin() / kSector * kSector;
  std::map<size_t, bool> fates;
  std::string bytes = log.losing([&](size_t sector) {
    const size_t piece = (first + sector * kSector) / unit;
    return fates.try_emplace(piece, random.below(100) < percent).first->second;
  });
  if (random.chance(1, 4)) {
    log.make_old(bytes, log.begin() + random.below(bytes.size() - log.begin()), bytes.size());
  }
  return random.chance(1, 2) ? without_room(bytes) : log.with_room(bytes);
}

// Of 64 changes one goes the whole way through RocksDB; it takes a hundred times as long.
bool sampled(uint64_t turn) { return turn % 64 == 0; }

}  // namespace

TEST_SUITE_BEGIN("rocks");

TEST_CASE("log losses: a record whose first bytes end a page loses that page [F59]") {
  for (size_t left : {1, 3, 6, 7, 30, 63}) {
    INFO("bytes of the record in its first page: ", left);
    LastWrite log;
    fill_to(log, kPage * 2 - left);
    log.append_one(std::string(300, 'v'));
    log.must_hold(log.losing([](size_t sector) { return sector == 0; }));
    log.must_hold(log.after());
  }
}

TEST_CASE("log losses: a disk that tears inside a page, at any sector [F59]") {
  LastWrite log;
  fill_to(log, 5000);
  log.append_one(std::string(1500, 'v'));
  for (size_t lost = 0; lost < 4; ++lost) {
    INFO("sector ", lost);
    log.must_hold(log.losing([&](size_t sector) { return sector == lost; }));
    log.must_hold(log.losing([&](size_t sector) { return sector != lost; }));
  }
}

TEST_CASE("log losses: bytes that look like a record, in a value that was being written [F59]") {
  const std::string other = another_log();
  LastWrite log;
  for (int i = 0; i < 5; ++i) {
    log.append_one(std::string(300, 'e'));
  }
  const std::map<std::string, std::string> values = {
      {"an empty record", kEmptyRecord},
      {"a file of another log, further than this one", other},
      {"this file as it is", log.wal()},
  };
  for (const auto& [what, value] : values) {
    INFO(what);
    log.append_one(std::string(3000, 'a') + value + std::string(9000, 'z'));
    for (size_t kept : {8, 16, 20}) {
      log.must_hold(log.losing([&](size_t sector) { return sector >= kept; }));
      log.must_hold(log.losing([&](size_t sector) { return sector == kept; }));
      log.must_hold(log.after().substr(0, log.begin() + kept * kSector + 77));
    }
  }
}

TEST_CASE("log losses: random losses of the last write are never damage [F59]") {
  const std::string other = another_log();
  const uint64_t turns = 64;
  for (uint64_t seed = 1; seed <= rounds(16); ++seed) {
    Prng random(seed);
    LastWrite log;
    for (uint64_t n = 1 + random.below(5); n > 0; --n) {
      log.write(hard_write(random, log, other));
    }
    for (uint64_t turn = 0; turn < turns; ++turn) {
      const std::string bytes = random_loss(random, log);
      INFO("seed ", seed, " turn ", turn);
      const WalScan scan = log.scan(bytes);
      REQUIRE(scan.verdict != WalVerdict::kDamaged);
      REQUIRE((scan.offset == log.begin() || scan.offset == log.after().size() ||
               scan.offset == (log.begin() + kWalBlock - 1) / kWalBlock * kWalBlock));
      if (sampled(turn)) {
        log.must_hold(bytes);
      }
    }
  }
}

TEST_CASE("log losses: a flipped bit in what was synced is always found [F16] [F59]") {
  const std::string other = another_log();
  for (uint64_t seed = 1; seed <= rounds(16); ++seed) {
    Prng random(seed);
    LastWrite log;
    for (uint64_t n = 1 + random.below(5); n > 0; --n) {
      log.write(hard_write(random, log, other));
    }
    REQUIRE(log.scan(log.after()).verdict == WalVerdict::kWhole);
    for (uint64_t turn = 0; turn < 64; ++turn) {
      // Half of them in the last record, of which no later note speaks; some near its note.
      std::string bytes = log.after();
      const size_t from = random.chance(1, 2) ? log.begin() : 0;
      const size_t reach =
          random.chance(1, 3) ? std::min<size_t>(120, bytes.size() - from) : bytes.size() - from;
      const size_t at = bytes.size() - 1 - random.below(reach);
      const uint64_t bit = random.below(8);
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      bytes = random.chance(1, 2) ? log.with_room(bytes) : bytes;
      INFO("seed ", seed, " turn ", turn, " byte ", at, " bit ", bit);
      REQUIRE(log.scan(bytes).verdict == WalVerdict::kDamaged);
      if (sampled(turn)) {
        log.must_refuse(bytes);
      }
    }
  }
}

TEST_CASE(
    "log losses: sectors and pages that turn into zeros are found, the last ones too [F16] "
    "[F59]") {
  const std::string other = another_log();
  for (uint64_t seed = 1; seed <= rounds(8); ++seed) {
    Prng random(seed);
    LastWrite log;
    log.append_one("first");
    log.wait_for_room();
    for (uint64_t n = 2 + random.below(5); n > 0; --n) {
      log.write(hard_write(random, log, other));
    }
    const size_t filled = std::max(log.filled(), log.begin());
    REQUIRE(filled > (1 << 20));
    for (uint64_t turn = 0; turn < 64; ++turn) {
      const std::string whole = log.with_room(log.after());
      std::string bytes = whole;
      const size_t unit = random.chance(1, 2) ? kSector : kPage;
      const size_t least = random.chance(1, 2) ? log.begin() : 0;
      const size_t piece =
          (least + random.below(std::min(filled, log.after().size()) - least)) / unit * unit;
      zero(bytes, piece, std::min(piece + unit, filled));
      if (bytes == whole) {
        continue;
      }
      INFO("seed ", seed, " turn ", turn, " byte ", piece, " unit ", unit);
      REQUIRE(log.scan(bytes).verdict == WalVerdict::kDamaged);
      if (sampled(turn)) {
        log.must_refuse(bytes);
      }
    }
  }
}

TEST_CASE(
    "log losses: with log-fsync no, losses of all that was not synced are no damage "
    "[F16] [F59]") {
  for (uint64_t seed = 1; seed <= rounds(8); ++seed) {
    Prng random(seed);
    TempDirectory directory;
    const std::string path = directory.path("log");
    auto log = must_open(path, false);
    raft::PersistRequest vote = append(make_entries(1, 3, 1));
    vote.hard_state = raft::HardState{Term{1}, NodeId{2}};
    REQUIRE(log->persist(vote).has_value());
    const std::string name = newest_wal(path);
    const size_t synced = read_file(path + "/" + name).size();
    for (uint64_t index = 4; index <= 20; ++index) {
      REQUIRE(log->persist(append({make_entry(index, 1, random_bytes(random, random.below(3000)))}))
                  .has_value());
    }
    copy_directory(path, directory.path("lost"));
    std::string bytes = read_file(path + "/" + name);
    for (size_t at = synced; at < bytes.size(); at = (at / kSector + 1) * kSector) {
      if (random.chance(1, 4)) {
        zero(bytes, at, (at / kSector + 1) * kSector);
      }
    }
    write_file(directory.path("lost") + "/" + name, bytes);
    INFO("seed ", seed);
    {
      auto lost = must_open(directory.path("lost"), false);
      const raft::LoadedLog about = loaded(*lost);
      CHECK(about.hard_state == *vote.hard_state);
      CHECK(about.last_index >= LogIndex{3});
      CHECK(all_entries(*lost).size() == about.last_index.value);
    }
    // And what was synced is still watched.
    bytes[synced / 2] = static_cast<char>(bytes[synced / 2] ^ 1);
    copy_directory(path, directory.path("rotten"));
    write_file(directory.path("rotten") + "/" + name, bytes);
    CHECK(!open_rocks_log({.path = directory.path("rotten"), .fsync = false}).has_value());
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
