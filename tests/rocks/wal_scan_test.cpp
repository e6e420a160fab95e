#include <algorithm>
#include <dlfcn.h>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "rocks/crc32c.hpp"
#include "tests/rocks/wal_support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

TEST_CASE("crc32c: it has its published check values") {
  CHECK(crc32c("123456789") == 0xe3069283);            // CRC catalogue, CRC-32/ISCSI
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(crc32c("") == 0);
  std::string bytes = "some bytes of no particular length";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    CHECK(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))) == crc32c(bytes));
  }
}

TEST_CASE("crc32c: RocksDB's library takes the program's own") {
  auto* in_use = dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
  REQUIRE(in_use != nullptr);
  Dl_info found{};
  REQUIRE(dladdr(in_use, &found) != 0);
  CHECK(std::string(found.dli_fname).find("librocksdb") == std::string::npos);
  using Extend = uint32_t (*)(uint32_t, const char*, size_t);
  CHECK(reinterpret_cast<Extend>(in_use)(0, "123456789", 9) == 0xe3069283);
}

TEST_CASE("wal scan: nothing at all is whole; garbage is not, and does not crash it") {
  const WalMark mark{'m', 'a', 'r', 'k', '5', '6', '7', '8'};
  const std::string zeros(100000, '\0');
  CHECK(scan_bytes("", 3, mark).verdict == WalVerdict::kWhole);
  CHECK(scan_bytes(zeros, 3, mark).verdict == WalVerdict::kWhole);
  CHECK(scan_bytes(zeros, 3, mark).offset == 0);  // room never written
  Prng random(3);
  for (int round = 0; round < 200; ++round) {
    std::string garbage(random.below(70000), '\0');
    for (char& c : garbage) {
      c = static_cast<char>(random.next() | 1);
    }
    WalScan scan = scan_bytes(garbage, 3, mark);
    if (garbage.size() >= 7) {
      CHECK(scan.verdict != WalVerdict::kWhole);
    }
    CHECK(scan.records == 0);
  }
}

namespace {

// A record of one block or more, cut into pieces as RocksDB does it, behind what is in `wal`.
void append_record(std::string& wal, std::string payload, const WalMark& mark, WalPosition synced) {
  WalNote note{{synced, 0}, payload.size()};
  payload.append(kWalNoteRecordBytes - kWalNoteBytes, 'k');
  append_wal_note(payload, note, mark);
  for (bool first = true; first || !payload.empty(); first = false) {
    if (kWalBlock - wal.size() % kWalBlock < kWalHeader) {
      wal.append(kWalBlock - wal.size() % kWalBlock, '\0');
    }
    const size_t room = kWalBlock - wal.size() % kWalBlock - kWalHeader;
    const std::string piece = payload.substr(0, room);
    payload.erase(0, piece.size());
    wal += wal_header(first ? (payload.empty() ? kWalFull : kWalFirst)
                            : (payload.empty() ? kWalLast : kWalMiddle),
                      piece);
    wal += piece;
  }
}

}  // namespace

TEST_CASE("wal scan: a note is found wherever the blocks cut it [F59]") {
  const WalMark mark{'\0', 'a', '\0', 'k', '\0', '6', '7', '\0'};
  for (size_t size = kWalBlock - 100; size < kWalBlock + 40; ++size) {
    std::string wal;
    append_record(wal, std::string(size, 'a'), mark, {});
    const size_t second = wal.size();
    append_record(wal, std::string(300, 'b'), mark, {4, second});
    INFO("size ", size);
    const WalScan whole = scan_bytes(wal, 4, mark);
    REQUIRE(whole.verdict == WalVerdict::kWhole);
    REQUIRE(whole.records == 2);
    REQUIRE(whole.told.at(4).synced == second);
    // The first one, damaged, and its own note is all that is left: nothing of it is missing.
    std::string bytes = wal.substr(0, second);
    bytes[20] = 'x';
    REQUIRE(scan_bytes(bytes, 4, mark).verdict == WalVerdict::kDamaged);
    // And one sector of it lost.
    bytes = wal.substr(0, second);
    std::fill_n(bytes.begin() + 512, 512, '\0');
    REQUIRE(scan_bytes(bytes, 4, mark).verdict == WalVerdict::kTorn);
    REQUIRE(scan_bytes(bytes + wal.substr(second), 4, mark).verdict == WalVerdict::kDamaged);
  }
}

TEST_CASE("wal scan: what a note says counts for its own file and those before it only [F59]") {
  const WalMark mark{'m', 'a', 'r', 'k', '5', '6', '7', '8'};
  std::string wal;
  append_record(wal, std::string(700, 'a'), mark, {});
  const size_t second = wal.size();
  append_record(wal, std::string(3000, 'b'), mark, {7, second});
  wal.resize(wal.size() - 512);
  for (uint64_t file : {6, 7, 8}) {
    INFO("file ", file);
    std::string torn = wal;
    WalPosition position{file, second + 1};
    append_wal_note(torn, {{position, 0}, 0}, mark);
    CHECK((scan_bytes(torn, 7, mark).verdict == WalVerdict::kDamaged) == (file >= 7));
  }
  // With another log's mark it says nothing.
  append_wal_note(wal, {{{9, 0}, 0}, 0}, WalMark{'m', 'a', 'r', 'k', '5', '6', '7', '9'});
  CHECK(scan_bytes(wal, 7, mark).verdict == WalVerdict::kTorn);
}

TEST_CASE("wal scan: bytes behind the end that a record's headers give are damage [F16] [F59]") {
  const WalMark mark{'m', 'a', 'r', 'k', '5', '6', '7', '8'};
  for (const size_t size : {200, 1500, 40'000, 70'000}) {
    INFO("size ", size);
    std::string wal;
    append_record(wal, std::string(300, 'a'), mark, {});
    append_record(wal, std::string(size, 'b'), mark, {});  // no note tells of room
    std::string bytes = wal;
    bytes.replace(bytes.size() - 40, 40, 80, 'x');
    CHECK(scan_bytes(bytes + room(5000), 4, mark).verdict == WalVerdict::kDamaged);
    // Where there never was any, more than one record may have been on its way (raft.log-fsync no).
    CHECK(scan_bytes(bytes, 4, mark).verdict == WalVerdict::kTorn);
    // Its end is missing, as a power loss leaves it.
    bytes = wal.substr(0, wal.size() - 150) + room(5000);
    CHECK(scan_bytes(bytes, 4, mark).verdict == WalVerdict::kTorn);
  }
}

TEST_CASE("wal scan: recovery of crafted bytes takes time in proportion to them [F59]") {
  const WalMark mark{'m', 'a', 'r', 'k', '5', '6', '7', '8'};
  std::string value;
  while (value.size() < (16 << 20)) {
    value += std::string("\x01\x7f", 2);  // everywhere a record of 32,513 bytes might begin
  }
  std::string wal;
  append_record(wal, value, mark, {});
  std::fill_n(wal.begin() + 512, 512, '\0');
  CHECK(scan_bytes(wal, 4, mark).verdict == WalVerdict::kTorn);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
