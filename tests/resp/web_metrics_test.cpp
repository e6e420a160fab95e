// /metrics: the text format whatever labels hold, every row of metrics.def, what a loop that stands
// still leaves of it.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "config/base/utf8.hpp"
#include "config/metrics.hpp"
#include "resp/histogram.hpp"
#include "resp/web/exposition.hpp"
#include "resp/web/scrape.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp::web {
namespace {

struct Text {
  std::map<std::string, std::string> types;    // family -> type
  std::map<std::string, std::string> samples;  // name with labels -> value
};

// By the rules of the format: HELP, then TYPE, then samples of that family, each once.
Text parse(const std::string& text) {
  Text out;
  std::istringstream lines(text);
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    CHECK_MESSAGE(valid_utf8(line) == line, line);
    std::istringstream words(line);
    std::string first;
    std::string kind;
    words >> first;
    if (first == "#") {
      words >> kind >> family;
      if (kind == "TYPE") {
        std::string type;
        words >> type;
        CHECK_MESSAGE(out.types.emplace(family, type).second, family);
      }
      continue;
    }
    const size_t value = line.rfind(' ');
    REQUIRE_MESSAGE(value != std::string::npos, line);
    const std::string name = line.substr(0, line.find_first_of("{ "));
    const bool part =
        out.types[family] == "histogram" &&
        (name == family + "_bucket" || name == family + "_sum" || name == family + "_count");
    CHECK_MESSAGE((part || name == family), line);
    CHECK_MESSAGE(out.samples.emplace(line.substr(0, value), line.substr(value + 1)).second, line);
  }
  return out;
}

Vitals healthy() {
  Vitals vitals;
  vitals.opened = true;
  vitals.now_ms = vitals.client_beat_ms = vitals.raft_beat_ms = 10'000;
  vitals.readiness = Readiness::kReady;
  vitals.election_timeout_ms = 300;
  return vitals;
}

