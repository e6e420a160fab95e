#include "raft/configuration.hpp"

#include <map>

#include <doctest/doctest.h>

#include "tests/support/raft_node.hpp"

namespace kiwi::raft::testing {

namespace {

std::vector<NodeId> ids(std::initializer_list<uint64_t> list) {
  std::vector<NodeId> out;
  for (uint64_t id : list) {
    out.push_back(NodeId{id});
  }
  return out;
}

Configuration of(std::initializer_list<uint64_t> voters,
                 std::initializer_list<uint64_t> outgoing = {}) {
  Configuration out;
  out.voters = ids(voters);
  out.outgoing_voters = ids(outgoing);
  for (uint64_t id = 1; id <= 9; ++id) {
    out.members.push_back(member_of(NodeId{id}));
  }
  return out;
}

bool quorum(const Configuration& configuration, std::initializer_list<uint64_t> agreeing) {
  std::vector<NodeId> list = ids(agreeing);
  return has_quorum(configuration, [&](NodeId id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  });
}

uint64_t reached(const Configuration& configuration, std::map<uint64_t, uint64_t> match) {
  return quorum_index(
             configuration,
             [&](NodeId id) { return LogIndex{match.contains(id.value) ? match.at(id.value) : 0}; })
      .value;
}

}  // namespace

TEST_SUITE_BEGIN("raft");

TEST_CASE("a quorum is a majority of the voters, and nobody else counts [§3.4, §4.2.1]") {
  CHECK(quorum(of({1}), {1}));
  CHECK_FALSE(quorum(of({1}), {2}));
  CHECK(quorum(of({1, 2}), {1, 2}));
  CHECK_FALSE(quorum(of({1, 2}), {2}));
  CHECK(quorum(of({1, 2, 3}), {1, 3}));
  CHECK_FALSE(quorum(of({1, 2, 3}), {1, 4, 5}));
  CHECK_FALSE(quorum(of({1, 2, 3, 4}), {1, 2}));
  CHECK(quorum(of({1, 2, 3, 4}), {1, 2, 4}));
  CHECK(quorum(of({1, 2, 3, 4, 5}), {3, 4, 5}));
  CHECK_FALSE(quorum(of({1, 2, 3, 4, 5}), {4, 5}));
  CHECK_FALSE(quorum(Configuration{}, {1}));
}

TEST_CASE("a joint quorum needs a majority of both halves [§4.3]") {
  Configuration joint = of({1, 4, 5}, {1, 2, 3});
  CHECK_FALSE(quorum(joint, {4, 5}));
  CHECK_FALSE(quorum(joint, {2, 3}));
  CHECK_FALSE(quorum(joint, {1, 4, 5}));
  CHECK(quorum(joint, {1, 2, 4}));
  CHECK(quorum(joint, {2, 3, 4, 5}));
}

TEST_CASE("the committed index is what a majority has, of both halves while joint [§3.6.2, §4.3]") {
  CHECK(reached(of({1}), {{1, 7}}) == 7);
  CHECK(reached(of({1, 2}), {{1, 7}, {2, 5}}) == 5);
  CHECK(reached(of({1, 2, 3}), {{1, 7}, {2, 5}}) == 5);
  CHECK(reached(of({1, 2, 3}), {{1, 7}}) == 0);
  CHECK(reached(of({1, 2, 3, 4}), {{1, 9}, {2, 8}, {3, 7}, {4, 6}}) == 7);
  CHECK(reached(of({1, 2, 3}), {{4, 100}, {5, 100}, {1, 1}}) == 0);
  CHECK(reached(of({1, 4, 5}, {1, 2, 3}), {{1, 9}, {4, 9}, {5, 9}, {2, 3}, {3, 2}}) == 3);
  CHECK(reached(Configuration{}, {{1, 9}}) == 0);
}

TEST_CASE("has_quorum and quorum_index agree on every assignment of five nodes") {
  for (const Configuration& c :
       {of({1, 2, 3}), of({1, 2, 3, 4}), of({1, 2, 3, 4, 5}), of({1, 2}, {3, 4, 5})}) {
    for (uint64_t code = 0; code < 243; ++code) {  // matches 0..2 for five nodes
      std::map<uint64_t, uint64_t> match;
      for (uint64_t id = 1, rest = code; id <= 5; ++id, rest /= 3) {
        match[id] = rest % 3;
      }
      uint64_t index = reached(c, match);
      for (uint64_t at = 1; at <= 2; ++at) {
        bool agreed = has_quorum(c, [&](NodeId id) { return match[id.value] >= at; });
        REQUIRE(agreed == (index >= at));
      }
    }
  }
}

TEST_CASE("any two quorums of neighbouring configurations share a node [§4.1]") {
  std::vector<Configuration> chain = {of({1, 2, 3}), of({1, 2, 3, 4}), of({2, 3, 4}),
                                      of({2, 4, 5}, {2, 3, 4}), of({2, 4, 5})};
  for (size_t i = 1; i < chain.size(); ++i) {
    for (unsigned a = 0; a < 32; ++a) {
      for (unsigned b = 0; b < 32; ++b) {
        auto in = [](unsigned set) {
          return [set](NodeId id) { return ((set >> (id.value - 1)) & 1U) != 0; };
        };
        if (has_quorum(chain[i - 1], in(a)) && has_quorum(chain[i], in(b))) {
          REQUIRE((a & b) != 0);
        }
      }
    }
  }
}

TEST_CASE("a malformed configuration is named as such") {
  CHECK(configuration_error(of({1, 2, 3})).empty());
  CHECK(configuration_error(of({1, 2, 3}, {4, 5})).empty());
  CHECK_FALSE(configuration_error(of({})).empty());
  CHECK_FALSE(configuration_error(of({2, 1})).empty());
  CHECK_FALSE(configuration_error(of({1, 1})).empty());
  CHECK_FALSE(configuration_error(of({1, 99})).empty());

  Configuration disordered = of({1});
  std::swap(disordered.members[0], disordered.members[1]);
  CHECK_FALSE(configuration_error(disordered).empty());

  Configuration reused = of({1, 2});
  reused.removed_ids = ids({2});
  CHECK_FALSE(configuration_error(reused).empty());
  Configuration leaving = of({1}, {1, 2});
  leaving.removed_ids = ids({2});
  CHECK(configuration_error(leaving).empty());
}

TEST_SUITE_END();

}  // namespace kiwi::raft::testing
