#include "actors/replica/clock_watch.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

TEST_CASE("a peer whose clock is more than half a second off is named once a minute [F37]") {
  raft::Status status;
  status.peers.resize(2);
  status.peers[0].member.id = NodeId{2};
  status.peers[1].member.id = NodeId{3};
  ClockWatch watch;
  CHECK(watch.look(status, 0).empty());  // not measured yet
  status.peers[0].clock_ahead_ms = 500;
  status.peers[1].clock_ahead_ms = -3'600'000;
  const std::vector<std::string> first = watch.look(status, 1000);
  REQUIRE(first.size() == 1);
  CHECK(first[0].find("the clock of node 3 is 3600000 ms behind this node's") == 0);
  CHECK(watch.look(status, 60'999).empty());
  status.peers[0].clock_ahead_ms = 501;
  CHECK(watch.look(status, 60'999).size() == 1);  // another node
  CHECK(watch.look(status, 61'000).size() == 1);
}

}  // namespace kiwi::actors
