#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <doctest/doctest.h>

#include "config/options.hpp"

namespace kiwi::config {
namespace {

Result<Options> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "kiwi-server");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

std::string error_of(std::vector<const char*> arguments) {
  auto options = parse(std::move(arguments));
  return options ? "" : options.error().text;
}

// A configuration file that goes away with the test.
class File {
 public:
  explicit File(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("kiwi-config-" + std::to_string(getpid()) + "-" + std::to_string(counter_++))) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~File() { std::filesystem::remove(path_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::string path() const { return path_.string(); }
  Result<Options> parse() const { return config::parse_command_line(2, argv().data()); }
  std::string error() const {
    auto options = parse();
    std::string text = options ? "" : options.error().text;
    size_t at = text.find(path());
    return at == std::string::npos ? text : text.replace(at, path().size(), "F");
  }

 private:
  std::vector<const char*> argv() const { return {"kiwi-server", path_.c_str()}; }
  static inline int counter_ = 0;
  std::filesystem::path path_;
};

TEST_SUITE("config") {
  TEST_CASE("the HTTP port is 1000 above that of clients, another one, or none") {
    CHECK(parse({"--port", "7000"})->web_port() == 8000);
    CHECK(parse({"--http-port", "0"})->web_port() == 0);
    CHECK(parse({"--http-port", "81"})->web_port() == 81);
    CHECK(parse({"--port", "65000", "--raft.peer-port", "100"})->web_port() == 0);
    CHECK(parse({"--raft.peer-port", "7379"})->web_port() == 0);
    CHECK(error_of({"--http-port", "6379"}).find("http-port 6379") != std::string::npos);
    CHECK(error_of({"--http-port", "16379"}).find("needs one of its own") != std::string::npos);
    CHECK(!parse({"--http-port", "-2"}));
  }

  TEST_CASE("without arguments every option has its default") {
    auto options = parse({});
    REQUIRE(options);
    CHECK(*options == Options{});
    CHECK(options->port == 6379);
    CHECK(options->peer_port() == 16379);
    CHECK(options->web_port() == 7379);
    CHECK(options->bind == std::vector<std::string>{"127.0.0.1", "-::1"});
    CHECK(options->raft_follower_proxy);
    CHECK(options->node_id() == NodeId{1});
    CHECK(options->client_address() == HostPort{"127.0.0.1", 6379});
  }

  TEST_CASE("the defaults let a failover fit into the time clients wait [F24]") {
    Options options;
    CHECK(validate(options));
    CHECK(options.raft_heartbeat_interval == 100);
    CHECK(options.raft_election_timeout == 300);
    CHECK(options.raft_response_timeout == 10000);
    options.raft_response_timeout = 1499;
    REQUIRE(!validate(options));
    CHECK(validate(options).error().text ==
          "raft.response-timeout 1499 is too short for raft.election-timeout 300: it must be at "
          "least 5 times that (1500), or every failover shows clients a TIMEOUT");
    options.raft_response_timeout = 1500;
    CHECK(validate(options));
    options.raft_heartbeat_interval = 150;
    REQUIRE(!validate(options));
    CHECK(validate(options).error().text ==
          "raft.heartbeat-interval 150 is too long for raft.election-timeout 300: it must be below "
          "half of it, or one late heartbeat starts an election");
  }

  TEST_CASE("options on the command line, names in any case, later ones win") {
    auto options = parse({"--port", "7000", "--PORT", "7001", "--raft.log-fsync", "no", "--bind",
                          "10.0.0.1", "-::1", "--client-query-buffer-limit", "2mb"});
    REQUIRE(options);
    CHECK(options->port == 7001);
    CHECK(!options->raft_log_fsync);
    CHECK(options->bind == std::vector<std::string>{"10.0.0.1", "-::1"});
    CHECK(options->client_query_buffer_limit == 2097152);
  }

  TEST_CASE("the command line wins over the file") {
    File file("port 7000\ntimeout 5\n");
    auto options = parse({file.path().c_str(), "--port", "7001"});
    REQUIRE(options);
    CHECK(options->port == 7001);
    CHECK(options->timeout == 5);
    CHECK(options->config_file == std::filesystem::canonical(file.path()).string());
  }

  TEST_CASE("a file: comments, blank lines, quotes and escapes as in Redis") {
    File file(
        "# it's a comment with an odd quote\n\n   \t\n\tPort 7000  \r\n"
        "requirepass \"a b\\\"c\\x41\\n\"\nlogfile 'it\\'s \\n'\nbind 127.0.0.1 \"-::1\"\n"
        "raft.cluster-secret \"\"\nloglevel Debug");
    auto options = file.parse();
    REQUIRE_MESSAGE(options, file.error());
    CHECK(options->port == 7000);
    CHECK(options->requirepass == "a b\"cA\n");
    CHECK(options->logfile == "it's \\n");
    CHECK(options->raft_cluster_secret == "");
    CHECK(options->loglevel == LogLevel::kDebug);
  }

  TEST_CASE("units: k is 1000, kb is 1024, in any case") {
    for (auto [text, bytes] : std::vector<std::pair<const char*, int64_t>>{{"1048576", 1048576},
                                                                           {"2097152b", 2097152},
                                                                           {"2000k", 2000000},
                                                                           {"2048KB", 2097152},
                                                                           {"3m", 3000000},
                                                                           {"3mb", 3145728},
                                                                           {"1g", 1000000000},
                                                                           {"1Gb", 1073741824}}) {
      auto options = parse({"--proto-max-bulk-len", text});
      REQUIRE_MESSAGE(options, text);
      CHECK(options->proto_max_bulk_len == bytes);
    }
    for (const char* text : {"", "mb", "1 mb", "1tb", "-1mb", "1.5mb", "9999999999gb", "1mbx"}) {
      CHECK_MESSAGE(!parse({"--proto-max-bulk-len", text}), text);
    }
  }

  TEST_CASE("an error says where, what, and what would be allowed, in one sentence") {
    CHECK(error_of({"--port", "abc"}) ==
          "--port: 'abc' is not a value for port; give it a whole number from 0 to 65535");
    CHECK(error_of({"--port", "65536"}) ==
          "--port: '65536' is not a value for port; give it a whole number from 0 to 65535");
    CHECK(error_of({"--port"}) ==
          "--port: port has no value; give it a whole number from 0 to 65535");
    CHECK(
        error_of({"--port", "1", "2"}) ==
        "--port: port takes one value, but '2' follows the first; put text with spaces in quotes");
    CHECK(error_of({"--raft.log-fsync", "maybe"}) ==
          "--raft.log-fsync: 'maybe' is not a value for raft.log-fsync; give it yes or no");
    CHECK(error_of({"--loglevel", "loud"}) ==
          "--loglevel: 'loud' is not a value for loglevel; give it debug, verbose, notice or "
          "warning");
    CHECK(error_of({"--raft.peers", "1@h:1,1@i:1"}) ==
          "--raft.peers: '1@h:1,1@i:1' is not a value for raft.peers (node id 1 occurs twice); "
          "give it id@host:port[/peerhost:peerport], separated by commas");
    CHECK(error_of({"--proto-max-bulk-len", "1kb"}) ==
          "--proto-max-bulk-len: '1kb' is not a value for proto-max-bulk-len; give it bytes, with "
          "a unit or without (k, kb, m, mb, g, gb), at least 1mb");
    CHECK(error_of({"--appendonly", "no"}) ==
          "--appendonly: 'no' is not a value for appendonly; give it only 'yes'");
    CHECK(error_of({"--"}) == "'--' is not an option; options look like --name value");
    CHECK(File("port 1\n\nport x\n").error() ==
          "F:3: 'x' is not a value for port; give it a whole number from 0 to 65535");
    CHECK(File("requirepass \"ab").error() ==
          "F:1: a quote is not closed, or has text right behind it");
    CHECK(File("requirepass \"a\"b").error() ==
          "F:1: a quote is not closed, or has text right behind it");
    CHECK(error_of({"/nonexistent/kiwi.conf"}) ==
          "cannot read the configuration file '/nonexistent/kiwi.conf': No such file or directory");
    CHECK(error_of({"/tmp"}) == "cannot read the configuration file '/tmp': Is a directory");
  }

  TEST_CASE("an unknown option names the nearest one") {
    CHECK(error_of({"--prot", "1"}) == "--prot: there is no option 'prot'; did you mean 'port'?");
    CHECK(File("raft.election-timeuot 300").error() ==
          "F:1: there is no option 'raft.election-timeuot'; did you mean 'raft.election-timeout'?");
    CHECK(error_of({"--peers", "1"}) ==
          "--peers: there is no option 'peers'; did you mean 'raft.peers'?");
    CHECK(error_of({"--replicaof", "h"}) ==
          "--replicaof: there is no option 'replicaof'; kiwi-server --help lists them");
  }

  TEST_CASE("include reads another file, and not for ever") {
    File inner("timeout 7\n");
    File outer("include " + inner.path() + "\nport 7000\n");
    REQUIRE(outer.parse());
    CHECK(outer.parse()->timeout == 7);
    CHECK(outer.parse()->port == 7000);
    File broken("timeout x\n");
    CHECK(File("include " + broken.path()).error() ==
          "F:1: " + broken.path() +
              ":1: 'x' is not a value for timeout; give it a whole number from 0 to 2147483647");
    File loop("");
    std::ofstream(loop.path()) << "include " << loop.path();
    CHECK(loop.error().ends_with("files include each other more than 8 deep"));
  }

  TEST_CASE("raft.peers must contain raft.id") {
    const char* list = "1@a:1,2@b:1,3@c:1";
    CHECK(error_of({"--raft.peers", list}) ==
          "raft.peers is set but raft.id is not: say which of 1, 2, 3 this node is");
    CHECK(error_of({"--raft.peers", list, "--raft.id", "4"}) ==
          "raft.id 4 is not in raft.peers (1, 2, 3): the list names every node, this one included");
    CHECK(error_of({"--raft.peers", list, "--raft.id", "2", "--raft.bootstrap", "manual"})
              .starts_with("raft.bootstrap manual and raft.peers exclude each other"));
    auto options = parse({"--raft.peers", list, "--raft.id", "2"});
    REQUIRE(options);
    CHECK(options->client_address() == HostPort{"b", 1});
    CHECK(options->peer_address() == HostPort{"b", 10001});
  }

  TEST_CASE(
      "a TLS port needs a certificate, an authority or nobody to verify, and a number of its own") {
    CHECK(error_of({"--port", "0"}) == "port and tls-port are both 0: no client could connect");
    CHECK(error_of({"--tls-port", "7000"}).starts_with("tls-port is set but tls-cert-file is not"));
    CHECK(error_of({"--tls-port", "7000", "--tls-cert-file", "a"})
              .starts_with("clients are to show certificates (tls-auth-clients)"));
    const auto with = [](std::vector<const char*> words) {
      words.insert(words.end(), {"--tls-cert-file", "a", "--tls-auth-clients", "No"});
      return words;
    };
    CHECK(error_of(with({"--tls-port", "6379"})).starts_with("port and tls-port are both 6379"));
    CHECK(error_of(with({"--tls-port", "16379"}))
              .starts_with("raft.peer-port and tls-port are both 16379"));
    CHECK(error_of(with({"--tls-port", "7000", "--raft.tls-addr", "here"}))
              .starts_with("raft.tls-addr: "));
    const auto both = parse(with({"--tls-port", "7000", "--raft.addr", "db:6379"}));
    REQUIRE(both);
    CHECK(both->tls_client_address() == "db:7000");
    CHECK(both->client_address().text() == "db:6379");
    const auto only = parse(with({"--port", "0", "--tls-port", "7000"}));
    REQUIRE(only);
    CHECK(only->peer_port() == 17000);
    CHECK(only->client_address().text() == "127.0.0.1:7000");
    const auto elsewhere = parse(with({"--tls-port", "7000", "--raft.tls-addr", "outside:443"}));
    REQUIRE(elsewhere);
    CHECK(elsewhere->tls_client_address() == "outside:443");
    CHECK(Options{}.tls_client_address().empty());
  }

  TEST_CASE("ports of clients and nodes cannot meet") {
    CHECK(error_of({"--port", "55536"}) ==
          "port 55536 leaves no port 10000 above it for other nodes: set raft.peer-port");
    CHECK(error_of({"--port", "7000", "--raft.peer-port", "7000"}) ==
          "raft.peer-port and port are both 7000: clients and nodes need a port each");
    CHECK(parse({"--port", "55536", "--raft.peer-port", "7000"})->peer_port() == 7000);
    CHECK(parse({"--port", "55535"})->peer_port() == 65535);
    CHECK(error_of({"--port", "7000", "--cluster-client-port", "7000"}) ==
          "cluster-client-port and port are both 7000: each needs a port of its own");
    CHECK(error_of({"--port", "7000", "--cluster-client-port", "17000"}) ==
          "cluster-client-port and raft.peer-port are both 17000: each needs a port of its own");
    CHECK(error_of({"--cluster-client-port", "7000", "--sentinel-port", "7000"}) ==
          "cluster-client-port and sentinel-port are both 7000: each needs a port of its own");
    CHECK(error_of({"--sentinel-port", "7000", "--cluster-enabled", "yes"})
              .starts_with("sentinel-port sends clients to port"));
    CHECK(error_of({"--sentinel-port", "7000", "--raft.dialect", "redisraft"})
              .starts_with("sentinel-port sends clients to port"));
    CHECK(parse({"--role-shown", "announced"})->role_shown == RoleShown::kAnnounced);
  }

  TEST_CASE("the address told to others: raft.addr, else a bind address that is one") {
    CHECK(parse({"--raft.addr", "db.example:1"})->client_address() == HostPort{"db.example", 1});
    CHECK(parse({"--bind", "*", "-::*"})->client_address() == HostPort{"127.0.0.1", 6379});
    CHECK(parse({"--bind", "-::1"})->client_address() == HostPort{"::1", 6379});
    CHECK(error_of({"--raft.addr", "db"}).starts_with("raft.addr: 'db' is not an address"));
  }

  TEST_CASE(
      "a command line for Redis with RedisRaft is understood, and what it cannot mean is kept") {
    auto options = parse({"--port", "5001", "--dbfilename", "raft1.rdb", "--loadmodule",
                          "/x/redisraft.so", "raft-log=y", "--raft.log-filename", "raft1.db",
                          "--raft.addr", "localhost:5001", "--raft.follower-proxy", "yes"});
    REQUIRE(options);
    CHECK(options->port == 5001);
    CHECK(options->client_address() == HostPort{"localhost", 5001});
    CHECK(options->ignored == std::vector<std::string>{"dbfilename raft1.rdb",
                                                       "loadmodule /x/redisraft.so raft-log=y"});
    CHECK(options->raft_dialect == Dialect::kRedisRaft);  // for its log has a name
    CHECK(options->raft_follower_proxy);                  // as it is given
    CHECK(File("LoadModule /x/redisraft.so\n").parse()->ignored ==
          std::vector<std::string>{"LoadModule /x/redisraft.so"});
    CHECK(error_of({"--loadmodules", "x"}) != "");
  }

  TEST_CASE(
      "raft.dialect redisraft forwards nothing unless it is told, and takes its times [P10]") {
    CHECK_FALSE(parse({"--raft.dialect", "redisraft"})->raft_follower_proxy);
    CHECK_FALSE(parse({"--raft.log-filename", "r.db"})->raft_follower_proxy);
    CHECK(parse({"--raft.log-filename", "r.db"})->raft_bootstrap == Bootstrap::kManual);
    CHECK(parse({"--raft.dialect", "redisraft", "--raft.peers", "1@a:1", "--raft.id", "1"})
              ->raft_bootstrap == Bootstrap::kAuto);
    auto plain = parse({"--raft.log-filename", "r.db", "--raft.dialect", "kiwi"});
    REQUIRE(plain);
    CHECK(plain->raft_follower_proxy);
    CHECK(plain->raft_dialect == Dialect::kKiwi);
    auto short_times = parse({"--raft.dialect", "redisraft", "--raft.response-timeout", "1000",
                              "--raft.election-timeout", "1000"});
    REQUIRE(short_times);
    CHECK(short_times->raft_response_timeout == 5000);
    CHECK(short_times->adapted.size() == 1);
    auto quick = parse({"--raft.dialect", "redisraft", "--raft.election-timeout", "100"});
    REQUIRE(quick);
    CHECK(quick->raft_heartbeat_interval == 25);
    CHECK(error_of({"--raft.dialect", "redisraft", "--cluster-enabled", "yes"})
              .starts_with("cluster-enabled yes and raft.dialect redisraft exclude each other"));
    CHECK(error_of({"--raft.response-timeout", "1000"}) != "");  // not in Kiwi's own
  }

  TEST_CASE(
      "every option of RedisRaft is taken at its default; what nothing could keep is not [P10]") {
    for (auto [name, value] : std::vector<std::pair<const char*, const char*>>{
             {"--raft.id", "0"},
             {"--raft.addr", ""},
             {"--raft.log-filename", "redisraft.db"},
             {"--raft.periodic-interval", "100"},
             {"--raft.request-timeout", "200"},
             {"--raft.election-timeout", "1000"},
             {"--raft.connection-timeout", "3000"},
             {"--raft.join-timeout", "120000"},
             {"--raft.response-timeout", "10000"},
             {"--raft.proxy-response-timeout", "10000"},
             {"--raft.reconnect-interval", "100"},
             {"--raft.append-req-max-count", "2"},
             {"--raft.append-req-max-size", "2mb"},
             {"--raft.snapshot-req-max-count", "32"},
             {"--raft.snapshot-req-max-size", "64kb"},
             {"--raft.log-max-cache-size", "64mb"},
             {"--raft.log-max-file-size", "128mb"},
             {"--raft.log-fsync", "yes"},
             {"--raft.follower-proxy", "no"},
             {"--raft.quorum-reads", "yes"},
             {"--raft.tls-enabled", "no"},
             {"--raft.cluster-user", "default"},
             {"--raft.cluster-password", ""},
             {"--raft.loglevel", "notice"},
             {"--raft.trace", "off"},
             {"--raft.ignored-commands", ""},
             {"--raft.scan-size", "1000"},
             {"--raft.sharding", "no"},
             {"--raft.external-sharding", "no"},
             {"--raft.slot-config", "0:16383"},
             {"--raft.shardgroup-update-interval", "5000"},
             {"--raft.log-delay-apply", "0"},
             {"--raft.log-disable-apply", "no"},
             {"--raft.snapshot-delay", "0"},
             {"--raft.snapshot-fail", "no"},
             {"--raft.snapshot-disable", "no"},
             {"--raft.snapshot-disable-load", "no"},
             {"--raft.migration-debug", "none"}}) {
      CAPTURE(name);
      CHECK(error_of({"--raft.dialect", "redisraft", name, value}) == "");
    }
    CHECK(error_of({"--raft.tls-enabled", "perhaps"}) != "");
    CHECK(error_of({"--raft.sharding", "yes"}) != "");
    CHECK(error_of({"--raft.slot-config", "0:100"}) != "");
    CHECK(parse({"--raft.cluster-password", "secret"})->raft_cluster_secret == "secret");
    CHECK(parse({"--raft.loglevel", "debug"})->loglevel == LogLevel::kDebug);
  }

  TEST_CASE(
      "sizes are taken as RedisRaft takes them, and used as far as a node can live with them "
      "[P10]") {
    auto options =
        parse({"--raft.log-max-cache-size", "1kb", "--raft.log-max-file-size", "1kb",
               "--raft.append-req-max-size", "1gb", "--raft.append-req-max-count", "5000"});
    REQUIRE(options);
    CHECK(options->log_cache_bytes() == 65536);
    CHECK(options->log_file_bytes() == 1024);
    CHECK(options->append_message_bytes() == 67108864);
    CHECK(options->append_messages() == 1024);
    auto none = parse({"--raft.log-max-cache-size", "0", "--raft.log-max-file-size", "0"});
    REQUIRE(none);
    CHECK(none->log_cache_bytes() == 8388608);
    CHECK(none->log_file_bytes() == INT64_MAX);
  }

  TEST_CASE("--restore names a backup beside the other options [F42]") {
    auto options = parse({"--dir", "/data", "--restore", "/backups/monday", "--raft.id", "3"});
    REQUIRE(options.has_value());
    CHECK(options->restore == "/backups/monday");
    CHECK(options->dir == "/data");
    CHECK(options->raft_id == 3);
    CHECK(parse({"--dir", "/data"})->restore.empty());
    CHECK(error_of({"--restore"}).find("directory of a backup") != std::string::npos);
  }

  TEST_CASE("--import names an RDB file, and may leave out what there is not yet") {
    auto options = parse({"--import", "/dumps/dump.rdb", "--dir", "/data"});
    REQUIRE(options.has_value());
    CHECK(options->import == "/dumps/dump.rdb");
    CHECK_FALSE(options->import_skip_unsupported);
    CHECK(parse({"--import-skip-unsupported", "--import", "x"})->import_skip_unsupported);
    CHECK(parse({"--dir", "/data"})->import.empty());
    CHECK(error_of({"--import"}).find("an RDB file") != std::string::npos);
    CHECK(error_of({"--import-skip-unsupported", "yes"}).find("stands alone") != std::string::npos);
    CHECK(error_of({"--import", "x", "--restore", "y"}).find("not by both") != std::string::npos);
  }

  TEST_CASE("skip-entry takes an index and the sixteen digits of a checksum [F30]") {
    auto options = parse({"--skip-entry", "4711:00C0ffee00c0ffee"});
    REQUIRE(options);
    CHECK(options->skip_entry == SkipEntry{4711, 0x00c0ffee00c0ffee});
    CHECK(option_text(options->skip_entry) == "4711:00c0ffee00c0ffee");
    CHECK(option_text({}).empty());
    for (const char* wrong : {"4711", "4711:", "0:00c0ffee00c0ffee", "4711:c0ffee", "x:1", ":",
                              "4711:00c0ffee00c0ffeg", "-1:00c0ffee00c0ffee"}) {
      INFO(wrong);
      CHECK(error_of({"--skip-entry", wrong}).find("4711:00c0ffee00c0ffee") != std::string::npos);
    }
  }

  TEST_CASE("--help, --version and --print-config answer whatever else is given") {
    CHECK(parse({"--version"})->text_to_print == "Kiwi server v=0.1.0 (speaks Redis 7.0.15)\n");
    CHECK(parse({"--port", "x", "--help"})->text_to_print == help_text());
    CHECK(parse({"--print-config"})->text_to_print == sample_config());
    CHECK(parse({})->text_to_print.empty());
  }
}

}  // namespace
}  // namespace kiwi::config
