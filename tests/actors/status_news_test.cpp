#include "actors/replica/status_news.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

TEST_CASE("a status is told when something changed that INFO shows") {
  raft::Status status;
  StatusNews news(40);
  CHECK(news.look(status, false));
  CHECK_FALSE(news.look(status, false));
  status.cluster_time_ms = 5;  // moves all the time
  CHECK_FALSE(news.look(status, false));
  CHECK(news.look(status, true));
  status.peers.resize(1);
  CHECK(news.look(status, false));
  status.peers[0].up = true;
  CHECK(news.look(status, false));
  CHECK_FALSE(news.look(status, false));
}

TEST_CASE("a leader's clock is told now and then, a follower's is not [F8]") {
  raft::Status status;
  StatusNews news(3);
  CHECK(news.look(status, false));
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(news.look(status, false));
  }
  status.role = raft::Role::kLeader;
  CHECK(news.look(status, false));
  CHECK_FALSE(news.look(status, false));
  CHECK_FALSE(news.look(status, false));
  CHECK(news.look(status, false));
}

}  // namespace kiwi::actors
