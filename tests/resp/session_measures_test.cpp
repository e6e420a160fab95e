// What is counted, timed and kept of the commands of a node's clients, as far as a session sees it.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "resp/histogram.hpp"
#include "resp/latency_monitor.hpp"
#include "resp/slow_log.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {

namespace {

// A node whose clock the test moves.
struct Timed : TestNode {
  int64_t at_ns = 1'000'000;
  Timed() { context.measures.set_clock(CycleClock::fixed(&at_ns)); }
};

const Measures::Row& row(const TestNode& node, std::string_view name) {
  const CommandSpec* found = nullptr;
  for (const CommandSpec& one : all_commands()) {
    found = one.name == name ? &one : found;
  }
  REQUIRE(found != nullptr);
  return node.context.measures.row(*found);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("measures") {
  TEST_CASE("a histogram knows values to 3 percent, at any size") {
    Prng random(7);
    Histogram histogram;
    std::vector<uint64_t> values;
    for (int i = 0; i < 5000; ++i) {
      const uint64_t digits = 32 + random.below(32);
      values.push_back(random.next() >> digits);
      values.back() = std::min<uint64_t>(values.back(), Histogram::kMostUs);
      histogram.add(static_cast<int64_t>(values.back()));
    }
    std::ranges::sort(values);
    CHECK(histogram.total() == values.size());
    for (const double percent : {0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
      const auto rank = static_cast<size_t>(
          std::max(1.0, std::ceil(percent / 100 * static_cast<double>(values.size()))));
      const auto exact = static_cast<double>(values[rank - 1]);
      CAPTURE(percent);
      CHECK(histogram.percentile(percent) >= exact);
      CHECK(histogram.percentile(percent) <= exact * 33 / 32 + 1);
    }
    uint64_t before = 0;
    for (uint64_t end = 1; end < uint64_t{1} << 33; end *= 2) {
      const uint64_t count = histogram.not_above(end);
      CHECK(count >= before);
      CHECK(count <= static_cast<uint64_t>(std::ranges::count_if(
                         values, [&](uint64_t value) { return value <= end; })));
      before = count;
    }
    CHECK(before == values.size());
  }

  TEST_CASE("a histogram takes what no clock should say") {
    Histogram histogram;
    CHECK(histogram.percentile(50) == 0);
    histogram.add(-5);
    histogram.add(INT64_MAX);
    CHECK(histogram.total() == 2);
    CHECK(histogram.percentile(50) == 0);
    CHECK(histogram.percentile(100) >= static_cast<double>(Histogram::kMostUs));
    CHECK(histogram.not_above(0) == 1);
  }

  TEST_CASE("long commands are kept short in SLOWLOG, and what is secret not at all") {
    const auto kept = [](const std::vector<std::string>& argv) {
      const std::vector<std::string_view> words(argv.begin(), argv.end());
      return SlowLog::shortened(*resolve_command(words, kAnyVersion).row, words);
    };
    CHECK(kept({"SET", "k", std::string(128, 'x')})[2] == std::string(128, 'x'));
    CHECK(kept({"set", "k", std::string(300, 'x')})[2] ==
          std::string(128, 'x') + "... (172 more bytes)");
    std::vector<std::string> argv{"sadd", "s"};
    for (int i = 1; i <= 30; ++i) {
      argv.push_back(std::to_string(i));
    }
    CHECK(kept(argv) == argv);  // 32 words are not too many
    for (int i = 31; i <= 50; ++i) {
      argv.push_back(std::to_string(i));
    }
    const std::vector<std::string> cut = kept(argv);
    CHECK(cut.size() == 32);
    CHECK(cut[30] == "29");
    CHECK(cut[31] == "... (21 more arguments)");
    using Words = std::vector<std::string>;
    const std::string hidden = "(redacted)";
    CHECK(kept({"AUTH", "pw"}) == Words{"AUTH", hidden});
    CHECK(kept({"auth", "me", "pw"}) == Words{"auth", hidden, hidden});
    CHECK(kept({"hello", "2", "auth", "me", "pw", "setname", "n"}) ==
          Words{"hello", "2", "auth", hidden, hidden, "setname", "n"});
    CHECK(kept({"config", "set", "port", "1", "REQUIREPASS", "pw"}) ==
          Words{"config", "set", "port", "1", "REQUIREPASS", hidden});
    CHECK(kept({"migrate", "h", "1", "", "0", "9", "AUTH", "pw", "copy", "KEYS", "auth", "k"}) ==
          Words{"migrate", "h", "1", "", "0", "9", "AUTH", hidden, "copy", "KEYS", "auth", "k"});
    CHECK(kept({"migrate", "h", "1", "k", "0", "9", "AUTH2", "me", "pw", "copy"}) ==
          Words{"migrate", "h", "1", "k", "0", "9", "AUTH2", hidden, hidden, "copy"});
    // A name that reads like an option, and an option that is none: the password may be next to it.
    CHECK(kept({"hello", "3", "SETNAME", "auth", "AUTH", "default", "pw"}) ==
          Words{"hello", "3", "SETNAME", "auth", "AUTH", hidden, hidden});
    CHECK(kept({"hello", "3", "AUTH", "me", "auth", "SETNAME", "n"}) ==
          Words{"hello", "3", "AUTH", hidden, hidden, "SETNAME", "n"});
    CHECK(kept({"hello", "3", "SETNAME", "AUTH", "default", "pw"}) ==
          Words{"hello", "3", "SETNAME", "AUTH", hidden, hidden});
    CHECK(kept({"hello", "AUTH", "me", "pw"}) == Words{"hello", "AUTH", hidden, hidden});
    CHECK(kept({"migrate", "h", "1", "", "0", "9", "AUTH", "keys", "KEYS", "k"}) ==
          Words{"migrate", "h", "1", "", "0", "9", "AUTH", hidden, "KEYS", "k"});
    CHECK(kept({"migrate", "h", "1", "k", "0", "9", "AUHT", "pw"}) ==
          Words{"migrate", "h", "1", "k", "0", "9", hidden, hidden});
  }

  TEST_CASE("SLOWLOG is bounded by its length and by bytes; numbers go on") {
    SlowLog log;
    const auto add = [&](uint64_t most, size_t bytes) {
      SlowCommand command;
      command.args = {std::string(bytes, 'x')};
      log.add(std::move(command), most);
    };
    for (int i = 0; i < 5; ++i) {
      add(3, 10);
    }
    REQUIRE(log.newest_first().size() == 3);
    CHECK(log.newest_first().front().id == 4);
    CHECK(log.newest_first().back().id == 2);
    add(1, 10);
    CHECK(log.newest_first().size() == 1);
    log.clear();
    add(UINT64_MAX, 10);
    CHECK(log.newest_first().front().id == 6);
    for (int i = 0; i < 5; ++i) {
      add(UINT64_MAX, SlowLog::kBytes / 4);
    }
    CHECK(log.newest_first().size() == 3);
  }

  TEST_CASE("a data command counts when it is answered; its time begins with the socket read") {
    Timed node;
    TestClient client(node);
    client.send("SET a 1\r\nGET a\r\n");
    const std::vector<Request> requests = client.forwarded();
    REQUIRE(requests.size() == 2);
    CHECK(row(node, "set").calls == 0);
    node.at_ns += 2'000'000;
    client.answer(requests[0].slot, "+OK\r\n");
    node.at_ns += 3'000'000;
    client.answer(requests[1].slot, "-WRONGTYPE x\r\n");
    CHECK(row(node, "set").calls == 1);
    CHECK(row(node, "set").failed == 0);
    CHECK(row(node, "set").executed_ns == 0);  // the executor would have said
    CHECK(row(node, "get").calls == 1);
    CHECK(row(node, "get").failed == 1);
    CHECK(row(node, "set").service->percentile(50) == doctest::Approx(2000).epsilon(0.04));
    CHECK(row(node, "get").service->percentile(50) == doctest::Approx(5000).epsilon(0.04));
    CHECK(has(client.send("INFO commandstats\r\n"),
              "\r\ncmdstat_get:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=1"
              "\r\n"));
  }

  TEST_CASE("refused commands are counted apart, unknown ones nowhere") {
    Timed node;
    TestClient client(node);
    client.send("GET\r\nGET a b\r\nnope\r\nconfig nope\r\nMULTI\r\nGET\r\nEXEC\r\n");
    CHECK(client.forwarded().empty());
    CHECK(row(node, "get").rejected == 3);
    CHECK(row(node, "get").calls == 0);
    CHECK_FALSE(row(node, "config").is_used());
    CHECK(row(node, "exec").calls == 1);
    CHECK(row(node, "exec").failed == 1);
    CHECK(row(node, "multi").calls == 1);
    const std::string info = client.send("INFO commandstats\r\n");
    CHECK(has(info, "cmdstat_get:calls=0,usec=0,usec_per_call=0.00,rejected_calls=3,"));
    CHECK_FALSE(has(info, "cmdstat_config:"));
  }

  TEST_CASE("a block of local commands counts them and EXEC, each once") {
    Timed node;
    TestClient client(node);
    client.send("MULTI\r\nPING\r\nPING\r\nEXEC\r\n");
    CHECK(row(node, "ping").calls == 2);
    CHECK(row(node, "ping").service == nullptr);  // nobody waited for them alone
    CHECK(row(node, "exec").calls == 1);
    client.send("MULTI\r\nGET a\r\nPING\r\nEXEC\r\n");
    CHECK(row(node, "exec").calls == 1);
    client.answer(client.forwarded()[0].slot, "*1\r\n$-1\r\n");
    CHECK(row(node, "exec").calls == 2);
    CHECK(row(node, "ping").calls == 3);
    CHECK(row(node, "get").calls == 0);  // the executor's to count
    client.send("MULTI\r\nSELECT x\r\nEXEC\r\n");
    CHECK(row(node, "select").failed == 1);
    CHECK(row(node, "exec").failed == 0);
    CHECK(node.context.measures.errors().at("ERR") == 1);
  }

  TEST_CASE("commands with a way of their own count once: WATCH, PUBLISH, CONFIG SET, SUBSCRIBE") {
    Timed node;
    TestClient client(node);
    client.send("WATCH a\r\n");
    client.answer(client.forwarded()[0].slot, "+OK\r\n");
    CHECK(row(node, "watch").calls == 1);
    client.send("PUBLISH c m\r\n");
    CHECK(row(node, "publish").calls == 1);
    client.send("CONFIG SET lua-steps-max 2000000\r\n");
    CHECK(row(node, "config|set").calls == 0);
    client.answer(client.forwarded()[0].slot, "+OK\r\n");
    CHECK(row(node, "config|set").calls == 1);
    client.send("CONFIG SET timeout 5\r\n");
    CHECK(row(node, "config|set").calls == 2);
    client.send("SUBSCRIBE c\r\nUNSUBSCRIBE c\r\n");
    CHECK(row(node, "subscribe").calls == 1);
    CHECK(row(node, "unsubscribe").calls == 1);
  }

  TEST_CASE("CONFIG RESETSTAT forgets what was counted, and counts itself") {
    Timed node;
    TestClient client(node);
    client.send("PING\r\nGET\r\nCONFIG RESETSTAT\r\n");
    CHECK_FALSE(row(node, "ping").is_used());
    CHECK_FALSE(row(node, "get").is_used());
    CHECK(row(node, "config|resetstat").calls == 1);
    CHECK(client.send("LATENCY HISTOGRAM ping config\r\n")
              .starts_with("*2\r\n$16\r\nconfig|resetstat\r\n*4\r\n$5\r\ncalls\r\n:1\r\n"));
  }

  TEST_CASE("latency-tracking no keeps what is known and adds nothing") {
    Timed node;
    TestClient client(node);
    client.send("PING\r\n");
    client.send("CONFIG SET latency-tracking no\r\n");
    client.send("PING\r\n");
    CHECK(row(node, "ping").calls == 2);
    CHECK(row(node, "ping").service->total() == 1);
    CHECK(client.send("INFO latencystats\r\n") == "$16\r\n# Latencystats\r\n\r\n");
  }

  TEST_CASE("INFO all has all sections of Redis 7.0 in its order, INFO alone the usual ones") {
    Timed node;
    TestClient client(node);
    const std::string usual = client.send("INFO\r\n");
    CHECK_FALSE(has(usual, "# Commandstats"));
    CHECK_FALSE(has(usual, "# Latencystats"));
    for (const char* word : {"INFO all\r\n", "INFO everything\r\n"}) {
      const std::string all = client.send(word);
      size_t at = 0;
      for (const char* title : {"# Server", "# Modules", "# Commandstats", "# Errorstats",
                                "# Latencystats", "# Cluster", "# Keyspace"}) {
        CAPTURE(title);
        const size_t found = all.find(std::string(title) + "\r\n");
        REQUIRE(found != std::string::npos);
        CHECK(found >= at);
        at = found;
      }
      CHECK(has(all, "\r\ncmdstat_info:calls="));
      CHECK(has(all, "\r\nlatency_percentiles_usec_info:p50=0.000,p99=0.000,p99.9=0.000\r\n"));
    }
  }

  TEST_CASE("LATENCY HISTOGRAM counts upwards in the steps of Redis") {
    Timed node;
    TestClient client(node);
    for (const int64_t us : {1, 2, 3, 30, 33, 40, 2'000'000}) {
      client.send("GET a\r\n");
      node.at_ns += us * 1000;
      client.answer(client.forwarded()[0].slot, "$-1\r\n");
    }
    const std::string expected =
        "$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:7\r\n$14\r\nhistogram_usec\r\n*12\r\n:1\r\n:1\r\n"
        ":2\r\n:2\r\n:4\r\n:3\r\n:33\r\n:5\r\n:66\r\n:6\r\n:2164260\r\n:7\r\n";
    CHECK(client.send("LATENCY HISTOGRAM GET nope\r\n") == "*2\r\n" + expected);
    CHECK(has(client.send("LATENCY HISTOGRAM\r\n"), expected));
    CHECK(client.send("HELLO 3\r\nLATENCY HISTOGRAM get\r\n")
              .ends_with("%1\r\n$3\r\nget\r\n%2\r\n$5\r\ncalls\r\n:7\r\n$14\r\nhistogram_usec\r\n%"
                         "6\r\n:1\r\n:1\r\n"
                         ":2\r\n:2\r\n:4\r\n:3\r\n:33\r\n:5\r\n:66\r\n:6\r\n:2164260\r\n:7\r\n"));
  }

  TEST_CASE("SLOWLOG has who asked, what and how long; EXEC itself is not there") {
    Timed node;
    TestClient client(node);
    client.send("CLIENT SETNAME me\r\nCONFIG SET slowlog-log-slower-than 0\r\nSLOWLOG RESET\r\n");
    client.send("SLOWLOG RESET\r\nMULTI\r\nPING x\r\nEXEC\r\n");
    client.send("CONFIG SET slowlog-log-slower-than -1\r\n");
    const std::string who = "$15\r\n127.0.0.1:50007\r\n$2\r\nme\r\n";
    CHECK(client.send("SLOWLOG GET 2\r\n") ==
          "*2\r\n*6\r\n:4\r\n:1700000000\r\n:0\r\n*2\r\n$4\r\nPING\r\n$1\r\nx\r\n" + who +
              "*6\r\n:3\r\n:1700000000\r\n:0\r\n*1\r\n$5\r\nMULTI\r\n" + who);
    CHECK(client.send("SLOWLOG LEN\r\n") == ":3\r\n");
    client.send("CONFIG SET slowlog-max-len 0\r\nCONFIG SET slowlog-log-slower-than 0\r\nPING\r\n");
    CHECK(client.send("SLOWLOG LEN\r\n") == ":3\r\n");
  }

  TEST_CASE("the executor's slow commands are kept with their client, also when it has gone") {
    Timed node;
    TestClient client(node);
    const std::vector<std::string_view> argv{"keys", "*"};
    Measures& measures = node.context.measures;
    measures.executed(*find_command("keys"), 9'999'999, 7, argv);
    CHECK(measures.slow_log().newest_first().empty());
    measures.executed(*find_command("keys"), 10'000'000, 7, argv);
    measures.executed(*find_command("keys"), 12'345'000, 8, argv);
    const auto& kept = measures.slow_log().newest_first();
    REQUIRE(kept.size() == 2);
    CHECK(kept[0].took_us == 12'345);
    CHECK(kept[0].address == "?:0");
    CHECK(kept[1].address == "127.0.0.1:50007");
    CHECK(row(node, "keys").executed_ns == 32'344'999);
    CHECK(row(node, "keys").calls == 0);
  }

  TEST_CASE("LATENCY keeps the slowest of a second, of the last 160 seconds that had one") {
    config::Options options;
    int64_t wall_s = 5000;
    LatencyMonitor monitor(&options, [&] { return wall_s * 1'000'000; });
    monitor.add(LatencyEvent::kCommit, 1000);
    CHECK(monitor.find(LatencyEvent::kCommit) == nullptr);  // it is off
    CHECK(has(monitor.report(), "Latency monitoring is disabled"));
    options.latency_monitor_threshold = 10;
    monitor.add(LatencyEvent::kCommit, 9);
    CHECK(monitor.find(LatencyEvent::kCommit) == nullptr);
    CHECK(has(monitor.report(), "no latency spike was observed"));
    monitor.add(LatencyEvent::kCommit, 30);
    monitor.add(LatencyEvent::kCommit, 20);
    monitor.add(LatencyEvent::kCommit, 40);
    REQUIRE(monitor.find(LatencyEvent::kCommit)->samples.size() == 1);
    CHECK(monitor.find(LatencyEvent::kCommit)->samples[0].ms == 40);
    for (int i = 0; i < 200; ++i) {
      ++wall_s;
      monitor.add(LatencyEvent::kCommit, 15);
    }
    const LatencyMonitor::Series& series = *monitor.find(LatencyEvent::kCommit);
    CHECK(series.samples.size() == LatencyMonitor::kSamples);
    CHECK(series.samples.front().at_s == 5041);
    CHECK(series.samples.back().at_s == 5200);
    CHECK(series.most_ms == 40);
    const std::string report = monitor.report();
    CHECK(has(report,
              "1. commit: 160 latency spikes (average 15ms, mean deviation 0ms, period 0.99 "
              "sec). Worst all time event 40ms.\n"));
    CHECK(has(report, "- Writes wait for the log"));
    CHECK(monitor.reset(LatencyEvent::kCommit));
    CHECK_FALSE(monitor.reset(LatencyEvent::kCommit));
    CHECK(monitor.reset_all() == 0);
    for (size_t i = 0; i < LatencyMonitor::kEvents; ++i) {
      const auto event = static_cast<LatencyEvent>(i);
      CHECK(latency_event(name_of(event)) == event);
    }
  }

  TEST_CASE("LATENCY GRAPH is drawn as by Redis 7.0") {
    config::Options options;
    options.latency_monitor_threshold = 1;
    int64_t wall_s = 100'000;
    LatencyMonitor monitor(&options, [&] { return wall_s * 1'000'000; });
    for (const auto& [at_s, ms] : std::vector<std::pair<int64_t, int64_t>>{
             {1000, 1}, {90'000, 12}, {99'900, 6}, {99'990, 7}}) {
      wall_s = at_s;
      monitor.add(LatencyEvent::kCommand, ms);
    }
    wall_s = 100'000;
    CHECK(monitor.graph(LatencyEvent::kCommand) ==
          "command - high 12 ms, low 1 ms (all time high 12 ms)\n" + std::string(80, '-') +
              "\n"
              " #  \n"
              " | _\n"
              " |#|\n"
              "_|||\n"
              "    \n"
              "1211\n"
              "dhm0\n"
              "   s\n");
  }

  TEST_CASE("slow commands are LATENCY's events, apart for those that should be fast") {
    Timed node;
    TestClient client(node);
    node.options.latency_monitor_threshold = 5;
    node.options.slowlog_log_slower_than = -1;
    const std::vector<std::string_view> argv{"x"};
    Measures& measures = node.context.measures;
    measures.executed(*find_command("keys"), 6'000'000, 7, argv);
    measures.executed(*find_command("get"), 7'000'000, 7, argv);
    measures.executed(*find_command("eval"), 8'000'000, 7, argv);
    measures.executed(*find_command("eval"), 4'999'999, 7, argv);
    CHECK(client.send("LATENCY LATEST\r\n") ==
          "*3\r\n*4\r\n$7\r\ncommand\r\n:1700000000\r\n:8\r\n:8\r\n"
          "*4\r\n$12\r\nfast-command\r\n:1700000000\r\n:7\r\n:7\r\n"
          "*4\r\n$6\r\nscript\r\n:1700000000\r\n:8\r\n:8\r\n");
    CHECK(client.send("LATENCY HISTORY fast-command\r\n") == "*1\r\n*2\r\n:1700000000\r\n:7\r\n");
    CHECK(client.send("LATENCY RESET script nope\r\n") == ":1\r\n");
    CHECK(client.send("LATENCY RESET\r\n") == ":2\r\n");
    CHECK(client.send("SLOWLOG LEN\r\n") == ":0\r\n");
  }
}

}  // namespace kiwi::resp
