// Places on the earth as scores of a sorted set, and searches around one. As Redis computes them,
// operation by operation: the same scores, cells, distances and order of candidates.
//
//   score     52 bits: 26 of the longitude and 26 of the latitude, interleaved, the longitude's
//             first. What lies in one cell of a grid of 2^step x 2^step is one range of scores.
//   search    a cell that is about as large as the area, its eight neighbours, and then the
//   distance
//             of each candidate
//
// Scores and their places need only what IEEE defines exactly. Distances need sin, cos and asin:
// reads take the host's, entries of the log portable_math's, or nodes would store different keys.
// Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace kiwi::resp::geo {

struct Place {
  double longitude = 0;  // degrees
  double latitude = 0;
};
// Mercator's world: the poles are not in it.
inline constexpr double kLongitudeMax = 180;
inline constexpr double kLatitudeMax = 85.05112878;
bool is_on_map(const Place& place);

double score_of(const Place& place);  // which is on the map
// The middle of the score's cell. Any number is the score of some place.
Place place_of(double score);

// The first 50 bits in the alphabet of geohash.org, whose latitudes go from -90 to 90, and a 0 that
// Redis once had for a digit.
inline constexpr size_t kHashSize = 11;
std::array<char, kHashSize> hash_of(const Place& place);

inline constexpr double kEarthRadius = 6372797.560856;  // metres; WGS-84's quadratic mean

struct Trigonometry {
  double (*sin)(double);
  double (*cos)(double);
  double (*asin)(double);
};
extern const Trigonometry kHost;      // fast; other machines' last bits may differ
extern const Trigonometry kPortable;  // 1-2 us a call
// A distance by the portable functions, in records looked at: more than it takes (six us), so that
// a search that stores ends within a few seconds.
inline constexpr uint64_t kStepsOfDistance = 64;

struct Area {
  enum class Shape : uint8_t { kCircle, kBox };
  Shape shape = Shape::kCircle;
  Place center;
  double radius = 0;  // kCircle
  double width = 0;   // kBox: along the parallel, and along the meridian
  double height = 0;
  double unit = 1;  // metres in one of what the lengths are given in
};

// Distances from one place, over a sphere with the earth's mean radius.
class Distances {
 public:
  Distances(const Trigonometry& trigonometry, const Place& from);

  double to(const Place& place) const;  // metres; never NaN
  // The same for places in the area around it; nullopt: outside.
  std::optional<double> within(const Area& area, const Place& place) const;

 private:
  // Sines of half the differences, and the cosine there.
  struct Angle {
    double latitude;
    double longitude;
    double cosine;
  };
  Angle angle_to(const Place& place) const;
  double arc(double latitude, double longitude, double cosines) const;

  const Trigonometry& trigonometry_;
  double longitude_;  // radians
  double latitude_;
  double cosine_;
};

// Scores from `first` on and below `behind`.
struct Cell {
  double first = 0;
  double behind = 0;
};
// All that may hold places of the area, each once, in the order in which Redis walks them.
class Cells {
 public:
  void add(const Cell& cell);
  std::span<const Cell> all() const { return {cells_.data(), size_}; }

 private:
  std::array<Cell, 9> cells_;
  size_t size_ = 0;
};
Cells cells_of(const Trigonometry& trigonometry, const Area& area);

}  // namespace kiwi::resp::geo
