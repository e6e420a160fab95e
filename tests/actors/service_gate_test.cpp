// ServiceGate: when a node may answer (F22, F25, F39).
#include "actors/clients/service_gate.hpp"

#include <doctest/doctest.h>

namespace kiwi::actors {

using resp::Service;

TEST_CASE("a node without a cluster answers NOCLUSTER, a wiped one LOADING [F1]") {
  ServiceGate gate(600, 5000);
  CHECK(gate.service(0) == Service::kUninitialized);
  gate.waiting_for_cluster(true);
  CHECK(gate.service(0) == Service::kLoading);
}

TEST_CASE("LOADING until the last commit known on disk and the leader's commit are applied [F39]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{10}, 0);
  gate.applied(LogIndex{4});
  CHECK(gate.service(100) == Service::kLoading);
  gate.leader_ready(LogIndex{12});
  gate.applied(LogIndex{10});
  CHECK(gate.service(100) == Service::kLoading);
  gate.applied(LogIndex{12});
  CHECK(gate.service(100) == Service::kUp);
}

TEST_CASE(
    "a node whose apply lags too long behind the commit stops answering until it is back [F22]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{0}, 0);
  gate.leader_ready(LogIndex{2});
  gate.applied(LogIndex{2});
  gate.committed(LogIndex{2}, 0);
  CHECK(gate.service(100'000) == Service::kUp);  // idle is not behind
  gate.committed(LogIndex{9}, 100'000);
  CHECK(gate.service(105'000) == Service::kUp);
  CHECK(gate.service(105'001) == Service::kLoading);
  gate.applied(LogIndex{5});
  CHECK(gate.service(105'002) == Service::kLoading);
  gate.applied(LogIndex{9});
  CHECK(gate.service(105'003) == Service::kUp);
  gate.committed(LogIndex{20}, 106'000);
  gate.applied(LogIndex{20});
  gate.committed(LogIndex{40}, 110'000);  // moving on all the time is no lag
  gate.applied(LogIndex{40});
  CHECK(gate.service(111'500) == Service::kUp);
}

TEST_CASE("later commits do not close the gate again [F22]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{0}, 0);
  gate.leader_ready(LogIndex{2});
  gate.applied(LogIndex{2});
  CHECK(gate.service(1) == Service::kUp);
  gate.leader_ready(LogIndex{50});
  CHECK(gate.service(2) == Service::kUp);
}

TEST_CASE("without any leader it opens after its patience, and closes once for the first one") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{5}, 1000);
  gate.applied(LogIndex{5});
  CHECK(gate.service(1599) == Service::kLoading);
  CHECK(gate.service(1600) == Service::kUp);  // the router answers CLUSTERDOWN
  gate.leader_ready(LogIndex{9});
  CHECK(gate.service(1700) == Service::kLoading);
  gate.applied(LogIndex{9});
  CHECK(gate.service(1800) == Service::kUp);
}

TEST_CASE("never open before the log is replayed, however long there is no leader [F39]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{5}, 0);
  gate.applied(LogIndex{4});
  CHECK(gate.service(1'000'000) == Service::kLoading);
}

TEST_CASE("who founded a second cluster serves nothing, for as long as it runs [F54]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{1}, 0);
  gate.applied(LogIndex{1});
  gate.leader_ready(LogIndex{1});
  CHECK(gate.service(1) == Service::kUp);
  gate.set_second_cluster();
  CHECK(gate.service(2) == Service::kRemoved);
  CHECK(gate.service(1'000'000) == Service::kRemoved);
}

TEST_CASE("a removed node serves nothing any more [F25]") {
  ServiceGate gate(600, 5000);
  gate.started(LogIndex{0}, 0);
  gate.leader_ready(LogIndex{0});
  CHECK(gate.service(0) == Service::kUp);
  gate.set_removed(true);
  CHECK(gate.service(0) == Service::kRemoved);
}

}  // namespace kiwi::actors
