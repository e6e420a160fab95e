// INFO memory, MEMORY STATS and what else INFO measures: the figures fit together and are those of
// the parts that were asked.
#include <map>

#include <doctest/doctest.h>

#include "resp/memory_report.hpp"
#include "resp/session_state.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// name -> value.
std::map<std::string, std::string> lines_of(const std::string& info) {
  std::map<std::string, std::string> lines;
  for (size_t at = info.find("\r\n") + 2; at < info.size();) {
    const size_t end = info.find("\r\n", at);
    const std::string line = info.substr(at, end - at);
    const size_t colon = line.find(':');
    if (colon != std::string::npos) {
      lines[line.substr(0, colon)] = line.substr(colon + 1);
    }
    at = end + 2;
  }
  return lines;
}

// A node of whose memory everything is known.
struct Measured {
  Measured() {
    usage.resident_bytes = 300 * kMiB;
    usage.heap_bytes = 200 * kMiB;
    usage.heap_active_bytes = 210 * kMiB;
    usage.heap_resident_bytes = 252 * kMiB;
    usage.system_bytes = 1000 * kMiB;
    usage.allocator = "jemalloc-5.3.0";
    node.context.process_usage = [this] { return usage; };
    node.context.heap_bytes = [this] { return usage.heap_bytes; };
    NodeStatus& status = node.context.status;
    status.keyspace.block_cache_bytes = 10 * kMiB;
    status.keyspace.memtable_bytes = 20 * kMiB;
    status.keyspace.mapped_bytes = 8 * kMiB;
    status.keyspace.memory_bytes = 130 * kMiB;
    status.log_memory_bytes = 5 * kMiB;
    status.log_window_bytes = 3 * kMiB;
    status.router.pending_bytes = kMiB;
    status.router.waiting_bytes = kMiB;
    status.scripts = {.scripts = 2,
                      .script_bytes = 500,
                      .libraries = 1,
                      .functions = 4,
                      .library_bytes = 1000,
                      .image_bytes = kMiB,
                      .arena_bytes = 2 * kMiB};
    node.raft_metrics.peer_queued_bytes.set(4 * kMiB);
    status.databases = {{0, 100, 0}, {3, 100, 0}};
  }
  std::map<std::string, std::string> info() { return lines_of(client.send("INFO memory\r\n")); }

