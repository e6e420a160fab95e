// Who gives way on the peer port, and which bind addresses others can reach.
#include "actors/peers/strangers.hpp"

#include <doctest/doctest.h>

#include "actors/listeners.hpp"

namespace kiwi::actors {

TEST_CASE("silent strangers give way to whoever comes, the oldest first [F51]") {
  Strangers strangers({3, 3});
  const auto first = strangers.come("10.0.0.1", false);
  const auto second = strangers.come("10.0.0.2", false);
  const auto third = strangers.come("10.0.0.3", false);
  CHECK_FALSE(third.leaves);
  CHECK(strangers.come("10.0.0.4", false).leaves == first.id);
  strangers.spoke(second.id);
  CHECK(strangers.come("10.0.0.5", false).leaves == third.id);
  CHECK(strangers.size() == 3);
  strangers.leave(second.id);
  CHECK_FALSE(strangers.come("10.0.0.6", false).leaves);
}

TEST_CASE("members' addresses go first: others neither drive them out nor keep them out [F51]") {
  Strangers strangers({2, 2});
  const auto stranger = strangers.come("10.0.0.1", false);
  strangers.spoke(stranger.id);
  const auto member = strangers.come("10.0.0.9", true);
  const auto again = strangers.come("10.0.0.8", true);
  CHECK(again.leaves == stranger.id);
  CHECK(strangers.come("10.0.0.1", false).id == 0);
  CHECK(strangers.size() == 2);
  CHECK(strangers.come("10.0.0.7", true).leaves == member.id);
}

TEST_CASE("one address has a bound of its own, and the newcomer is let in [F51]") {
  Strangers strangers({100, 2});
  const auto first = strangers.come("10.0.0.1", false);
  const auto second = strangers.come("10.0.0.1", false);
  strangers.spoke(first.id);
  const auto third = strangers.come("10.0.0.1", false);
  CHECK(third.id != 0);
  CHECK(third.leaves == second.id);
  strangers.spoke(third.id);
  CHECK(strangers.come("10.0.0.1", false).leaves == first.id);
  CHECK_FALSE(strangers.come("10.0.0.2", false).leaves);
}

TEST_CASE("an IPv6 host is its /64, an IPv4 host in IPv6 clothes is an IPv4 host [F51]") {
  CHECK(source_of("10.1.2.3") == "10.1.2.3");
  CHECK(source_of("::ffff:10.1.2.3") == "10.1.2.3");
  CHECK(source_of("2001:db8:1:2:3:4:5:6") == source_of("[2001:db8:1:2::9]"));
  CHECK(source_of("2001:db8:1:2::9") != source_of("2001:db8:1:3::9"));
  CHECK(source_of("fe80::1%eth0") == source_of("fe80::2"));
  CHECK(source_of("") == "");
}

TEST_CASE("a bind address that other machines reach is told from loopback [F51]") {
  CHECK(public_address({"127.0.0.1", "-::1"}) == "");
  CHECK(public_address({"localhost"}) == "");
  CHECK(public_address({"127.0.0.1", "127.3.2.1", "::ffff:127.0.0.1"}) == "");
  CHECK(public_address({"127.0.0.1", "*"}) == "*");
  CHECK(public_address({"-::*"}) == "::*");
  CHECK(public_address({"0.0.0.0"}) == "0.0.0.0");
  CHECK(public_address({"::"}) == "::");
  CHECK(public_address({"-10.0.0.1"}) == "10.0.0.1");
  CHECK(public_address({"::ffff:10.0.0.1"}) == "::ffff:10.0.0.1");
}

TEST_CASE("a public peer port without a secret is refused with a sentence that helps [F51]") {
  config::Options options;
  CHECK(check_public_ports(options));
  options.bind = {"*"};
  const Result<void> refused = check_public_ports(options);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("set the same raft.cluster-secret") != std::string::npos);
  options.raft_allow_empty_secret = true;
  CHECK(check_public_ports(options));
  options.raft_allow_empty_secret = false;
  options.raft_cluster_secret = "of this cluster";
  CHECK(check_public_ports(options));
}

}  // namespace kiwi::actors
