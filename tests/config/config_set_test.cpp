#include <algorithm>
#include <map>

#include <doctest/doctest.h>

#include "config/options.hpp"

namespace kiwi::config {
namespace {

using Words = std::vector<std::string_view>;

std::string error_of(const Words& words) {
  Options options;
  Options before = options;
  Result<void> done = set(options, words);
  CHECK_MESSAGE((done || options == before), "a failed CONFIG SET changed something");
  return done ? "" : done.error().text;
}

std::map<std::string, std::string> shown(const Options& options, const Words& patterns) {
  auto pairs = get(options, patterns);
  return {pairs.begin(), pairs.end()};
}

TEST_SUITE("config") {
  TEST_CASE("CONFIG SET changes what may change, all or nothing") {
    Options options;
    CHECK(set(options, Words{"timeout", "10", "LogLevel", "debug"}));
    CHECK(options.timeout == 10);
    CHECK(options.loglevel == LogLevel::kDebug);
    CHECK(!set(options, Words{"timeout", "11", "tcp-keepalive", "x"}));
    CHECK(options.timeout == 10);
  }

  // Texts recorded from redis-server 7.0.15.
  TEST_CASE("CONFIG SET refuses in Redis' words") {
    const std::string failed = "CONFIG SET failed (possibly related to argument '";
    CHECK(error_of({"foo", "1"}) == "Unknown option or number of arguments for CONFIG SET - 'foo'");
    CHECK(error_of({"timeout", "10", "foo", "3"}) ==
          "Unknown option or number of arguments for CONFIG SET - 'foo'");
    CHECK(error_of({"databases", "3"}) == failed + "databases') - can't set immutable config");
    CHECK(error_of({"logfile", "a"}) == failed + "logfile') - can't set immutable config");
    CHECK(error_of({"raft.id", "3"}) == failed + "raft.id') - can't set immutable config");
    CHECK(error_of({"appendonly", "yes"}) == failed + "appendonly') - can't set immutable config");
    CHECK(error_of({"timeout", "-1"}) ==
          failed + "timeout') - argument must be between 0 and 2147483647 inclusive");
    CHECK(error_of({"maxclients", "0"}) ==
          failed + "maxclients') - argument must be between 1 and 4294967295 inclusive");
    CHECK(error_of({"timeout", "10", "tcp-keepalive", "zz"}) ==
          failed + "tcp-keepalive') - argument couldn't be parsed into an integer");
    CHECK(error_of({"loglevel", "foo"}) == failed +
                                               "loglevel') - argument(s) must be one of the "
                                               "following: debug, verbose, notice, warning");
    CHECK(error_of({"loglevel", "debug", "loglevel", "notice"}) ==
          failed + "loglevel') - duplicate parameter");
    CHECK(error_of({"client-query-buffer-limit", "100"}) ==
          failed +
              "client-query-buffer-limit') - argument must be between 1048576 and "
              "9223372036854775807 inclusive");
    CHECK(error_of({"client-query-buffer-limit", "1xx"}) ==
          failed + "client-query-buffer-limit') - argument must be a memory value");
    CHECK(error_of({"client-output-buffer-limit", "normal 1 2"}) ==
          failed +
              "client-output-buffer-limit') - Wrong number of arguments in buffer limit "
              "configuration.");
    CHECK(error_of({"client-output-buffer-limit", "foo 1 2 3"}) ==
          failed +
              "client-output-buffer-limit') - Invalid client class specified in buffer limit "
              "configuration.");
    CHECK(error_of({"client-output-buffer-limit", "normal a 2 3"}) ==
          failed +
              "client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in "
              "buffer limit configuration.");
    CHECK(error_of({"timeout", "1", "timeout"}) == "syntax error");
    const std::string percentiles = "latency-tracking-info-percentiles";
    CHECK(error_of({percentiles, "50 x"}) ==
          failed + percentiles + "') - Invalid latency-tracking-info-percentiles parameters");
    CHECK(error_of({percentiles, "100.1"}) ==
          failed + percentiles +
              "') - latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    CHECK(error_of({percentiles, "nan"})
              .ends_with("Invalid latency-tracking-info-percentiles "
                         "parameters"));
  }

  TEST_CASE("percentiles are any numbers from 0 to 100, in the order that was asked for") {
    Options options;
    const std::string_view name = "latency-tracking-info-percentiles";
    CHECK(shown(options, {name}).begin()->second == "50 99 99.9");
    CHECK(set(options, Words{name, "99.990  0 50.0 1e2"}));
    CHECK(shown(options, {name}).begin()->second == "99.99 0 50 100");
    CHECK(set(options, Words{name, ""}));
    CHECK(shown(options, {name}).begin()->second.empty());
    std::string many;
    for (int i = 0; i <= 100; ++i) {
      many += " " + std::to_string(i);
    }
    CHECK(!set(options, Words{name, many}));
    CHECK(options.latency_tracking_info_percentiles.values.empty());
  }

  TEST_CASE("CONFIG GET: globs in any case, bytes as numbers, each option once") {
    Options options;
    CHECK(shown(options, {"MAXCLIENTS"}) ==
          std::map<std::string, std::string>{{"maxclients", "10000"}});
    CHECK(shown(options, {"tcp-*", "*keepalive", "tcp-backlog"}) ==
          std::map<std::string, std::string>{{"tcp-backlog", "511"}, {"tcp-keepalive", "300"}});
    CHECK(get(options, Words{"tcp-*", "tcp-*"}).size() == 2);
    CHECK(shown(options, {"client-query-buffer-limit"}).begin()->second == "1073741824");
    CHECK(shown(options, {"bind"}).begin()->second == "127.0.0.1 -::1");
    CHECK(shown(options, {"nothing"}).empty());
    CHECK(shown(options, {"save"}) == std::map<std::string, std::string>{{"save", ""}});
    CHECK(shown(options, {"*"}).contains("appendonly"));
    CHECK(set(options, Words{"client-output-buffer-limit", "normal 2mb 1mb 10"}));
    CHECK(shown(options, {"client-output-buffer-limit"}).begin()->second ==
          "normal 2097152 1048576 10 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
  }

  TEST_CASE("raft.follower-proxy and RedisRaft's knobs may be changed while the node runs [P10]") {
    Options options;
    CHECK(set(options, Words{"raft.follower-proxy", "no", "raft.loglevel", "debug",
                             "raft.log-max-file-size", "1kb", "raft.scan-size", "5"}));
    CHECK_FALSE(options.raft_follower_proxy);
    CHECK(options.loglevel == LogLevel::kDebug);
    CHECK(shown(options, {"raft.loglevel"}).begin()->second == "debug");
    CHECK(shown(options, {"raft.scan-size"}).begin()->second == "5");
    options.raft_cluster_secret = "hunter2";
    CHECK(shown(options, {"raft.cluster-password"}).begin()->second == "********");
  }

  TEST_CASE("hidden options answer to their full name only; the cluster secret to none") {
    Options options;
    options.raft_cluster_secret = "hunter2";
    CHECK(!shown(options, {"raft.*"}).contains("raft.append-req-max-size"));
    CHECK(shown(options, {"raft.append-req-max-size"}).begin()->second == "131072");
    CHECK(shown(options, {"raft.cluster-secret"}).begin()->second == "********");
    options.raft_cluster_secret.clear();
    CHECK(shown(options, {"raft.cluster-secret"}).begin()->second.empty());
  }

  TEST_CASE("option names are lower case, unique, and found by themselves") {
    auto names = option_names();
    CHECK(names.size() >= 35);
    for (std::string_view name : names) {
      CHECK(std::ranges::count(names, name) == 1);
      CHECK(shown(Options{}, {name}).size() == 1);
      CHECK(name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_ ") == std::string_view::npos);
    }
  }
}

}  // namespace
}  // namespace kiwi::config
