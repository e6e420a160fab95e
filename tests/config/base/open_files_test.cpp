#include "config/base/open_files.hpp"

#include <doctest/doctest.h>

namespace kiwi {

TEST_SUITE_BEGIN("base");

TEST_CASE("open files: whatever the limit is, tables and clients fit into it together [F47]") {
  for (const uint64_t limit : {256, 300, 1024, 4096, 10'512, 20'000, 65'536, 262'143}) {
    CAPTURE(limit);
    const OpenFiles shares = share_open_files(limit);
    CHECK(shares.state >= 20);
    CHECK(shares.log >= 20);
    CHECK(shares.snapshot >= 20);
    CHECK(shares.clients > 0);
    const auto files =
        static_cast<uint64_t>(shares.state + shares.log + 2 * shares.snapshot + shares.removed);
    CHECK(files + shares.clients < limit);
  }
}

TEST_CASE("open files: with plenty of them no table is ever closed") {
  const OpenFiles shares = share_open_files(524'288);
  CHECK(shares.state == OpenFiles::kUnlimited);
  CHECK(shares.clients == 262'144);
  CHECK(share_open_files(20'000).clients >= 10'000);  // the default of maxclients
}

TEST_SUITE_END();

}  // namespace kiwi
