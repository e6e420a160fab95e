// Orders of operators: when they are done, what is wrong with them, their bytes; and when the log
// is cut.
#include <doctest/doctest.h>

#include "actors/node/node_note.hpp"
#include "actors/node/order.hpp"
#include "actors/node/visit_talk.hpp"
#include "actors/state/compaction.hpp"
#include "config/base/prng.hpp"
#include "tests/actors/members.hpp"

namespace kiwi::actors {

using test::member;
using test::members;

TEST_CASE("an order is done when the committed configuration says so, whoever did it") {
  raft::Configuration now = members({1, 2, 3});
  CHECK_FALSE(is_done(AddMember{member(4)}, now, 1));
  CHECK(is_done(AddMember{member(3)}, now, 1));
  CHECK_FALSE(is_done(AddMember{member(3, 9)}, now, 1));  // another life of it (F1)
  CHECK_FALSE(is_done(RemoveMember{NodeId{3}}, now, 1));
  CHECK_FALSE(is_done(RemoveMember{NodeId{8}}, now, 1));  // it never was
  CHECK_FALSE(is_done(HandOver{NodeId{1}}, now, 1));
  const Reconfigure two{{member(1), member(2)}};
  CHECK_FALSE(is_done(two, now, 1));
  now = members({1, 2});
  now.removed_ids = {NodeId{3}};
  CHECK(is_done(RemoveMember{NodeId{3}}, now, 1));
  CHECK(is_done(two, now, 1));
  now.outgoing_voters = {NodeId{1}, NodeId{2}, NodeId{3}};  // joint: not yet
  CHECK_FALSE(is_done(two, now, 1));
  CHECK_FALSE(is_done(RemoveMember{NodeId{3}}, now, 1));
}

TEST_CASE("what cannot be is said in the words that operators know") {
  raft::Configuration now = members({1});
  const auto words = [&now](const AdminOrder& order) {
    OrderAnswer answer;
    answer.refusal = order_refusal(order, now, 1);
    return sentence(answer);
  };
  CHECK(words(RemoveMember{NodeId{1}}) == "ERR the last voter cannot be removed");
  CHECK(words(RemoveMember{NodeId{2}}) == "ERR node id does not exist");
  now.removed_ids = {NodeId{5}};
  CHECK(words(AddMember{member(5)}) == "ERR node id has already been used in this cluster");
  CHECK(words(AddMember{member(2)}).empty());
  CHECK(words(AddMember{member(1, 9)}).empty());  // wiped, at its own address
  raft::Member stranger = member(1, 9);
  stranger.client_address = "elsewhere:1";
  CHECK(order_refusal(AddMember{stranger}, now, 1) == OrderRefusal::kUsedId);
  CHECK(words(HandOver{NodeId{9}}) == "ERR invalid node id");
  now.members.push_back(member(2));
  CHECK(words(HandOver{NodeId{2}}) == "ERR invalid target node id");  // a learner
}

TEST_CASE("an order that may still take effect is answered TIMEOUT, whatever else is wrong") {
  const NodeId self{1};
  const NodeId other{2};
  OrderAnswer used;
  used.refusal = OrderRefusal::kUsedId;
  OrderFate fate;
  CHECK(sentence(fate.too_late(OrderFate::Lacks::kLeader)) == "CLUSTERDOWN No raft leader");
  CHECK(sentence(fate.too_late(OrderFate::Lacks::kTurn)) == "ERR one voting change only");
  CHECK(sentence(fate.too_late(OrderFate::Lacks::kAnswer)).starts_with("TIMEOUT "));
  CHECK(fate.refused(used) == used);
  fate.begun(other);  // sent, and no answer came
  for (const auto lacks : {OrderFate::Lacks::kLeader, OrderFate::Lacks::kTurn}) {
    CHECK(sentence(fate.too_late(lacks)).starts_with("TIMEOUT "));
  }
  CHECK(sentence(fate.refused(used)).starts_with("TIMEOUT "));
  CHECK(fate.refused(used).may_come_yet());
  fate.ended(other);
  CHECK(fate.too_late(OrderFate::Lacks::kTurn).refusal == OrderRefusal::kBusy);
  fate.begun(self);
  fate.begun(other);
  fate.ended(other);
  CHECK(fate.unknown());  // what this node began is still open
  fate.in_part(self);
  CHECK(fate.unknown());  // learners came in, the rest did not follow
  CHECK(fate.too_late(OrderFate::Lacks::kTurn).may_come_yet());
  OrderAnswer silence;
  silence.refusal = OrderRefusal::kNoReply;
  CHECK(sentence(fate.refused(silence)) == "TIMEOUT no reply from leader");
}

TEST_CASE("every refusal has a sentence, and says TIMEOUT exactly if it may come yet") {
  for (uint8_t refusal = 1; refusal < kOrderRefusals; ++refusal) {
    for (uint8_t core = 1; core < raft::kChangeRefusals; ++core) {
      OrderAnswer answer;
      answer.refusal = static_cast<OrderRefusal>(refusal);
      answer.core.refusal = static_cast<raft::ChangeRefusal>(core);
      for (const bool unknown : {false, true}) {
        answer.unknown = unknown;
        INFO(sentence(answer));
        CHECK(sentence(answer).size() > 10);
        CHECK(sentence(answer).starts_with("TIMEOUT ") == answer.may_come_yet());
      }
      CHECK(raft::sentence(answer.core).size() > 10);
    }
  }
}

TEST_CASE("orders, questions and replies are read back as they were; garbage is refused") {
  for (const AdminOrder& order :
       std::vector<AdminOrder>{AddMember{member(4)}, RemoveMember{NodeId{3}},
                               Reconfigure{{member(1), member(2)}}, HandOver{NodeId{2}}}) {
    const auto back = decode_order(encode_order(order));
    REQUIRE(back.has_value());
    CHECK(*back == order);
  }
  raft::Member labelled = member(4);
  labelled.tls_client_address = "host:7004";
  labelled.labels = {{"rack", ""}, {"zone", "a"}};
  CHECK(*decode_order(encode_order(AddMember{labelled, 7})) == AdminOrder(AddMember{labelled, 7}));
  const Build old{"0.0.1", "m68k", 3, 4};
  VisitQuestion question{VisitQuestion::Kind::kWelcome, labelled, members({1, 2}), old};
  const auto asked = decode_question(encode_question(question));
  REQUIRE(asked.has_value());
  CHECK(asked->configuration == question.configuration);
  CHECK(asked->member == question.member);
  CHECK(asked->build == old);
  VisitReply reply;
  reply.member = member(4);
  reply.empty_node = true;
  reply.asker = old;
  const auto told = decode_reply(encode_reply(reply));
  REQUIRE(told.has_value());
  CHECK((told->empty_node && told->member == reply.member && told->configuration.members.empty()));
  CHECK(told->build == Build());
  CHECK(told->asker == old);
  Prng prng(3);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(prng.below(60), '\0');
    for (char& c : noise) {
      c = static_cast<char>(prng.below(256));
    }
    static_cast<void>(decode_order(noise));
    static_cast<void>(decode_note(noise));
    static_cast<void>(decode_question(noise));
    static_cast<void>(decode_reply(noise));
  }
}

