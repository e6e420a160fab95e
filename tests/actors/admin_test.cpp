// Orders of operators: when they are done, what is wrong with them, their bytes; and when the log
// is cut.
#include <doctest/doctest.h>

#include "actors/node/admin_request.hpp"
#include "actors/state/compaction.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors {
namespace {

raft::Member member(uint64_t id, uint8_t life = 1) {
  raft::Member m;
  m.id = NodeId{id};
  m.incarnation.bytes.fill(static_cast<uint8_t>(16 * id + life));
  m.client_address = "host:" + std::to_string(6000 + id);
  m.peer_address = "host:" + std::to_string(16000 + id);
  return m;
}

raft::Configuration cluster(std::initializer_list<uint64_t> ids) {
  raft::Configuration c;
  c.cluster.bytes.fill(7);
  for (const uint64_t id : ids) {
    c.members.push_back(member(id));
    c.voters.push_back(NodeId{id});
  }
  return c;
}

}  // namespace

TEST_CASE("an order is done when the committed configuration says so, whoever did it") {
  raft::Configuration now = cluster({1, 2, 3});
  CHECK_FALSE(is_done(AddMember{member(4)}, now));
  CHECK(is_done(AddMember{member(3)}, now));
  CHECK_FALSE(is_done(AddMember{member(3, 9)}, now));  // another life of it (F1)
  CHECK_FALSE(is_done(RemoveMember{NodeId{3}}, now));
  CHECK_FALSE(is_done(RemoveMember{NodeId{8}}, now));  // it never was
  CHECK_FALSE(is_done(HandOver{NodeId{1}}, now));
  const Reconfigure two{{member(1), member(2)}};
  CHECK_FALSE(is_done(two, now));
  now = cluster({1, 2});
  now.removed_ids = {NodeId{3}};
  CHECK(is_done(RemoveMember{NodeId{3}}, now));
  CHECK(is_done(two, now));
  now.outgoing_voters = {NodeId{1}, NodeId{2}, NodeId{3}};  // joint: not yet
  CHECK_FALSE(is_done(two, now));
  CHECK_FALSE(is_done(RemoveMember{NodeId{3}}, now));
}

TEST_CASE("what cannot be is said in the words that operators know") {
  raft::Configuration now = cluster({1});
  CHECK(order_error(RemoveMember{NodeId{1}}, now) == "ERR the last voter cannot be removed");
  CHECK(order_error(RemoveMember{NodeId{2}}, now) == "ERR node id does not exist");
  now.removed_ids = {NodeId{5}};
  CHECK(order_error(AddMember{member(5)}, now) ==
        "ERR node id has already been used in this cluster");
  CHECK(order_error(AddMember{member(2)}, now).empty());
  CHECK(order_error(AddMember{member(1, 9)}, now).empty());  // wiped, at its own address
  raft::Member stranger = member(1, 9);
  stranger.client_address = "elsewhere:1";
  CHECK_FALSE(order_error(AddMember{stranger}, now).empty());
  CHECK(order_error(HandOver{NodeId{9}}, now) == "ERR invalid node id");
  now.members.push_back(member(2));
  CHECK(order_error(HandOver{NodeId{2}}, now) == "ERR invalid target node id");  // a learner
}

TEST_CASE("an order that may still take effect is answered TIMEOUT, whatever else is wrong") {
  const NodeId self{1};
  const NodeId other{2};
  OrderFate fate;
  CHECK(fate.too_late(OrderFate::Lacks::kLeader) == "CLUSTERDOWN No raft leader");
  CHECK(fate.too_late(OrderFate::Lacks::kTurn) == "ERR one voting change only");
  CHECK(fate.too_late(OrderFate::Lacks::kAnswer).starts_with("TIMEOUT "));
  CHECK(fate.refused("ERR invalid node id") == "ERR invalid node id");
  fate.begun(other);  // sent, and no answer came
  for (const auto lacks : {OrderFate::Lacks::kLeader, OrderFate::Lacks::kTurn}) {
    CHECK(fate.too_late(lacks).starts_with("TIMEOUT "));
  }
  CHECK(fate.refused("ERR node id does not exist").starts_with("TIMEOUT "));
  fate.ended(other);
  CHECK(fate.too_late(OrderFate::Lacks::kTurn) == "ERR one voting change only");
  fate.begun(self);
  fate.begun(other);
  fate.ended(other);
  CHECK(fate.unknown());  // what this node began is still open
  fate.in_part(self);
  CHECK(fate.unknown());  // learners came in, the rest did not follow
  CHECK(fate.too_late(OrderFate::Lacks::kTurn).starts_with("TIMEOUT "));
  CHECK(fate.refused("TIMEOUT no reply from leader") == "TIMEOUT no reply from leader");
}

