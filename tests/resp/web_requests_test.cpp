// Requests to the HTTP port: which names are this node's, passwords, and what health says when.
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/web/health.hpp"
#include "resp/web/http.hpp"

namespace kiwi::resp::web {
namespace {

constexpr int64_t kNow = 1'000'000;

Vitals healthy() {
  Vitals vitals;
  vitals.opened = true;
  vitals.now_ms = vitals.client_beat_ms = vitals.raft_beat_ms = kNow;
  vitals.readiness = Readiness::kReady;
  vitals.election_timeout_ms = 300;
  return vitals;
}

TEST_SUITE("web") {
  TEST_CASE("a page's own name for this node's address is refused") {
    const std::vector<std::string> names{"node-1.example.org", "kiwi"};
    for (const char* host : {"localhost", "localhost:7379", "LocalHost.", "127.0.0.1",
                             "10.1.2.3:7379", "[::1]", "[::1]:7379", "[fe80::1]:1", "kiwi",
                             "Kiwi:80", "node-1.example.org:7379", "node-1.EXAMPLE.org."}) {
      CHECK_MESSAGE(host_is_known(host, names), host);
    }
    for (const char* host : {"", "evil.example.org", "localhost.evil.org", "127.0.0.1.evil.org",
                             "kiwi:80x", "kiwi:", "[::1", "[::1]x", "1.2.3", "1.2.3.4.5", "1.2.3.",
                             "0x7f.1.1.1", "1234.1.1.1", "a b", "kiwi@127.0.0.1", "::x"}) {
      CHECK_MESSAGE(!host_is_known(host, names), host);
    }
  }

  TEST_CASE("the path ends where the query begins") {
    WebRequest request;
    request.target = "/metrics?x=/drain";
    CHECK(request.path() == "/metrics");
    request.target = "/livez#y";
    CHECK(request.path() == "/livez");
  }

  TEST_CASE("a password comes as browsers and curl send it") {
    Credentials given;
    CHECK(basic_credentials("Basic ZGVmYXVsdDpzZWNyZXQ=", given));
    CHECK(given.user == "default");
    CHECK(given.password == "secret");
    CHECK(basic_credentials("basic ZGVmYXVsdDphOmI", given));
    CHECK(given.password == "a:b");
    for (const char* bad : {"", "Basic", "Basic ", "Basic !!!!",
                            "Bearer ZGVmYXVsdDpzZWNyZXQ=", "Basic ZGVmYXVsdA=="}) {
      CHECK_MESSAGE(!basic_credentials(bad, given), bad);
    }
    CHECK(same_secret("secret", "secret"));
    CHECK_FALSE(same_secret("secre", "secret"));
    CHECK_FALSE(same_secret("secretx", "secret"));
    CHECK_FALSE(same_secret("", "secret"));
  }

  TEST_CASE("a node is alive until a restart would help") {
    Vitals vitals = healthy();
    CHECK(live(vitals).ok);
    vitals.readiness = Readiness::kNoLeader;
    CHECK(live(vitals).ok);  // a restart brings no leader
    vitals.client_beat_ms = kNow - kDeadMs;
    CHECK(live(vitals).ok);
    vitals.client_beat_ms = kNow - kDeadMs - 1;
    CHECK_FALSE(live(vitals).ok);
    CHECK(live(vitals).text.find("client loop") != std::string::npos);
    vitals = healthy();
    vitals.raft_beat_ms = kNow - 10 * kDeadMs;
    CHECK_FALSE(live(vitals).ok);
    vitals.raft_on_disk = true;  // nor does it cure a disk
    CHECK(live(vitals).ok);
    vitals.opened = false;
    CHECK(live(vitals).ok);
    CHECK_FALSE(started(vitals).ok);
  }

  TEST_CASE("a node is ready while it serves and its leader is there") {
    Vitals vitals = healthy();
    CHECK(ready(vitals).ok);
    for (const Readiness why :
         {Readiness::kOpening, Readiness::kNoCluster, Readiness::kLoading, Readiness::kRemoved,
          Readiness::kNoLeader, Readiness::kLeaderNotReady, Readiness::kLeaderAway,
          Readiness::kDraining}) {
      vitals.readiness = why;
      CHECK_FALSE(ready(vitals).ok);
      CHECK_FALSE(ready(vitals).text.empty());
    }
    // What was said holds no longer than the loops go on.
    vitals = healthy();
    vitals.raft_beat_ms = kNow - 1001;
    CHECK_FALSE(ready(vitals).ok);
    vitals.election_timeout_ms = 2000;
    CHECK(ready(vitals).ok);
    vitals.client_beat_ms = kNow - 4201;
    CHECK_FALSE(ready(vitals).ok);
    vitals.opened = false;
    CHECK_FALSE(ready(vitals).ok);
  }

  TEST_CASE("only who leads says so, also while it is drained") {
    Vitals vitals = healthy();
    CHECK_FALSE(leads(vitals).ok);
    vitals.leads = true;
    CHECK(leads(vitals).ok);
    vitals.readiness = Readiness::kDraining;
    CHECK(leads(vitals).ok);
    vitals.raft_beat_ms = kNow - 5 * kStalledMs;  // nobody knows that it leads still
    CHECK_FALSE(leads(vitals).ok);
    vitals.raft_beat_ms = kNow;
    vitals.client_beat_ms = kNow - 5 * kStalledMs;
    CHECK_FALSE(leads(vitals).ok);
    vitals.client_beat_ms = kNow;
    vitals.opened = false;
    CHECK_FALSE(leads(vitals).ok);
    vitals.opened = true;
    vitals.readiness = Readiness::kLoading;
    CHECK_FALSE(leads(vitals).ok);
  }
}

}  // namespace
}  // namespace kiwi::resp::web