TEST_CASE("notes between nodes are read back as they were") {
  OrderAnswer answer;
  answer.refusal = OrderRefusal::kMemberLives;
  answer.unknown = true;
  answer.core = {raft::ChangeRefusal::kNotMember, NodeId{9}};
  answer.lives_at = "here:1";
  answer.newcomer_at = "there:2";
  const auto back = [](const NodeNote& note) { return decode_note(encode_note(note)).value(); };
  const auto order = std::get<OrderNote>(back(OrderNote{77, HandOver{NodeId{2}}}));
  CHECK((order.id == 77 && order.order == AdminOrder(HandOver{NodeId{2}})));
  const auto told = std::get<OrderAnswerNote>(back(OrderAnswerNote{78, answer}));
  CHECK((told.id == 78 && told.answer == answer));
  CHECK(std::get<PressureNote>(back(PressureNote{900})).pressure == 900);
  CHECK(std::get<DiskNote>(back(DiskNote{true})).full);
  CHECK(std::get<MarksNote>(back(MarksNote{{{5, 55}}})).marks.front().nonce == 55);
  CHECK(std::get<KnownMarksNote>(back(KnownMarksNote{"known"})).marks == "known");
  CHECK_FALSE(decode_note(encode_note(DiskNote{true}) + "x").has_value());
  CHECK_FALSE(decode_note("").has_value());
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
  raft::Configuration now = members({1, 2, 3});
  raft::Member moved = member(2);
  moved.client_address = "elsewhere:1";
  CHECK(order_refusal(MoveMember{moved}, now, 1) == OrderRefusal::kNone);
  CHECK_FALSE(is_done(MoveMember{moved}, now, 1));
  now.members[1] = moved;
  CHECK(is_done(MoveMember{moved}, now, 1));
  moved.tls_client_address = "host:7003";  // which a cluster of version 1 does not keep
  CHECK(is_done(MoveMember{moved}, now, 1));
  CHECK_FALSE(is_done(MoveMember{moved}, now, 2));
  CHECK(order_refusal(MoveMember{member(8)}, now, 1) == OrderRefusal::kNoSuchNode);
  CHECK(*decode_order(encode_order(MoveMember{moved})) == AdminOrder(MoveMember{moved}));
}

}  // namespace kiwi::actors
