#include "resp/types/geo.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "config/base/check.hpp"
#include "config/base/portable_math.hpp"

namespace kiwi::resp::geo {

namespace {

constexpr unsigned kSteps = 26;                       // halvings of each coordinate in a score
constexpr double kMercatorMax = 20037726.37;          // metres
constexpr double kDegree = std::numbers::pi / 180.0;  // radians

double radians(double degrees) { return degrees * kDegree; }
double degrees(double radians) { return radians / kDegree; }

// ---------------------------------------------------------------- bits

// Longitudes stand in the odd bits, latitudes in the even ones.
constexpr uint64_t kOdd = 0xaaaa'aaaa'aaaa'aaaa;
constexpr uint64_t kEven = ~kOdd;

// Moves bit i to bit 2 i.
uint64_t spread_bits(uint32_t bits) {
  uint64_t x = bits;
  x = (x | x << 16) & 0x0000'ffff'0000'ffff;
  x = (x | x << 8) & 0x00ff'00ff'00ff'00ff;
  x = (x | x << 4) & 0x0f0f'0f0f'0f0f'0f0f;
  x = (x | x << 2) & 0x3333'3333'3333'3333;
  return (x | x << 1) & kEven;
}

// And back.
uint32_t gather_bits(uint64_t x) {
  x &= kEven;
  x = (x | x >> 1) & 0x3333'3333'3333'3333;
  x = (x | x >> 2) & 0x0f0f'0f0f'0f0f'0f0f;
  x = (x | x >> 4) & 0x00ff'00ff'00ff'00ff;
  x = (x | x >> 8) & 0x0000'ffff'0000'ffff;
  return static_cast<uint32_t>(x | x >> 16);
}

// A cell of the grid with 2^step columns and rows. A place at the east or north end of the map lies
// in a column or row of its own, behind the last.
struct GridCell {
  uint64_t bits = 0;
  unsigned step = 0;
};

uint32_t halvings(double value, double low, double high, unsigned step) {
  return static_cast<uint32_t>((value - low) / (high - low) *
                               static_cast<double>(uint64_t{1} << step));
}

GridCell cell_at(const Place& place, double latitude_max, unsigned step) {
  const uint32_t x = halvings(place.longitude, -kLongitudeMax, kLongitudeMax, step);
  const uint32_t y = halvings(place.latitude, -latitude_max, latitude_max, step);
  return {spread_bits(y) | spread_bits(x) << 1, step};
}

struct Edges {
  double west;
  double south;
  double east;
  double north;
};

// Where the `part`-th of 2^step parts begins, from -max to max.
double edge(uint32_t part, double max, unsigned step) {
  return -max + part * 1.0 / static_cast<double>(uint64_t{1} << step) * (max + max);
}

Edges edges_of(const GridCell& cell) {
  const uint32_t x = gather_bits(cell.bits >> 1);
  const uint32_t y = gather_bits(cell.bits);
  return {edge(x, kLongitudeMax, cell.step), edge(y, kLatitudeMax, cell.step),
          edge(x + 1, kLongitudeMax, cell.step), edge(y + 1, kLatitudeMax, cell.step)};
}

// The neighbour `east` columns and `north` rows away, -1 to 1 each. Around the world; over a pole,
// too, to the other one, which costs candidates and loses none.
GridCell neighbour(const GridCell& cell, int east, int north) {
  CHECK_INVARIANT(cell.step >= 1 && cell.step <= kSteps);
  const uint64_t used = ~uint64_t{0} >> (64 - 2 * cell.step);
  uint64_t x = cell.bits & kOdd;
  uint64_t y = cell.bits & kEven;
  // The other coordinate's bits are set, so that carries run through them, or borrows.
  const uint64_t between_x = kEven & used;
  const uint64_t between_y = kOdd & used;
  if (east > 0) {
    x = (x + between_x + 1) & kOdd & used;
  } else if (east < 0) {
    x = ((x | between_x) - (between_x + 1)) & kOdd & used;
  }
  if (north > 0) {
    y = (y + between_y + 1) & kEven & used;
  } else if (north < 0) {
    y = ((y | between_y) - (between_y + 1)) & kEven & used;
  }
  return {x | y, cell.step};
}

Cell scores_of(const GridCell& cell) {
  CHECK_INVARIANT(cell.step <= kSteps);
  const unsigned shift = 2 * (kSteps - cell.step);
  return {static_cast<double>(cell.bits << shift), static_cast<double>((cell.bits + 1) << shift)};
}

// The bits of any score: those of no place, too, which ZADD may have stored, as x86-64 converts a
// double. What does not fit is 2^63, and 0 where 2^63 does not suffice.
uint64_t bits_of(double score) {
  constexpr double kHalf = 0x1p63;
  constexpr uint64_t kNone = uint64_t{1} << 63;
  if (score < kHalf) {
    return score >= -kHalf ? static_cast<uint64_t>(static_cast<int64_t>(score)) : kNone;
  }
  const double rest = score - kHalf;
  return rest < kHalf ? static_cast<uint64_t>(static_cast<int64_t>(rest)) ^ kNone : 0;
}

// ---------------------------------------------------------------- areas

// Of a rectangle of coordinates around the area.
Edges bounds_of(const Trigonometry& trigonometry, const Area& area) {
  const bool circle = area.shape == Area::Shape::kCircle;
  const Place& center = area.center;
  const double height = area.unit * (circle ? area.radius : area.height / 2);
  const double width = area.unit * (circle ? area.radius : area.width / 2);
  const double rows = degrees(height / kEarthRadius);
  // Of its two parallels that which lies nearer to a pole decides about a box; Redis takes the same
  // for circles.
  const double parallel = center.latitude < 0 ? center.latitude - rows : center.latitude + rows;
  const double columns = degrees(width / kEarthRadius / trigonometry.cos(radians(parallel)));
  return {center.longitude - columns, center.latitude - rows, center.longitude + columns,
          center.latitude + rows};
}

// Such that a cell is about as large as the radius, and larger near the poles, where columns are
// narrow.
unsigned step_for(double radius, double latitude) {
  if (radius == 0) {
    return kSteps;
  }
  int step = 1;
  for (; radius < kMercatorMax; radius *= 2) {
    ++step;
  }
  step -= 2;
  if (std::abs(latitude) > 66) {
    --step;
    if (std::abs(latitude) > 80) {
      --step;
    }
  }
  return static_cast<unsigned>(std::clamp(step, 1, static_cast<int>(kSteps)));
}

unsigned step_for(const Area& area) {
  const double half_width = area.width / 2;
  const double half_height = area.height / 2;
  const double radius = area.shape == Area::Shape::kCircle
                            ? area.radius
                            : std::sqrt(half_width * half_width + half_height * half_height);
  return step_for(radius * area.unit, area.center.latitude);
}

// Whether the area reaches beyond the cells around this one.
bool too_narrow(const GridCell& cell, const Edges& bounds) {
  return edges_of(neighbour(cell, 0, 1)).north < bounds.north ||
         edges_of(neighbour(cell, 0, -1)).south > bounds.south ||
         edges_of(neighbour(cell, 1, 0)).east < bounds.east ||
         edges_of(neighbour(cell, -1, 0)).west > bounds.west;
}

}  // namespace

// ---------------------------------------------------------------- places

bool is_on_map(const Place& place) {
  return std::abs(place.longitude) <= kLongitudeMax && std::abs(place.latitude) <= kLatitudeMax;
}

double score_of(const Place& place) {
  CHECK_INVARIANT(is_on_map(place));
  return static_cast<double>(cell_at(place, kLatitudeMax, kSteps).bits);
}

Place place_of(double score) {
  const Edges edges = edges_of({bits_of(score), kSteps});
  return {std::clamp((edges.west + edges.east) / 2, -kLongitudeMax, kLongitudeMax),
          std::clamp((edges.south + edges.north) / 2, -kLatitudeMax, kLatitudeMax)};
}

std::array<char, kHashSize> hash_of(const Place& place) {
  constexpr std::string_view kAlphabet = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr size_t kBitsOfDigit = 5;
  const uint64_t bits = cell_at(place, 90, kSteps).bits;
  std::array<char, kHashSize> text;
  text.back() = kAlphabet[0];
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    text[i] = kAlphabet[bits >> (2 * kSteps - (i + 1) * kBitsOfDigit) & 0x1f];
  }
  return text;
}