TEST_CASE("orders, words, questions and replies are read back as they were; garbage is refused") {
  for (const AdminOrder& order :
       std::vector<AdminOrder>{AddMember{member(4)}, RemoveMember{NodeId{3}},
                               Reconfigure{{member(1), member(2)}}, HandOver{NodeId{2}}}) {
    const auto back = decode_order(encode_order(order));
    REQUIRE(back.has_value());
    CHECK(*back == order);
  }
  const auto word = decode_word(encode_word({true, 77, "ERR no"}));
  REQUIRE(word.has_value());
  CHECK((word->answer && word->id == 77 && word->bytes == "ERR no"));
  VisitQuestion question{VisitQuestion::Kind::kWelcome, member(4), cluster({1, 2})};
  const auto asked = decode_question(encode_question(question));
  REQUIRE(asked.has_value());
  CHECK(asked->configuration == question.configuration);
  CHECK(asked->member == question.member);
  VisitReply reply{"", member(4), true, {}};
  const auto told = decode_reply(encode_reply(reply));
  REQUIRE(told.has_value());
  CHECK((told->empty_node && told->member == reply.member && told->configuration.members.empty()));
  Prng prng(3);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(prng.below(60), '\0');
    for (char& c : noise) {
      c = static_cast<char>(prng.below(256));
    }
    static_cast<void>(decode_order(noise));
    static_cast<void>(decode_question(noise));
    static_cast<void>(decode_reply(noise));
  }
}

TEST_CASE("the log is cut by entries and by size, one cut at a time") {
  CompactionPolicy policy;
  const CompactionLimits limits{100, 10, 1 << 20, 1 << 16};
  LogSize log{LogIndex{1}, LogIndex{50}, LogIndex{0}, LogIndex{50}, 1000};
  CHECK_FALSE(policy.due(limits, log, 0));
  log.applied = log.last = LogIndex{100};
  CHECK(policy.due(limits, log, 0));
  CHECK_FALSE(policy.due(limits, log, 100));  // under way
  policy.cut_done(200);
  log.snapshot = LogIndex{100};
  CHECK_FALSE(policy.due(limits, log, 300));
  log.applied = log.last = LogIndex{150};
  log.disk_bytes = 2 << 20;
  CHECK_FALSE(policy.due(limits, log, 300));  // the files of the last cut are not gone yet
  CHECK(policy.due(limits, log, 10'000));
  CHECK(CompactionPolicy::kept_entries({100, 1000, 1 << 20, 1 << 16}, log) <=
        (1 << 17) * 150 / (2 << 20));
  CHECK(CompactionPolicy::kept_entries({100, 5, 1 << 20, 1 << 16}, log) == 5);
  CHECK(CompactionPolicy::laggard_entries(limits, log) < (1 << 16) * 150 / (2 << 20) + 1);
  log.entry_bytes = 1 << 10;  // known better than from files that are not gone yet
  CHECK(CompactionPolicy::laggard_entries(limits, log) == 64);
}

TEST_CASE("the log is cut behind flushes of the state once that is worth it") {
  CompactionPolicy policy;
  const CompactionLimits limits{1000, 10, 1 << 20, 1 << 16};
  LogSize log{LogIndex{1}, LogIndex{900}, LogIndex{100}, LogIndex{900}, 1000, 1 << 10};
  CHECK_FALSE(policy.due_behind(limits, log, LogIndex{100}));  // cut there before
  CHECK_FALSE(policy.due_behind(limits, log, LogIndex{355}));
  CHECK(policy.due_behind(limits, log, LogIndex{356}));  // a quarter of log_bytes
  CHECK(policy.due(limits, {LogIndex{1}, LogIndex{1100}, LogIndex{100}, LogIndex{1100}, 0, 0}, 0));
  CHECK_FALSE(policy.due_behind(limits, log, LogIndex{356}));  // a usual cut is under way
}

TEST_CASE("a member that moved is where the order says when the configuration says so") {
  raft::Configuration now = cluster({1, 2, 3});
  raft::Member moved = member(2);
  moved.client_address = "elsewhere:1";
  CHECK(order_error(MoveMember{moved}, now).empty());
  CHECK_FALSE(is_done(MoveMember{moved}, now));
  now.members[1] = moved;
  CHECK(is_done(MoveMember{moved}, now));
  CHECK(order_error(MoveMember{member(8)}, now) == "ERR node id does not exist");
  CHECK(*decode_order(encode_order(MoveMember{moved})) == AdminOrder(MoveMember{moved}));
}

}  // namespace kiwi::actors
