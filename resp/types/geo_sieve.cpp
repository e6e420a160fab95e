#include "resp/types/geo_sieve.hpp"

#include <array>
#include <cmath>
#include <numbers>

#include "config/base/check.hpp"
#include "config/base/portable_math.hpp"

namespace kiwi::resp::geo {

namespace {

constexpr double kPi = std::numbers::pi;
constexpr double kDegree = kPi / 180.0;  // radians

// Taylor's, of even powers: the first is 1, the next -1 / (n (n + 1)) of the one before, n = first,
// first + 2, ... Up to a right angle what is left out is less than a double can tell.
constexpr size_t kTerms = 14;
constexpr std::array<double, kTerms> series(int first) {
  std::array<double, kTerms> terms{1.0};
  for (size_t i = 1; i < kTerms; ++i) {
    const double n = first + 2.0 * static_cast<double>(i - 1);
    terms[i] = -terms[i - 1] / (n * (n + 1.0));
  }
  return terms;
}
constexpr std::array<double, kTerms> kSine = series(2);    // sin(x) / x
constexpr std::array<double, kTerms> kCosine = series(1);  // cos(x)

double sum(const std::array<double, kTerms>& terms, double square) {
  double value = 0;
  for (size_t i = kTerms; i-- > 0;) {
    value = value * square + terms[i];
  }
  return value;
}

// Of up to half a turn; its sign is nobody's business.
double sine(double x) {
  x = std::abs(x);
  x = x > kPi / 2 ? kPi - x : x;
  return x * sum(kSine, x * x);
}

// Of up to a right angle.
double cosine(double x) { return sum(kCosine, x * x); }

// Beyond half around the world nothing is.
double haversine_of(double metres) {
  const double half = metres / (2.0 * kEarthRadius);
  if (half >= kPi / 2) {
    return 2.0;
  }
  const double chord = portable::sin(half);
  return chord * chord;
}

}  // namespace

double Sieve::surely_farther(double metres) { return haversine_of(metres + kDoubtMetres); }

double Sieve::surely_nearer(double metres) {
  return metres <= kDoubtMetres ? -1.0 : haversine_of(metres - kDoubtMetres);
}

Sieve::Sieve(const Area& area)
    : shape_(area.shape),
      longitude_(area.center.longitude * kDegree),
      latitude_(area.center.latitude * kDegree),
      cosine_(cosine(latitude_)),
      circle_(edge_at(area.radius * area.unit)),
      width_(edge_at(area.width * area.unit / 2)),
      height_(edge_at(area.height * area.unit / 2)) {
  CHECK_INVARIANT(is_on_map(area.center));
}

Sieve::Sifted Sieve::look(const Place& place) const {
  const double latitude = place.latitude * kDegree;
  const double parallel = cosine(latitude);
  const double north = sine((latitude - latitude_) / 2);
  const double east = sine((place.longitude * kDegree - longitude_) / 2);
  Sifted sifted;
  sifted.haversine = north * north + cosine_ * parallel * east * east;
  if (shape_ == Area::Shape::kCircle) {
    sifted.lies = sifted.haversine < circle_.inside    ? Lies::kInside
                  : sifted.haversine > circle_.outside ? Lies::kOutside
                                                       : Lies::kNearEdge;
    return sifted;
  }
  const double along = parallel * parallel * east * east;
  const double across = north * north;
  if (along > width_.outside || across > height_.outside) {
    sifted.lies = Lies::kOutside;
  } else if (along < width_.inside && across < height_.inside) {
    sifted.lies = Lies::kInside;
  }
  return sifted;
}

}  // namespace kiwi::resp::geo