// ---------------------------------------------------------------- distances

const Trigonometry kHost{[](double x) { return std::sin(x); }, [](double x) { return std::cos(x); },
                         [](double x) { return std::asin(x); }};
const Trigonometry kPortable{portable::sin, portable::cos, portable::asin};

Distances::Distances(const Trigonometry& trigonometry, const Place& from)
    : trigonometry_(trigonometry),
      longitude_(radians(from.longitude)),
      latitude_(radians(from.latitude)),
      cosine_(trigonometry.cos(latitude_)) {}

Distances::Angle Distances::angle_to(const Place& place) const {
  const double latitude = radians(place.latitude);
  return {trigonometry_.sin((latitude - latitude_) / 2),
          trigonometry_.sin((radians(place.longitude) - longitude_) / 2),
          trigonometry_.cos(latitude)};
}

// The haversine formula. Rounding may pass 1 for places opposite of each other.
double Distances::arc(double latitude, double longitude, double cosines) const {
  const double square = latitude * latitude + cosines * longitude * longitude;
  CHECK_INVARIANT(square >= 0);
  return 2.0 * kEarthRadius * trigonometry_.asin(std::min(std::sqrt(square), 1.0));
}

double Distances::to(const Place& place) const {
  const Angle angle = angle_to(place);
  return arc(angle.latitude, angle.longitude, cosine_ * angle.cosine);
}