TEST_SUITE("web") {
  TEST_CASE("a label holds any bytes and its line stays one") {
    CHECK(label_value("plain") == "plain");
    CHECK(label_value("a\"b\\c\nd") == "a\\\"b\\\\c\\nd");
    CHECK(label_value(std::string("\0\x01\x7f", 3)) == "???");
    CHECK(label_value("\xc3\xa9") == "\xc3\xa9");
    CHECK(label_value("\xff") == "\xef\xbf\xbd");
    Exposition out;
    out.family("kiwi_errors_total", Exposition::Type::kCounter, "of a test");
    out.sample({{"error", "x\"} 1\nkiwi_evil 7"}}, uint64_t{3});
    CHECK(out.take() ==
          "# HELP kiwi_errors_total of a test\n# TYPE kiwi_errors_total counter\n"
          "kiwi_errors_total{error=\"x\\\"} 1\\nkiwi_evil 7\"} 3\n");
  }

  TEST_CASE("a histogram's buckets count up to all of it") {
    config::DurationCounts counts;
    counts.add(5);
    counts.add(1000);
    counts.add(60'000'000);
    Exposition out;
    out.family("kiwi_x_seconds", Exposition::Type::kHistogram, "of a test");
    out.histogram({{"command", "get"}}, counts);
    const Text text = parse(out.take());
    CHECK(text.samples.at("kiwi_x_seconds_bucket{command=\"get\",le=\"1e-05\"}") == "1");
    CHECK(text.samples.at("kiwi_x_seconds_bucket{command=\"get\",le=\"0.0005\"}") == "1");
    CHECK(text.samples.at("kiwi_x_seconds_bucket{command=\"get\",le=\"0.001\"}") == "2");
    CHECK(text.samples.at("kiwi_x_seconds_bucket{command=\"get\",le=\"10.0\"}") == "2");
    CHECK(text.samples.at("kiwi_x_seconds_bucket{command=\"get\",le=\"+Inf\"}") == "3");
    CHECK(text.samples.at("kiwi_x_seconds_count{command=\"get\"}") == "3");
    CHECK(text.samples.at("kiwi_x_seconds_sum{command=\"get\"}") == "60.001005");
    CHECK(text.samples.size() == config::kDurationEndsUs.size() + 3);
  }

  TEST_CASE("fine histograms fit into the coarse ones") {
    Histogram fine;
    for (const int64_t us : {0, 3, 9, 999, 1000, 2'000'000}) {
      fine.add(us);
    }
    const config::DurationCounts coarse = fine.durations();
    uint64_t all = 0;
    for (const uint64_t count : coarse.counts) {
      all += count;
    }
    CHECK(all == fine.total());
    CHECK(coarse.counts[0] == 3);
    CHECK(coarse.total_us == 2'002'011);
  }

  TEST_CASE("every row of metrics.def has a series, with its value and type") {
    TestNode node;
    node.metrics.net_input_bytes = 12;
    node.raft_metrics.fsync_total_microseconds.set(2'500'000);
    node.raft_metrics.log_sync.add(700);
    const Scrape scrape = take_scrape(node.context);
    const Text text = parse(write_scrape(&scrape, healthy()));
    for (const config::MetricValue& row : config::metric_values(node.metrics, node.raft_metrics)) {
      const std::string series(row.series);
      CHECK_MESSAGE(text.samples.count(series) == 1, series);
      CHECK(text.types.at(series) ==
            (row.type == config::MetricType::kCounter ? "counter" : "gauge"));
    }
    for (const config::DurationsValue& row :
         config::duration_values(node.metrics, node.raft_metrics)) {
      CHECK(text.types.at(std::string(row.series)) == "histogram");
    }
    CHECK(text.samples.at("kiwi_net_input_bytes_total") == "12");
    CHECK(text.samples.at("kiwi_log_synced_seconds_total") == "2.5");
    CHECK(text.samples.at("kiwi_log_sync_seconds_count") == "1");
    CHECK(text.samples.at("kiwi_service{state=\"up\"}") == "1");
    CHECK(text.samples.at("kiwi_service{state=\"loading\"}") == "0");
    CHECK(text.samples.at("kiwi_loop_stalled{loop=\"client\"}") == "0");
  }

  TEST_CASE("commands that were used are told, and errors, also of scripts that make words up") {
    TestNode node;
    TestClient client(node);
    client.send("PING\r\nNOSUCH\r\n");
    node.context.measures.count_error("-EVIL\x01\"\xff word\r\n");
    node.context.measures.count_error("-EVIL\x02\"\xff word\r\n");
    const Scrape scrape = take_scrape(node.context);
    const Text text = parse(write_scrape(&scrape, healthy()));
    CHECK(text.samples.at("kiwi_command_calls_total{command=\"ping\"}") == "1");
    CHECK(text.samples.count("kiwi_command_calls_total{command=\"get\"}") == 0);
    CHECK(text.samples.at("kiwi_command_service_seconds_count{command=\"ping\"}") == "1");
    CHECK(text.samples.at("kiwi_errors_total{error=\"ERR\"}") == "1");
    CHECK(text.samples.at("kiwi_errors_total{error=\"EVIL?\\\"\xef\xbf\xbd\"}") == "2");
    CHECK(text.samples.at("kiwi_connected_clients") == "1");
  }

  TEST_CASE("a leader tells how far its followers are, and only a leader") {
    TestNode node;
    raft::Status& raft = node.context.status.raft;
    raft.id = NodeId{1};
    raft.peers.resize(1);
    raft.peers[0].member.id = NodeId{2};
    raft.peers[0].lag_entries = 41;
    raft.peers[0].lag_ms = 1500;
    node.context.status.links[NodeId{2}].up = true;
    for (const bool leads : {false, true}) {
      raft.role = leads ? raft::Role::kLeader : raft::Role::kFollower;
      const Scrape scrape = take_scrape(node.context);
      const Text text = parse(write_scrape(&scrape, healthy()));
      CHECK(text.samples.count("kiwi_peer_lag_entries{peer=\"2\"}") == (leads ? 1 : 0));
      CHECK(text.samples.at("kiwi_peer_up{peer=\"2\"}") == "1");
      if (leads) {
        CHECK(text.samples.at("kiwi_peer_lag_seconds{peer=\"2\"}") == "1.5");
        CHECK(text.samples.at("kiwi_raft_role{role=\"leader\"}") == "1");
      }
    }
  }

  TEST_CASE("of a loop that stands still, that is told") {
    Vitals vitals = healthy();
    vitals.client_beat_ms -= 1500;
    const Text text = parse(write_scrape(nullptr, vitals));
    CHECK(text.samples.at("kiwi_loop_stalled{loop=\"client\"}") == "1");
    CHECK(text.samples.at("kiwi_loop_stalled{loop=\"raft\"}") == "0");
    CHECK(text.samples.at("kiwi_ready") == "0");
    CHECK(text.samples.count("kiwi_connected_clients") == 0);
  }
}

}  // namespace
}  // namespace kiwi::resp::web