  ProcessUsage usage;
  TestNode node;
  TestClient client{node};
};

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("INFO memory: every part of what is used is told once, and the rest is the data") {
    Measured measured;
    measured.node.context.startup_bytes = 30 * kMiB;
    auto info = measured.info();
    // The heap, and what is mapped: slots of the table and the arena.
    CHECK(info["used_memory"] == std::to_string(210 * kMiB));
    CHECK(info["used_memory_human"] == "210.00M");
    CHECK(info["used_memory_rss"] == std::to_string(300 * kMiB));
    CHECK(info["used_memory_peak_perc"] == "100.00%");
    const uint64_t parts = 10 + 20 + 5 + 3 + 2 + 4 + 3;  // scripts: image and arena
    const uint64_t clients = std::stoull(info["mem_clients_normal"]);
    CHECK(info["used_memory_overhead"] == std::to_string((30 + parts) * kMiB + clients));
    CHECK(info["used_memory_dataset"] == std::to_string((210 - 30 - parts) * kMiB - clients));
    CHECK(info["mem_table"] == std::to_string(100 * kMiB));
    CHECK(info["mem_block_cache"] == std::to_string(10 * kMiB));
    CHECK(info["mem_memtables"] == std::to_string(20 * kMiB));
    CHECK(info["mem_log_store"] == std::to_string(5 * kMiB));
    CHECK(info["mem_replication_backlog"] == std::to_string(3 * kMiB));
    CHECK(info["mem_total_replication_buffers"] == std::to_string(7 * kMiB));
    CHECK(info["mem_cluster_links"] == std::to_string(4 * kMiB));
    CHECK(info["mem_pending_writes"] == std::to_string(2 * kMiB));
    CHECK(info["used_memory_lua"] == std::to_string(3 * kMiB));
    CHECK(info["number_of_cached_scripts"] == "2");
    CHECK(info["number_of_functions"] == "4");
    CHECK(info["used_memory_scripts"] == "1500");
    CHECK(info["allocator_frag_ratio"] == "1.05");
    CHECK(info["allocator_rss_ratio"] == "1.20");
    CHECK(info["allocator_frag_bytes"] == std::to_string(10 * kMiB));
    CHECK(info["rss_overhead_bytes"] == std::to_string(48 * kMiB));
    CHECK(info["mem_fragmentation_ratio"] == "1.43");
    CHECK(info["mem_fragmentation_bytes"] == std::to_string(90 * kMiB));
    CHECK(info["mem_allocator"] == "jemalloc-5.3.0");
  }

  TEST_CASE("INFO memory: an allocator that tells nothing of pages holds what the process holds") {
    Measured measured;
    measured.usage.heap_active_bytes = measured.usage.heap_resident_bytes = 0;
    auto info = measured.info();
    CHECK(info["allocator_active"] == std::to_string(300 * kMiB));
    CHECK(info["allocator_resident"] == std::to_string(300 * kMiB));
    CHECK(info["rss_overhead_ratio"] == "1.00");
  }

  TEST_CASE("INFO memory: parts that are larger than the whole leave no data, and nothing wraps") {
    Measured measured;
    measured.usage.heap_bytes = kMiB;
    measured.usage.resident_bytes = 2 * kMiB;
    auto info = measured.info();
    CHECK(info["used_memory_dataset"] == "0");
    CHECK(info["used_memory_overhead"] == info["used_memory"]);
    CHECK(info["mem_fragmentation_bytes"] == std::to_string(-9 * static_cast<int64_t>(kMiB)));
  }

  TEST_CASE("the peak of memory is what was seen at any time, asked for or not") {
    Measured measured;
    NodeContext& node = measured.node.context;
    measured.usage.heap_bytes = 500 * kMiB;
    note_peak_memory(node);
    measured.usage.heap_bytes = 245 * kMiB;
    auto info = measured.info();
    CHECK(info["used_memory_peak"] == std::to_string(510 * kMiB));
    CHECK(info["used_memory_peak_perc"] == "50.00%");
    measured.usage.heap_bytes = 600 * kMiB;
    CHECK(measured.info()["used_memory_peak"] == std::to_string(610 * kMiB));
  }

  TEST_CASE("what is used at the start is what is left when caches and data are taken away") {
    Measured measured;
    note_startup_memory(measured.node.context);
    const uint64_t clients = measured.node.context.client_memory.used();
    // 210 without the parts (47) and the table (100).
    CHECK(measured.node.context.startup_bytes == (210 - 47 - 100) * kMiB - clients);
    auto info = measured.info();
    const uint64_t more = std::stoull(info["mem_clients_normal"]) - clients;
    CHECK(info["used_memory_dataset"] == std::to_string(100 * kMiB - more));
  }

  TEST_CASE("MEMORY STATS tells the figures of INFO memory") {
    Measured measured;
    auto info = measured.info();
    const std::string stats = measured.client.send("MEMORY STATS\r\n");
    CHECK(stats.starts_with("*64\r\n"));
    auto tells = [&](const std::string& name, const std::string& number) {
      const std::string text =
          "$" + std::to_string(name.size()) + "\r\n" + name + "\r\n:" + number + "\r\n";
      CAPTURE(text);
      CHECK(stats.find(text) != std::string::npos);
    };
    tells("total.allocated", info["used_memory"]);
    tells("peak.allocated", info["used_memory_peak"]);
    // Its own buffers are in these two, and differ between two replies.
    auto tells_about = [&](const std::string& name, const std::string& number) {
      const size_t at = stats.find(name + "\r\n:");
      REQUIRE(at != std::string::npos);
      const int64_t told = std::stoll(stats.substr(at + name.size() + 3));
      CHECK(std::abs(told - std::stoll(number)) < 64 * 1024);
    };
    tells_about("overhead.total", info["used_memory_overhead"]);
    tells_about("dataset.bytes", info["used_memory_dataset"]);
    tells("replication.backlog", info["mem_replication_backlog"]);
    tells("cluster.links", info["mem_cluster_links"]);
    tells("lua.caches", info["used_memory_vm_total"]);
    tells("keys.count", "200");
    tells("keys.bytes-per-key", std::to_string(210 * kMiB / 200));
    tells("allocator.resident", info["allocator_resident"]);
    tells("fragmentation.bytes", info["mem_fragmentation_bytes"]);
    tells("state.table", info["mem_table"]);
    CHECK(measured.client.send("HELLO 3\r\nMEMORY STATS\r\n").find("\r\n%32\r\n") !=
          std::string::npos);
  }

  TEST_CASE("MEMORY DOCTOR names what is out of proportion") {
    Measured measured;
    CHECK(measured.client.send("MEMORY DOCTOR\r\n").find("over 1.4 times") != std::string::npos);
    measured.usage.resident_bytes = 250 * kMiB;
    CHECK(measured.client.send("MEMORY DOCTOR\r\n").find("No memory problem") != std::string::npos);
    measured.node.context.peak_bytes = 1000 * kMiB;
    CHECK(measured.client.send("MEMORY DOCTOR\r\n").find("There were times") != std::string::npos);
  }

  TEST_CASE("INFO keyspace tells what deadlines have left on average") {
    TestNode node;  // whose clock stands at 1,700,000,000,123 ms
    const double now_ms = 1'700'000'000'123;
    node.context.status.databases = {
        {0, 10, 4, now_ms + 5000.9}, {1, 10, 4, now_ms - 1}, {2, 9, 0}};
    TestClient client(node);
    auto lines = lines_of(client.send("INFO keyspace\r\n"));
    CHECK(lines["db0"] == "keys=10,expires=4,avg_ttl=5000");
    CHECK(lines["db1"] == "keys=10,expires=4,avg_ttl=0");  // due, and not gone yet
    CHECK(lines["db2"] == "keys=9,expires=0,avg_ttl=0");
  }

  TEST_CASE("rates are those of the last 1.6 seconds, and begin anew when counters do") {
    Rate rate;
    CHECK(rate.per_second() == 0);
    rate.sample(1000, 5'000'000);
    CHECK(rate.per_second() == 0);
    for (uint64_t tenth = 1; tenth <= 100; ++tenth) {
      rate.sample(1000 + tenth * 50, 5'000'000 + static_cast<int64_t>(tenth) * 100'000);
    }
    CHECK(rate.per_second() == doctest::Approx(500));
    for (uint64_t tenth = 101; tenth <= 108; ++tenth) {
      rate.sample(6000, 5'000'000 + static_cast<int64_t>(tenth) * 100'000);
    }
    CHECK(rate.per_second() == doctest::Approx(250));
    rate.sample(10, 15'900'000);  // CONFIG RESETSTAT
    CHECK(rate.per_second() == 0);
    rate.sample(20, 16'000'000);
    CHECK(rate.per_second() == doctest::Approx(100));
  }

  TEST_CASE(
      "INFO stats measures what clients ask and get, and counts reads and writes of sockets") {
    TestNode node;
    TestClient client(node);
    node.context.sample_rates(0);
    for (int i = 0; i < 10; ++i) {
      CHECK(client.send("PING\r\n") == "+PONG\r\n");
    }
    node.context.sample_rates(1'000'000);
    auto stats = lines_of(client.send("INFO stats\r\n"));
    CHECK(stats["instantaneous_ops_per_sec"] == "10");
    CHECK(stats["instantaneous_input_kbps"] == "0.06");
    CHECK(stats["total_reads_processed"] == "11");
    CHECK(stats["total_writes_processed"] == "10");
    CHECK(stats["sync_full"] == "0");
    node.context.status.snapshot.sent = 5;
    node.context.status.snapshot.sent_deltas = 2;
    stats = lines_of(client.send("INFO stats\r\n"));
    CHECK(stats["sync_full"] == "3");
    CHECK(stats["sync_partial_ok"] == "2");
  }

  TEST_CASE("INFO persistence tells how long a save took, and how long one runs") {
    TestNode node;
    int64_t now_ms = 10'000;
    node.context.monotonic_ms = [&] { return now_ms; };
    AdminDone done;
    node.context.admin.save = [&](AdminDone then) { done = std::move(then); };
    node.context.status.raft.configuration.members.resize(1);
    TestClient client(node);
    auto persistence = lines_of(client.send("INFO persistence\r\n"));
    CHECK(persistence["rdb_last_bgsave_time_sec"] == "-1");
    CHECK(persistence["rdb_current_bgsave_time_sec"] == "-1");
    REQUIRE(client.send("BGSAVE\r\n") == "+Background saving started\r\n");
    now_ms += 3500;
    CHECK(lines_of(client.send("INFO persistence\r\n"))["rdb_current_bgsave_time_sec"] == "3");
    done({});
    persistence = lines_of(client.send("INFO persistence\r\n"));
    CHECK(persistence["rdb_last_bgsave_time_sec"] == "3");
    CHECK(persistence["rdb_current_bgsave_time_sec"] == "-1");
    CHECK(persistence["rdb_saves"] == "1");
  }
}

}  // namespace kiwi::resp
