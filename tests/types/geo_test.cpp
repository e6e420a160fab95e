// What redis-server 7.0.15 made of 2,000 places (geo_points.txt, written by geo_points.py), and
// what holds for all areas.
#include "resp/types/geo.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/types/geo_sieve.hpp"

namespace kiwi::resp::geo {
namespace {

struct Recorded {
  Place place;
  double score = 0;
  std::string hash;
  std::string distance;  // from the place before
};

std::vector<Recorded> recorded() {
  std::ifstream in(std::string(KIWI_SOURCE_DIR) + "/tests/types/geo_points.txt");
  REQUIRE(in.is_open());
  std::vector<Recorded> all;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Recorded& one = all.emplace_back();
    words >> one.place.longitude >> one.place.latitude >> one.score >> one.hash >> one.distance;
    REQUIRE(!words.fail());
  }
  REQUIRE(all.size() == 2000);
  return all;
}

double metres(const std::string& text) { return std::stod(text); }

std::string four_digits(double value) {
  char text[64];
  const int size = std::snprintf(text, sizeof text, "%.4f", value);
  return {text, static_cast<size_t>(size)};
}

double between(Prng& prng, double low, double high) {
  return low + (high - low) * std::ldexp(static_cast<double>(prng.next() >> 11), -53);
}

// Areas of all sizes, anywhere.
Area random_area(Prng& prng, const std::vector<Recorded>& places) {
  Area area;
  area.shape = prng.chance(1, 2) ? Area::Shape::kCircle : Area::Shape::kBox;
  area.center = place_of(places[prng.below(places.size())].score);
  area.unit = prng.chance(1, 2) ? 1 : 1000;
  auto length = [&] { return std::pow(10.0, between(prng, 0, 7.3)) / area.unit; };
  area.radius = length();
  area.width = length();
  area.height = length();
  return area;
}

bool holds(const Cell& cell, double score) { return score >= cell.first && score < cell.behind; }

TEST_CASE("scores, hashes and distances are Redis'") {
  Place before;
  for (const Recorded& one : recorded()) {
    CAPTURE(one.hash);
    CAPTURE(one.score);
    REQUIRE(score_of(one.place) == one.score);
    const Place stored = place_of(one.score);
    const auto hash = hash_of(stored);
    REQUIRE(std::string(hash.begin(), hash.end()) == one.hash);
    // The first one's distance is from itself.
    const Place from = one.distance == "0.0000" ? stored : before;
    REQUIRE(four_digits(Distances(kHost, from).to(stored)) == one.distance);
    REQUIRE(std::abs(Distances(kPortable, from).to(stored) - metres(one.distance)) <= 0.0001);
    before = stored;
  }
}

TEST_CASE("the place of a score lies in the score's cell") {
  Prng prng(3);
  for (int i = 0; i < 10'000; ++i) {
    const double score = static_cast<double>(prng.below(uint64_t{1} << 52));
    REQUIRE(score_of(place_of(score)) == score);
  }
}

TEST_CASE("any number is the score of a place on the map") {
  Prng prng(4);
  for (int i = 0; i < 10'000; ++i) {
    const double score = std::ldexp(between(prng, -1, 1), static_cast<int>(prng.below(1100)));
    CAPTURE(score);
    REQUIRE(is_on_map(place_of(score)));
  }
}

TEST_CASE("what lies on the map") {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CHECK(is_on_map({180, 85.05112878}));
  CHECK(is_on_map({-180, -85.05112878}));
  CHECK(!is_on_map({180.000001, 0}));
  CHECK(!is_on_map({0, -85.0512}));
  CHECK(!is_on_map({kNan, 0}));
  CHECK(!is_on_map({0, kNan}));
}

TEST_CASE("distances are the same both ways, and portable ones hardly others") {
  const std::vector<Recorded> places = recorded();
  Prng prng(5);
  for (int i = 0; i < 5'000; ++i) {
    const Place a = place_of(places[prng.below(places.size())].score);
    const Place b = place_of(places[prng.below(places.size())].score);
    const double there = Distances(kHost, a).to(b);
    REQUIRE(there == Distances(kHost, b).to(a));
    // Opposite places are where rounding shows: the arc's sine hardly changes there.
    REQUIRE(std::abs(there - Distances(kPortable, a).to(b)) <= 0.2);
  }
}

TEST_CASE("half around the world is a number") {
  Prng prng(6);
  for (int i = 0; i < 20'000; ++i) {
    const Place a{between(prng, -180, 0), between(prng, -85, 85)};
    const double distance = Distances(kHost, a).to({a.longitude + 180, -a.latitude});
    REQUIRE(std::abs(distance - 20020741.0) < 20);
  }
}

// Redis loses places of areas that reach over the edge of the map; so does this.
bool far_from_edge(const Area& area) {
  const double reach =
      area.unit * (area.shape == Area::Shape::kCircle ? area.radius : area.width + area.height);
  return reach < 2e6 && std::abs(area.center.latitude) < 60 &&
         std::abs(area.center.longitude) < 120;
}

TEST_CASE("cells do not overlap, and hold what lies in the area") {
  const std::vector<Recorded> places = recorded();
  Prng prng(7);
  size_t inside = 0;
  size_t missed = 0;
  for (int i = 0; i < 1500; ++i) {
    const Area area = random_area(prng, places);
    const Distances distances(kHost, area.center);
    const Cells cells = cells_of(kHost, area);
    const auto all = cells.all();
    for (const Recorded& one : places) {
      const auto found = std::count_if(all.begin(), all.end(),
                                       [&](const Cell& cell) { return holds(cell, one.score); });
      REQUIRE(found <= 1);
      if (distances.within(area, place_of(one.score))) {
        inside += far_from_edge(area) ? 1 : 0;
        missed += far_from_edge(area) && found == 0 ? 1 : 0;
      }
    }
  }
  CHECK(inside > 1'000);
  CHECK(missed == 0);
}

void check_sieve(const Area& area, const Place& place, bool is_sure, size_t& unsure) {
  const auto distance = Distances(kPortable, area.center).within(area, place);
  const Sieve::Sifted sifted = Sieve(area).look(place);
  if (sifted.lies == Sieve::Lies::kNearEdge) {
    REQUIRE(!is_sure);
    ++unsure;
  } else {
    REQUIRE((sifted.lies == Sieve::Lies::kInside) == distance.has_value());
  }
}

TEST_CASE("what the sieve is sure of is what the portable functions say, and that is nearly all") {
  const std::vector<Recorded> places = recorded();
  Prng prng(8);
  size_t unsure = 0;
  for (int i = 0; i < 5'000; ++i) {
    check_sieve(random_area(prng, places), place_of(places[prng.below(places.size())].score), false,
                unsure);
  }
  CHECK(unsure < 500);
  for (int i = 0; i < 1'000; ++i) {  // places that lie at the edge, or next to it
    const Place place{between(prng, -180, 180), between(prng, -85, 85)};
    Area area{.shape = Area::Shape::kCircle,
              .center = {between(prng, -180, 180), between(prng, -85, 85)}};
    const double distance = Distances(kPortable, area.center).to(place);
    for (const double beside : {-30.0, -9.0, -0.001, 0.0, 0.001, 9.0, 30.0}) {
      area.radius = std::max(0.0, distance + beside);
      check_sieve(area, place, std::abs(beside) > 20 && distance < 2e7, unsure);
    }
  }
}

TEST_CASE("a haversine says which of two places is surely nearer") {
  Prng prng(9);
  for (int i = 0; i < 1'000; ++i) {
    const Area area{.center = {between(prng, -180, 180), between(prng, -85, 85)}};
    const Place a{between(prng, -180, 180), between(prng, -85, 85)};
    const Place b{between(prng, -180, 180), between(prng, -85, 85)};
    const Distances distances(kPortable, area.center);
    const double to_a = distances.to(a);
    const double to_b = distances.to(b);
    const double haversine = Sieve(area).look(a).haversine;
    if (std::abs(to_a - to_b) > 3 * kDoubtMetres) {
      REQUIRE((haversine > Sieve::surely_farther(to_b)) == (to_a > to_b));
      REQUIRE((haversine < Sieve::surely_nearer(to_b)) == (to_a < to_b));
    }
    REQUIRE(!(haversine > Sieve::surely_farther(to_a)));
    REQUIRE(!(haversine < Sieve::surely_nearer(to_a)));
  }
}

TEST_CASE("a search looks at few cells when the area is small") {
  const Area area{.shape = Area::Shape::kCircle, .center = {13.361389, 38.115556}, .radius = 10};
  double scores = 0;
  for (const Cell& cell : cells_of(kPortable, area).all()) {
    scores += cell.behind - cell.first;
  }
  CHECK(scores < 0x1p52 / 1e9);  // of the map
}

}  // namespace
}  // namespace kiwi::resp::geo
