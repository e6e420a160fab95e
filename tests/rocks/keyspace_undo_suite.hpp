// What every Keyspace adaptor must do (keyspace_suite.hpp): undo.
#pragma once

#include <string>

#include "tests/rocks/keyspace_suite.hpp"

namespace kiwi::rocks::test {

template <class Fixture>
void keyspace_undo_takes_back_one_command() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  keyspace.put(Family::kMeta, "a", "1");
  keyspace.put(Family::kMeta, "z", "stored");
  put_applied(keyspace, 1);
  keyspace.commit(LogIndex{1});
  keyspace.put(Family::kMeta, "a", "2");
  keyspace.mark();
  keyspace.put(Family::kMeta, "a", "3");
  keyspace.put(Family::kMeta, "b", "made");
  keyspace.erase_range(Family::kMeta, "a", "");
  keyspace.put(Family::kMeta, "a", "4");
  check_forward(keyspace, {{"a", "4"}}, Family::kMeta, "", "");
  keyspace.undo();
  check_forward(keyspace, {{"a", "2"}, {"z", "stored"}}, Family::kMeta, "", "");
  keyspace.mark();
  keyspace.put(Family::kMeta, "a", "5");
  keyspace.undo();
  put_applied(keyspace, 2);
  keyspace.commit(LogIndex{2});
  check_forward(keyspace, {{"a", "2"}, {"z", "stored"}}, Family::kMeta, "", "");
}

// A command that runs others inside itself: each of them may fail alone, and the outer one with all
// of them, kept ones too.
template <class Fixture>
void keyspace_undo_nests() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  keyspace.put(Family::kMeta, "stored", "1");
  for (int i = 0; i < 100; ++i) {
    keyspace.put(Family::kElement, "e" + std::to_string(1000 + i), "old");
  }
  put_applied(keyspace, 1);
  keyspace.commit(LogIndex{1});
  keyspace.put(Family::kMeta, "before", "1");
  const FamilyModel before = {{"before", "1"}, {"stored", "1"}};

  keyspace.mark();  // the outer one
  keyspace.put(Family::kMeta, "before", "outer");
  keyspace.mark();  // fails
  keyspace.put(Family::kMeta, "before", "inner, and longer than what was here");
  keyspace.put(Family::kMeta, "stored", "inner");
  keyspace.erase_range(Family::kElement, "e", "f");
  keyspace.put(Family::kElement, "e1", "inner");
  keyspace.undo();
  const FamilyModel outer = {{"before", "outer"}, {"stored", "1"}};
  check_forward(keyspace, outer, Family::kMeta, "", "");
  CHECK(keyspace.get(Family::kElement, "e1050") == "old");
  CHECK(!keyspace.get(Family::kElement, "e1").has_value());
  keyspace.mark();  // succeeds
  keyspace.erase(Family::kMeta, "before");
  keyspace.put(Family::kMeta, "new", "inner");
  keyspace.mark();  // fails, inside it
  keyspace.put(Family::kMeta, "new", "innermost");
  keyspace.undo();
  CHECK(keyspace.get(Family::kMeta, "new") == "inner");
  keyspace.erase_range(Family::kElement, "e105", "f");
  keyspace.keep();
  keyspace.put(Family::kMeta, "new", "outer");  // over what was kept
  check_forward(keyspace, {{"new", "outer"}, {"stored", "1"}}, Family::kMeta, "", "");
  keyspace.undo();
  check_forward(keyspace, before, Family::kMeta, "", "");
  CHECK(keyspace.get(Family::kElement, "e1050") == "old");

  keyspace.mark();
  keyspace.mark();
  keyspace.put(Family::kMeta, "new", "stays");
  keyspace.keep();
  keyspace.keep();
  keyspace.put(Family::kMeta, "before", "2");  // outside of any mark
  put_applied(keyspace, 2);
  keyspace.commit(LogIndex{2});
  check_forward(keyspace, {{"before", "2"}, {"new", "stays"}, {"stored", "1"}}, Family::kMeta, "",
                "");
}

}  // namespace kiwi::rocks::test
