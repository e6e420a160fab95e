// What a start knows of the cluster's members before anything is heard.
#include "raft/members_at_start.hpp"

#include <doctest/doctest.h>

#include "raft/codec.hpp"

namespace kiwi::raft::testing {

namespace {

Configuration of(std::initializer_list<uint64_t> ids) {
  Configuration configuration;
  configuration.cluster.bytes.fill(7);
  for (const uint64_t id : ids) {
    Member member;
    member.id = NodeId{id};
    member.incarnation.bytes.fill(static_cast<uint8_t>(id));
    member.client_address = "c:1";
    member.peer_address = "p:1";
    configuration.members.push_back(member);
    configuration.voters.push_back(NodeId{id});
  }
  return configuration;
}

Entry entry(uint64_t index, const Configuration& configuration) {
  Entry out;
  out.index = LogIndex{index};
  out.term = Term{1};
  out.kind = EntryKind::kConfiguration;
  out.payload = SharedBytes(encode_configuration(configuration));
  return out;
}

StartState founded() {
  StartState start;
  start.log.first_index = LogIndex{1};
  start.log.last_index = LogIndex{9};
  start.log.configurations = {entry(1, of({1, 2, 3})), entry(6, of({1, 2, 3, 4}))};
  return start;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("what was applied was committed, however old the log's hint is: its members are known") {
  StartState start = founded();
  start.log.commit = LogIndex{0};
  start.applied = LogIndex{2};
  const MembersAtStart members = members_at_start(start).value();
  CHECK(committed_at_start(start) == LogIndex{2});
  CHECK(members.committed == of({1, 2, 3}));
  CHECK(members.latest == of({1, 2, 3, 4}));
}

TEST_CASE("a commit hint counts as far as the log goes") {
  StartState start = founded();
  start.log.commit = LogIndex{50};
  CHECK(committed_at_start(start) == LogIndex{9});
  CHECK(members_at_start(start).value().committed == of({1, 2, 3, 4}));
}

TEST_CASE("a snapshot's members stand for all that its tail of the log says") {
  StartState start = founded();
  start.log.snapshot.index = LogIndex{8};
  start.log.snapshot.configuration = of({1, 4, 5});
  start.applied = LogIndex{8};
  const MembersAtStart members = members_at_start(start).value();
  CHECK(members.committed == of({1, 4, 5}));
  CHECK(members.latest == of({1, 4, 5}));
}

TEST_CASE("a configuration that cannot be read is said, with its place") {
  StartState start = founded();
  start.log.configurations[1].payload = SharedBytes(std::string("garbage"));
  const auto members = members_at_start(start);
  REQUIRE_FALSE(members);
  CHECK(members.error().text.find("entry 6") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
