#include "rocks/wal_scan.hpp"

#include <dlfcn.h>

#include <doctest/doctest.h>

#include "base/prng.hpp"
#include "rocks/crc32c.hpp"

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
  CHECK(scan_wal("").verdict == WalVerdict::kWhole);
  CHECK(scan_wal(std::string(100000, '\0')).verdict == WalVerdict::kWhole);
  CHECK(scan_wal(std::string(100000, '\0')).offset == 0);  // room never written
  Prng random(3);
  for (int round = 0; round < 200; ++round) {
    std::string garbage(random.below(70000), '\0');
    for (char& c : garbage) {
      c = static_cast<char>(random.next() | 1);
    }
    WalScan scan = scan_wal(garbage);
    if (garbage.size() >= 7) {
      CHECK(scan.verdict != WalVerdict::kWhole);
    }
    CHECK(scan.records == 0);
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
