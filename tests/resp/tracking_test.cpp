// Tracking as a plain class: who is told what, once, and when everything has to be flushed.
#include "resp/tracking.hpp"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "config/limits.hpp"

namespace kiwi::resp {
namespace {

// "1 2: a b; 3: *"
std::string told(Tracking& tracking) {
  std::string text;
  for (const Tracking::Notice& notice : tracking.take_notices()) {
    text += text.empty() ? "" : "; ";
    for (const ConnectionId id : notice.clients) {
      text += std::to_string(id) + " ";
    }
    text.back() = ':';
    text += notice.everything ? " *" : "";
    for (const std::string& key : notice.keys) {
      text += " " + key;
    }
  }
  return text;
}

Tracking::Mode broadcast() {
  Tracking::Mode mode;
  mode.broadcast = true;
  return mode;
}

}  // namespace

TEST_CASE("a change is told once to each client that read the key since the last one") {
  config::Options options;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  tracking.turn_on(2, {}, {});
  tracking.remember(1, "a");
  tracking.remember(2, "a");
  tracking.remember(2, "b");
  CHECK(tracking.keys() == 2);
  CHECK(tracking.items() == 3);
  tracking.modified("c", 0);
  tracking.modified("a", 0);
  tracking.modified("a", 0);
  CHECK(told(tracking) == "1 2: a");
  tracking.modified("a", 0);
  CHECK(told(tracking).empty());
  tracking.remember(1, "a");
  tracking.modified("b", 1);
  tracking.modified("a", 1);
  CHECK(told(tracking) == "2: b; 1: a");
  CHECK(tracking.items() == 0);
}

TEST_CASE("with NOLOOP nobody is told of what it changed itself") {
  config::Options options;
  Tracking tracking(options);
  Tracking::Mode quiet;
  quiet.no_loop = true;
  tracking.turn_on(1, quiet, {});
  tracking.turn_on(2, {}, {});
  for (const ConnectionId by : {1, 2}) {
    tracking.remember(1, "a");
    tracking.remember(2, "a");
    tracking.modified("a", by);
  }
  CHECK(told(tracking) == "2: a; 1 2: a");
}

TEST_CASE("OPTIN follows the commands that were marked, OPTOUT all others") {
  config::Options options;
  Tracking tracking(options);
  Tracking::Mode in;
  in.opt_in = true;
  Tracking::Mode out;
  out.opt_out = true;
  tracking.turn_on(1, in, {});
  tracking.turn_on(2, out, {});
  tracking.turn_on(3, {}, {});
  tracking.turn_on(4, broadcast(), {});
  for (const ConnectionId id : {1, 2}) {
    tracking.mark(id, 7, 7);
  }
  CHECK_FALSE(tracking.follows(1, 6));
  CHECK(tracking.follows(1, 7));
  CHECK(tracking.follows(2, 6));
  CHECK_FALSE(tracking.follows(2, 7));
  CHECK(tracking.follows(3, 7));
  CHECK_FALSE(tracking.follows(4, 7));
  CHECK_FALSE(tracking.follows(5, 7));
  tracking.mark(1, 9, 8);  // 7 is answered
  CHECK(tracking.find(1)->marked == std::set<uint64_t>{9});
}

TEST_CASE("with BCAST a prefix is told of once a turn, whoever read what") {
  config::Options options;
  Tracking tracking(options);
  Tracking::Mode quiet = broadcast();
  quiet.no_loop = true;
  tracking.turn_on(1, broadcast(), {"a", "b"});
  tracking.turn_on(2, quiet, {"a"});
  tracking.turn_on(3, broadcast(), {});
  CHECK(tracking.prefixes() == 3);
  tracking.modified("a2", 2);
  tracking.modified("a1", 9);
  tracking.modified("b", 0);
  tracking.modified("c", 0);
  CHECK(told(tracking) == "3: a1 a2 b c; 2: a1; 1: a1 a2; 1: b");
  tracking.modified("a1", 2);
  CHECK(told(tracking) == "3: a1; 1: a1");
  tracking.modified("a1", 2);
  tracking.modified("a1", 9);  // by another, too
  CHECK(told(tracking) == "3: a1; 2: a1; 1: a1");
  tracking.modified("a1", 0);
  tracking.turn_off(3);
  tracking.turn_off(2);
  CHECK(told(tracking) == "1: a1");
  tracking.turn_off(1);
  CHECK(tracking.prefixes() == 0);
  tracking.modified("a1", 0);
  CHECK_FALSE(tracking.has_notices());
}

TEST_CASE("a changed key finds the prefixes that begin it, among many") {
  Prng prng(5);
  auto word = [&prng] {
    std::string text;
    for (uint64_t left = prng.below(6); left > 0; --left) {
      text += static_cast<char>('a' + prng.below(3));
    }
    return text;
  };
  for (int round = 0; round < 200; ++round) {
    config::Options options;
    Tracking tracking(options);
    std::map<std::string, ConnectionId> prefixes;
    for (ConnectionId id = 1; id <= prng.below(20); ++id) {
      const std::string prefix = word();
      if (prefixes.emplace(prefix, id).second) {
        tracking.turn_on(id, broadcast(), {prefix});
      }
    }
    const std::string key = word();
    std::string expected;
    for (const auto& [prefix, id] : prefixes) {
      if (key.starts_with(prefix)) {
        expected += (expected.empty() ? "" : "; ") + std::to_string(id) + ": " + key;
      }
    }
    tracking.modified(key, 0);
    CHECK(told(tracking) == expected);
  }
}

TEST_CASE("above the bound a key goes for each that comes, and is told of") {
  config::Options options;
  options.tracking_table_max_keys = 3;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  std::set<std::string> cached;
  Prng prng(3);
  for (int i = 0; i < 200; ++i) {
    const std::string key = std::to_string(prng.below(50));
    tracking.remember(1, key);
    cached.insert(key);
    for (const Tracking::Notice& notice : tracking.take_notices()) {
      for (const std::string& gone : notice.keys) {
        CHECK(cached.erase(gone) == 1);
      }
    }
    CHECK(tracking.keys() <= 3);
    CHECK(cached.size() == tracking.keys());
  }
}

TEST_CASE("long names take the room of several, and names that no key has take none") {
  config::Options options;
  options.tracking_table_max_keys = 10;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  for (char c = 'a'; c <= 'z'; ++c) {
    tracking.remember(1, std::string(1000, c));
    CHECK(tracking.keys() <= 2);
  }
  tracking.remember(1, std::string(10'000, 'x'));
  CHECK(tracking.keys() <= 2);
  tracking.flushed();
  tracking.take_notices();
  tracking.remember(1, "short");
  tracking.remember(1, std::string(config::limits::kKeyNameBytes + 1, 'x'));
  CHECK(tracking.keys() == 1);
  CHECK_FALSE(tracking.has_notices());
}

TEST_CASE("the table is bounded by what its clients remember, not by keys alone") {
  config::Options options;
  options.tracking_table_max_keys = 10;
  Tracking tracking(options);
  std::set<std::pair<ConnectionId, std::string>> cached;
  for (ConnectionId id = 1; id <= 100; ++id) {
    tracking.turn_on(id, {}, {});
  }
  for (ConnectionId id = 1; id <= 100; ++id) {
    for (const std::string key : {"a", "b", "c", "d"}) {
      tracking.remember(id, key);
      cached.emplace(id, key);
      for (const Tracking::Notice& notice : tracking.take_notices()) {
        for (const ConnectionId told : notice.clients) {
          CHECK(cached.erase({told, notice.keys.at(0)}) == 1);
        }
      }
      CHECK(tracking.items() < 90);
      CHECK(tracking.items() == cached.size());
    }
  }
  CHECK(tracking.items() > 40);
}

TEST_CASE("connections that ended are no burden for a key that is never changed") {
  config::Options options;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  for (ConnectionId id = 2; id < 1000; ++id) {
    tracking.turn_on(id, {}, {});
    tracking.remember(id, "a");
    tracking.turn_off(id);
    CHECK(tracking.items() < 40);
  }
  tracking.modified("a", 0);
  CHECK(told(tracking).empty());
}

TEST_CASE("a read that was put aside is told of behind its reply if its keys changed [T3]") {
  config::Options options;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  tracking.put_aside(100, 1, {"a", "b", "a"});
  tracking.put_aside(101, 1, {"c"});
  tracking.modified("a", 0);
  CHECK(told(tracking) == "1: a");  // the client may have it from before
  tracking.answered(100);
  CHECK(told(tracking) == "1: a");
  tracking.answered(101);
  CHECK(told(tracking).empty());
  tracking.modified("b", 0);
  tracking.modified("c", 0);
  CHECK(told(tracking) == "1: b; 1: c");  // remembered as of any read
  tracking.put_aside(102, 1, {"a"});
  tracking.flushed();
  CHECK(told(tracking) == "1: *");
  tracking.answered(102);
  CHECK(told(tracking) == "1: a");
  tracking.put_aside(103, 1, {"a"});
  tracking.turn_off(1);
  tracking.answered(103);
  CHECK_FALSE(tracking.has_notices());
}

TEST_CASE("a read that is put aside may push its own keys out of a full table [T3]") {
  config::Options options;
  options.tracking_table_max_keys = 1;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  tracking.turn_on(2, {}, {});
  tracking.remember(2, "b");
  tracking.put_aside(100, 1, {"a"});  // the next by name from the begin on is "a" itself
  CHECK(told(tracking) == "1: a");
  CHECK(tracking.keys() == 1);
  tracking.answered(100);
  CHECK(told(tracking) == "1: a");  // nobody remembers it: no later change would be told
  tracking.modified("a", 0);
  CHECK_FALSE(tracking.has_notices());
  tracking.put_aside(101, 1, {"c", "d", "c"});  // each pushes out one before it
  CHECK(told(tracking) == "2: b; 1: c; 1: d");
  tracking.answered(101);
  CHECK(told(tracking) == "1: c d");
  tracking.modified("c", 0);
  CHECK(told(tracking) == "1: c");
}

TEST_CASE("a flush is told to every client and drops what was remembered [T5]") {
  config::Options options;
  Tracking tracking(options);
  tracking.turn_on(1, {}, {});
  tracking.turn_on(2, broadcast(), {"x"});
  tracking.remember(1, "a");
  tracking.modified("x", 0);
  tracking.flushed();
  tracking.flushed();
  CHECK(tracking.keys() == 0);
  std::string text = told(tracking);
  CHECK((text == "1 2: *" || text == "2 1: *"));
  tracking.modified("a", 0);
  CHECK(told(tracking).empty());
}

TEST_CASE("a node that cannot know what changes flushes, again and again [T5]") {
  config::Options options;
  Tracking tracking(options);
  Tracking::Sight sight{true, true, LogIndex{10}, LogIndex{10}, 300};
  sight.knows_leader = false;
  tracking.look(sight, 0);
  CHECK_FALSE(tracking.has_notices());  // nobody is there
  tracking.turn_on(1, {}, {});
  sight.knows_leader = true;
  tracking.look(sight, 100);
  CHECK_FALSE(tracking.has_notices());
  sight.knows_leader = false;
  tracking.look(sight, 200);
  CHECK(told(tracking) == "1: *");
  tracking.look(sight, 300);
  CHECK(told(tracking).empty());
  tracking.look(sight, 500);
  CHECK(told(tracking) == "1: *");
  sight.knows_leader = true;
  tracking.look(sight, 600);
  CHECK(told(tracking).empty());
  sight.commit = LogIndex{20};
  tracking.look(sight, 700);
  CHECK(told(tracking).empty());
  tracking.look(sight, 999);
  sight.applied = LogIndex{15};
  tracking.look(sight, 999);
  CHECK(told(tracking).empty());
  tracking.look(sight, 1000);  // 20 was known 300 ms ago
  CHECK(told(tracking) == "1: *");
  sight.applied = LogIndex{20};
  tracking.look(sight, 1100);
  CHECK(told(tracking).empty());
  sight.serves = false;
  tracking.look(sight, 1200);
  CHECK(told(tracking) == "1: *");
}

TEST_CASE("whatever is read, changed and put aside, no client keeps an old value") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Prng prng(seed);
    config::Options options;
    options.tracking_table_max_keys = static_cast<int64_t>(prng.below(6));  // 0: no limit
    Tracking tracking(options);
    std::map<std::string, int> state;
    std::map<std::string, int> cache[3];
    std::map<uint64_t, std::pair<ConnectionId, std::map<std::string, int>>> aside;
    for (ConnectionId id = 0; id < 3; ++id) {
      tracking.turn_on(id + 1, {}, {});
    }
    uint64_t reads = 0;
    for (int step = 0; step < 400; ++step) {
      const ConnectionId id = prng.below(3);
      const std::string key(1, static_cast<char>('a' + prng.below(8)));
      const uint64_t draw = prng.below(8);
      if (draw < 3) {
        tracking.remember(id + 1, key);
        cache[id][key] = state[key];
      } else if (draw < 5) {
        ++state[key];
        tracking.modified(key, 0);
      } else if (draw == 5) {
        const std::string other(1, static_cast<char>('a' + prng.below(8)));
        tracking.put_aside(++reads, id + 1, {key, other});
        aside[reads] = {id, {{key, state[key]}, {other, state[other]}}};
      } else if (draw == 6 && !aside.empty()) {
        const auto first = aside.begin();
        tracking.answered(first->first);
        for (const auto& [name, value] : first->second.second) {
          cache[first->second.first][name] = value;
        }
        aside.erase(first);
      } else if (draw == 7 && prng.chance(1, 10)) {
        for (auto& [name, value] : state) {
          ++value;
        }
        tracking.flushed();
      }
      for (const Tracking::Notice& notice : tracking.take_notices()) {
        for (const ConnectionId client : notice.clients) {
          for (const std::string& name : notice.keys) {
            cache[client - 1].erase(name);
          }
          if (notice.everything) {
            cache[client - 1].clear();
          }
        }
      }
      for (const auto& one : cache) {
        for (const auto& [name, value] : one) {
          REQUIRE(value == state[name]);
        }
      }
    }
  }
}

TEST_CASE("the bytes of invalidations are those of Redis 7.0") {
  const Tracking::Notice keys{{1}, false, {"a", "bc"}};
  const Tracking::Notice all{{1}, true, {}};
  CHECK(invalidation_push(keys) == ">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n");
  CHECK(invalidation_push(all) == ">2\r\n$10\r\ninvalidate\r\n_\r\n");
  CHECK(invalidation_message(keys) ==
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*2\r\n$1\r\na\r\n$2\r\nbc\r\n");
  CHECK(invalidation_message(all) ==
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
}

}  // namespace kiwi::resp
