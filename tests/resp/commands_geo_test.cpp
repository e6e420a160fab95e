// Geo commands that recorded answers cannot show: which of them are reads, large sorted sets, equal
// distances, and stored distances with the bits that every machine gives them.
#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/command.hpp"
#include "resp/resp_writer.hpp"
#include "resp/types/geo.hpp"
#include "tests/resp/counting_keyspace.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

Route route_of_words(const std::vector<std::string_view>& argv) {
  return route_of(*find_command(argv[0]), argv);
}

std::string bulk(const std::string& bytes) {
  return "$" + std::to_string(bytes.size()) + "\r\n" + bytes + "\r\n";
}

std::string array_of(const std::vector<std::string>& members) {
  std::string text = "*" + std::to_string(members.size()) + "\r\n";
  for (const std::string& member : members) {
    text += bulk(member);
  }
  return text;
}

struct World {
  World() : node(keyspace) { node.start(); }

  // `rows` x `rows` places around 15 37, so many degrees apart: p0, p1, ...
  std::vector<geo::Place> fill(const std::string& key, int rows, double degrees = 0.01) {
    std::vector<geo::Place> places;
    std::vector<std::string> argv{"geoadd", key};
    for (int i = 0; i < rows * rows; ++i) {
      const double longitude = 15 + (i % rows - rows / 2) * degrees;
      const double latitude = 37 + (i / rows - rows / 2) * degrees * 1.01;
      argv.push_back(std::to_string(longitude));
      argv.push_back(std::to_string(latitude));
      argv.push_back("p" + std::to_string(i));
      const geo::Place given{std::stod(argv[argv.size() - 3]), std::stod(argv[argv.size() - 2])};
      places.push_back(geo::place_of(geo::score_of(given)));
    }
    CHECK(node.run(argv) == ":" + std::to_string(rows * rows) + "\r\n");
    return places;
  }

  CountingKeyspace keyspace;
  Node node;
};

TEST_CASE("GEORADIUS without a destination is a read") {
  using Words = std::vector<std::string_view>;
  CHECK(route_of_words(Words{"georadius", "g", "15", "37", "1", "km"}) == Route::kRead);
  CHECK(route_of_words(Words{"georadius", "store", "15", "37", "1", "km", "asc"}) == Route::kRead);
  CHECK(route_of_words(Words{"georadius", "g", "15", "37", "1", "km", "STORE", "d"}) ==
        Route::kWrite);
  CHECK(route_of_words(Words{"georadius", "g", "15", "37", "1", "km", "asc", "StoreDist", "d"}) ==
        Route::kWrite);
  CHECK(route_of_words(Words{"georadius", "g", "15", "37", "1", "km", "store"}) == Route::kRead);
  CHECK(route_of_words(Words{"georadiusbymember", "g", "store", "1", "km"}) == Route::kRead);
  CHECK(route_of_words(Words{"georadiusbymember", "g", "store", "1", "km", "store", "d"}) ==
        Route::kWrite);
  CHECK(find_command("geosearch")->route == Route::kRead);
  CHECK(find_command("geosearchstore")->route == Route::kWrite);
}

TEST_CASE("the nearest so many are those that a whole search would put first") {
  World w;
  const std::vector<geo::Place> places = w.fill("g", 30);
  const geo::Place center{15.0031, 37.0017};
  const geo::Distances distances(geo::kHost, center);
  std::vector<size_t> order(places.size());
  for (size_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return distances.to(places[a]) < distances.to(places[b]); });
  auto names = [&](size_t count) {
    std::vector<std::string> found;
    for (size_t i = 0; i < count; ++i) {
      found.push_back("p" + std::to_string(order[i]));
    }
    return found;
  };
  const std::string search = "geosearch g fromlonlat 15.0031 37.0017 byradius 100 km ";
  for (const size_t count : {size_t{1}, size_t{2}, size_t{17}, size_t{899}, size_t{900}}) {
    CAPTURE(count);
    CHECK(w.node(search + "count " + std::to_string(count)) == array_of(names(count)));
  }
  CHECK(w.node(search + "asc") == array_of(names(900)));
  CHECK(w.node(search + "count 5000") == array_of(names(900)));
  std::reverse(order.begin(), order.end());
  CHECK(w.node(search + "desc count 17") == array_of(names(17)));
  CHECK(w.node("geosearchstore d g fromlonlat 15.0031 37.0017 byradius 100 km desc count 17") ==
        ":17\r\n");
  CHECK(w.node("geosearch d fromlonlat 15.0031 37.0017 byradius 100 km desc") ==
        array_of(names(17)));
}

TEST_CASE("of equal distances those count that are found first, in either order") {
  World w;
  w.node("geoadd g 15 37 a 15 37 b 15 37 c 15.001 37 far");
  const std::string search = "geosearch g fromlonlat 15 37 byradius 1 km ";
  CHECK(w.node(search + "count 2") == array_of({"a", "b"}));
  CHECK(w.node(search + "asc") == array_of({"a", "b", "c", "far"}));
  CHECK(w.node(search + "desc") == array_of({"far", "a", "b", "c"}));
  CHECK(w.node(search + "desc count 2") == array_of({"far", "a"}));
}

TEST_CASE("stored distances have the bits that every machine computes [F35]") {
  World w;
  // So far apart that glibc's functions differ in some.
  const std::vector<geo::Place> places = w.fill("g", 30, 1.37);
  CHECK(w.node("geosearchstore d g fromlonlat 15 37 byradius 9000 km storedist") == ":900\r\n");
  const geo::Distances distances(geo::kPortable, {15, 37});
  for (size_t i = 0; i < places.size(); ++i) {
    const double expected = distances.to(places[i]) / 1000;
    CHECK(w.node("zscore d p" + std::to_string(i)) == bulk(double_text(expected)));
  }
}

// In an order of their own: equal distances have none.
std::vector<std::string> lines_of(const std::string& reply) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < reply.size();) {
    const size_t end = reply.find("\r\n", at);
    lines.push_back(reply.substr(at, end - at));
    at = end + 2;
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_CASE("what is stored is what a search answers, whatever of it was computed") {
  World w;
  w.fill("g", 40, 1.1);
  for (const std::string area : {"byradius 900 km", "byradius 2500 km", "byradius 9 m",
                                 "bybox 3000 1500 km", "bybox 50 9000 mi", "byradius 30000 km"}) {
    for (const std::string how : {"", " asc count 1", " asc count 20", " desc count 20",
                                  " count 7 any", " desc", " asc count 5000"}) {
      INFO(area, how);
      const std::string search = " g frommember p820 " + area + how;
      const std::string found = w.node("geosearch" + search);
      const std::string count = found.substr(1, found.find("\r\n") - 1);
      CHECK(w.node("geosearchstore d" + search) == ":" + count + "\r\n");
      CHECK(lines_of(w.node("zrange d 0 -1")) == lines_of(found));
    }
  }
}

TEST_CASE("a destination that is the source is replaced when the search is over") {
  World w;
  w.fill("g", 10);
  CHECK(w.node("georadiusbymember g p0 1 m store g") == ":1\r\n");
  CHECK(w.node("zrange g 0 -1") == array_of({"p0"}));
  CHECK(w.node("georadius g 100 0 1 m store g") == ":0\r\n");
  CHECK(w.node("exists g") == ":0\r\n");
}

}  // namespace
}  // namespace kiwi::resp
