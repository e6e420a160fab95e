#include "config/base/portable_math.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"

namespace kiwi {
namespace {

struct Row {
  double in;
  double out;
};

// Computed with 2,400 bits, rounded once: ends of the range, arguments far beyond the circle,
// results that lie next to the middle between two doubles, and some that glibc 2.36 rounds to the
// other side.
constexpr Row kSin[] = {
    {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53},
    {0x1.921fb54442d18p+2, -0x1.1a62633145c07p-52},
    {0x1.6ac5b262ca1ffp+849, 0x1p+0},
    {0x1.fffffffffffffp+1023, 0x1.452fc98b34e97p-8},
    {0x1.0f0cf064dd592p+73, -0x1.b453ab76bf397p-1},
    {0x0.0000000000001p-1022, 0x0.0000000000001p-1022},
    {0x1p-1022, 0x1p-1022},
    {0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {0x1p-1, 0x1.eaee8744b05fp-2},
    {-0x1p-1, -0x1.eaee8744b05fp-2},
    {0x1.921fb54442d18p+0, 0x1p+0},
    {-0x1.41ca267eab358p-2, -0x1.3c84fff74c60fp-2},
    {0x1.f44ae0b8cd018p-1, 0x1.a8653db589a6ap-1},
    {-0x1.480c464acf86p+1, -0x1.1809fca9cc918p-1},
    {-0x1.5630e35eaeb82p+0, -0x1.f2086cb30bd08p-1},
    {-0x1.1f78f37511374p-1, -0x1.109ac50a545acp-1},
    {-0x1.46ea48b521fe2p+0, -0x1.ea10381f750fbp-1},
    {0x1.627501ffc7a94p+0, 0x1.f7266eed8c80ep-1},
    {0x1.8b69e5638986ep+1, 0x1.ad419eae6fa5cp-5},
    {-0x1.cae9dc7ccc48p-3, -0x1.c7152c4a89cb1p-3},
    {0x1.a689e61c9c55p-1, 0x1.782ebb3c793a5p-1},
    {0x1.eaa69e4814cp-2, 0x1.d8173d1cf27efp-2},
    {-0x1.a902af8444b9p-3, -0x1.a5f7684b275e7p-3},
    {0x1.5ea5bd43e320cp+1, 0x1.90cce6f4be0dfp-2},
    {-0x1.4f9a9854e0fa4p+1, -0x1.fc870015eb295p-2},
};
constexpr Row kCos[] = {
    {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54},
    {0x1.2d97c7f3321d2p+2, -0x1.a79394c9e8a0ap-53},
    {0x1.6ac5b262ca1ffp+849, -0x1.14ae72e6ba22fp-61},
    {0x1.fffffffffffffp+1023, -0x1.fffe62ecfab75p-1},
    {0x1.0f0cf064dd592p+73, 0x1.0be2cef01c8f4p-1},
    {0x0.0000000000001p-1022, 0x1p+0},
    {0x1.6a09e61e53131p-27, 0x1p+0},
    {0x1p-1, 0x1.c1528065b7d5p-1},
    {-0x1p-1, 0x1.c1528065b7d5p-1},
    {0x1.921fb54442d18p+1, -0x1p+0},
    {-0x1.d574fc53ae89ep+0, -0x1.0a3ce0c2e89a1p-2},
    {0x1.1efb152314c44p+0, 0x1.bd331ba024593p-2},
    {-0x1.71f0f424f353ep+0, 0x1.00c89111c3f46p-3},
    {-0x1.7a9ec3f7f8222p+0, 0x1.7787e36c13c1p-4},
    {-0x1.1d153949bba76p+1, -0x1.38769b795a709p-1},
    {0x1.a7da4d30e3c3p-2, 0x1.d4c3333501234p-1},
    {0x1.8187a957119acp+1, -0x1.fbb41b8096698p-1},
    {-0x1.e10c51695271fp+0, -0x1.36b83e7c87a74p-2},
    {-0x1.37f6fb590a19ep+1, -0x1.86279f49bc3bfp-1},
    {-0x1.c5086e30e00dep+0, -0x1.9497ef425849fp-3},
    {-0x1.5d7ca10b7f07p+0, 0x1.a222a83aaee47p-3},
    {0x1.392061fb46a78p+0, 0x1.5cdcab2d5e8f3p-2},
    {-0x1.b43b00334adf8p-2, 0x1.d23d391bbddc1p-1},
    {-0x1.a1c497cda2118p-1, 0x1.5ecf32e9f994fp-1},
};
constexpr Row kAsin[] = {
    {0x1p+0, 0x1.921fb54442d18p+0},
    {-0x1p+0, -0x1.921fb54442d18p+0},
    {0x1p-1, 0x1.0c152382d7366p-1},
    {0x1.fffffffffffffp-1, 0x1.921fb50442d18p+0},
    {0x0.0000000000001p-1022, 0x0.0000000000001p-1022},
    {0x1.5798ee2308c3ap-27, 0x1.5798ee2308c3ap-27},
    {0x1.6a09e667f3bcdp-1, 0x1.921fb54442d19p-1},
    {0x1.ffffffff2419p-1, 0x1.921ec8003f9d8p+0},
    {-0x1.687686464388p-5, -0x1.689454028d597p-5},
    {-0x1.b48644e074c2p-4, -0x1.b55ae60ebe58cp-4},
    {0x1.06fcb26d9a232p-1, 0x1.14301dfce3bf1p-1},
    {-0x1.df2a4c38fdffp-1, -0x1.35f1ae3437809p+0},
    {0x1.d0305baff654ep-1, 0x1.229c85f1b1d78p+0},
    {-0x1.49203284da858p-3, -0x1.4a8f268e3911dp-3},
    {-0x1.f31d08e7251c4p-1, -0x1.5890eae2a4f38p+0},
    {-0x1.1c64eefce4404p-1, -0x1.2d86053f02192p-1},
    {-0x1.4f78d04c498b4p-2, -0x1.55c85c2e84dc3p-2},
    {-0x1.4c2d19fc7263p-2, -0x1.524be43ff2ba7p-2},
    {-0x1.a794667f248bp-3, -0x1.aaa8c51922d93p-3},
    {0x1.01b4179ae8548p-1, 0x1.0e0d416d34c43p-1},
    {0x1.177511f963ed4p-1, 0x1.279bee2ed1e3fp-1},
    {0x1.d509a386a6e5p-4, 0x1.d6119dcd28b31p-4},
};

void check_rows(std::span<const Row> rows, double (*function)(double)) {
  for (const Row& row : rows) {
    CAPTURE(row.in);
    CHECK(std::bit_cast<uint64_t>(function(row.in)) == std::bit_cast<uint64_t>(row.out));
  }
}

double between(Prng& prng, double low, double high) {
  return low + (high - low) * std::ldexp(static_cast<double>(prng.next() >> 11), -53);
}

bool within_one_step(double a, double b) { return a == b || std::nextafter(a, b) == b; }

TEST_SUITE("base") {
  TEST_CASE("sin, cos and asin are rounded correctly where that is hard") {
    check_rows(kSin, portable::sin);
    check_rows(kCos, portable::cos);
    check_rows(kAsin, portable::asin);
  }

  TEST_CASE("the libm is nowhere further away than one step") {
    Prng prng(1);
    int different = 0;
    for (int i = 0; i < 20'000; ++i) {
      const double angle = between(prng, -7, 7);
      const double sine = between(prng, -1, 1);
      CAPTURE(angle);
      CAPTURE(sine);
      REQUIRE(within_one_step(portable::sin(angle), std::sin(angle)));
      REQUIRE(within_one_step(portable::cos(angle), std::cos(angle)));
      REQUIRE(within_one_step(portable::asin(sine), std::asin(sine)));
      different += portable::sin(angle) != std::sin(angle) ? 1 : 0;
    }
    CHECK(different < 200);
  }

  TEST_CASE("the bits are those of every other build") {
    Prng prng(2);
    uint64_t digest = 0;
    for (int i = 0; i < 20'000; ++i) {
      const double angle = between(prng, -7, 7);
      for (double value :
           {portable::sin(angle), portable::cos(angle), portable::asin(between(prng, -1, 1))}) {
        digest = digest * 0x9e3779b97f4a7c15 + std::bit_cast<uint64_t>(value);
      }
    }
    CHECK(digest == 7942180269345012546u);  // mpmath's with 180 bits, rounded once, is the same
  }

  TEST_CASE("what is no number stays none") {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (double none : {kNan, kInfinity, -kInfinity}) {
      CHECK(std::isnan(portable::sin(none)));
      CHECK(std::isnan(portable::cos(none)));
      CHECK(std::isnan(portable::asin(none)));
    }
    CHECK(std::isnan(portable::asin(std::nextafter(1.0, 2.0))));
    CHECK(std::signbit(portable::sin(-0.0)));
    CHECK(std::signbit(portable::asin(-0.0)));
  }
}

}  // namespace
}  // namespace kiwi