std::optional<double> Distances::within(const Area& area, const Place& place) const {
  const Angle angle = angle_to(place);
  if (area.shape == Area::Shape::kBox) {
    // Along the place's own parallel, and along a meridian.
    if (arc(0, angle.longitude, angle.cosine * angle.cosine) > area.width * area.unit / 2 ||
        arc(angle.latitude, 0, 0) > area.height * area.unit / 2) {
      return std::nullopt;
    }
  }
  const double distance = arc(angle.latitude, angle.longitude, cosine_ * angle.cosine);
  const bool outside = area.shape == Area::Shape::kCircle && distance > area.radius * area.unit;
  return outside ? std::nullopt : std::optional(distance);
}

// ---------------------------------------------------------------- cells

void Cells::add(const Cell& cell) {
  CHECK_INVARIANT(size_ < cells_.size() && cell.first < cell.behind);
  cells_[size_++] = cell;
}

Cells cells_of(const Trigonometry& trigonometry, const Area& area) {
  const Edges bounds = bounds_of(trigonometry, area);
  unsigned step = step_for(area);
  GridCell middle = cell_at(area.center, kLatitudeMax, step);
  if (step > 1 && too_narrow(middle, bounds)) {
    middle = cell_at(area.center, kLatitudeMax, --step);
  }
  const Edges edges = edges_of(middle);
  // Sides that the area reaches. With two columns and rows all cells are needed, and the neighbours
  // on both sides are the same.
  const bool whole = step == 1;
  const bool east = whole || !(edges.east > bounds.east);
  const bool west = !whole && !(edges.west < bounds.west);
  const bool north = whole || !(edges.north > bounds.north);
  const bool south = !whole && !(edges.south < bounds.south);
  constexpr struct {
    int east;
    int north;
  } kWays[] = {{0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
  Cells cells;
  cells.add(scores_of(middle));
  for (const auto& way : kWays) {
    const bool reached = (way.east == 0 || (way.east > 0 ? east : west)) &&
                         (way.north == 0 || (way.north > 0 ? north : south));
    if (reached) {
      cells.add(scores_of(neighbour(middle, way.east, way.north)));
    }
  }
  return cells;
}

}  // namespace kiwi::resp::geo
