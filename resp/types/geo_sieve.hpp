// Whether places lie in an area, of all but those near its edge, and which of two is surely nearer:
// at once, and alike on every machine. Entries of the log decide by portable functions, which take
// microseconds a place (geo.hpp); with this in front they are asked about few.
//
// Compares haversines by series of what IEEE defines exactly. They are off by far less than
// kDoubtMetres, and so is what the portable functions answer. Pure; any thread.
#pragma once

#include <cstdint>

#include "resp/types/geo.hpp"

namespace kiwi::resp::geo {

inline constexpr double kDoubtMetres = 10;

class Sieve {
 public:
  explicit Sieve(const Area& area);

  enum class Lies : uint8_t { kInside, kOutside, kNearEdge };
  struct Sifted {
    Lies lies = Lies::kNearEdge;
    double haversine = 0;  // of its distance from the center: the farther, the larger
  };
  Sifted look(const Place& place) const;

  // Haversines above the first, or below the second, are of places that are surely farther, or
  // nearer, than so many metres.
  static double surely_farther(double metres);
  static double surely_nearer(double metres);

 private:
  struct Edge {
    double inside = 0;   // below it
    double outside = 0;  // above it
  };
  static Edge edge_at(double metres) { return {surely_nearer(metres), surely_farther(metres)}; }

  Area::Shape shape_;
  double longitude_;  // radians
  double latitude_;
  double cosine_;
  Edge circle_;
  Edge width_;  // half of the box's, along the place's own parallel
  Edge height_;
};

}  // namespace kiwi::resp::geo
