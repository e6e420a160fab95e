#include "config/address.hpp"

#include <doctest/doctest.h>

namespace kiwi::config {
namespace {

std::string error_of(std::string_view text) {
  auto peers = parse_peers(text);
  return peers ? "" : peers.error().text;
}

TEST_SUITE("config") {
  TEST_CASE("a member's peer port is its client port + 10000 unless one is named") {
    auto peers = parse_peers("1@127.0.0.1:6379,2@db2.example:7000/nat.example:443");
    REQUIRE(peers);
    REQUIRE(peers->size() == 2);
    CHECK((*peers)[0] == PeerAddress{NodeId{1}, {"127.0.0.1", 6379}, {"127.0.0.1", 16379}});
    CHECK((*peers)[1] == PeerAddress{NodeId{2}, {"db2.example", 7000}, {"nat.example", 443}});
  }

  TEST_CASE("members may be listed in any order and come out by id") {
    CHECK(*parse_peers("3@c:1,1@a:1,2@b:1") == *parse_peers("1@a:1,2@b:1,3@c:1"));
  }

  TEST_CASE("a list that was read is written as it was") {
    for (const char* text : {"", "1@h:1", "1@[::1]:6379,2@[fe80::2]:6379/[fe80::3]:99",
                             "1@a:60000/a:60001,9223372036854775807@b:2"}) {
      auto peers = parse_peers(text);
      REQUIRE_MESSAGE(peers, text);
      CHECK(format_peers(*peers) == text);
    }
  }

  TEST_CASE("every fault of a member list is named") {
    CHECK(error_of("127.0.0.1:6379") ==
          "'127.0.0.1:6379' should look like id@host:port, for example 1@127.0.0.1:6379");
    CHECK(error_of("0@h:1") == "'0' is not a node id; ids are whole numbers from 1");
    CHECK(error_of("-1@h:1") == "'-1' is not a node id; ids are whole numbers from 1");
    CHECK(error_of("9223372036854775808@h:1") ==
          "'9223372036854775808' is not a node id; ids are whole numbers from 1");
    CHECK(error_of("1@h:1,1@i:1") == "node id 1 occurs twice");
    CHECK(error_of("1@h:1,2@h:1") == "nodes 1 and 2 have the same address");
    CHECK(error_of("1@h:1/p:5,2@h:2/p:5") == "nodes 1 and 2 have the same address");
    CHECK(error_of("1@h:1,") == "there is a comma too many at its end");
    CHECK(error_of("1@h:60000") ==
          "'1@h:60000' has no port 10000 above its client port for peers; name one: "
          "1@h:60000/host:port");
    CHECK(error_of("1@h:1/") == "'' is not an address; addresses are host:port, ports 1 to 65535");
    std::string many = "1@h:1";
    for (int i = 2; i <= 16; ++i) {
      many += "," + std::to_string(i) + "@h:" + std::to_string(i);
    }
    CHECK(error_of(many) == "it names 16 nodes, at most 15 can be");
  }

  TEST_CASE("a port is 1 to 65535 and IPv6 addresses wear brackets") {
    CHECK(*parse_host_port("[::1]:6379") == HostPort{"::1", 6379});
    CHECK(parse_host_port("[::1]:6379")->text() == "[::1]:6379");
    CHECK(parse_host_port("h:65535")->port == 65535);
    for (const char* text : {"h:0", "h:65536", "h:", "h", ":1", "", "h:1x", "h: 1", "::1:6379",
                             "a b:1", "[]:1", "h:+1"}) {
      CHECK_MESSAGE(!parse_host_port(text), text);
    }
  }
}

}  // namespace
}  // namespace kiwi::config
