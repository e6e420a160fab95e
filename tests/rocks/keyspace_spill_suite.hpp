// What every Keyspace adaptor must do with records that go below the turn (keyspace_suite.hpp).
#pragma once

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/rocks/keyspace_suite.hpp"

namespace kiwi::rocks::test {

// What nothing names yet goes below the turn in pieces; files may be written between any two of
// them, and when they are taken back.
template <class Fixture>
void keyspace_spills_between_files() {
  Fixture fixture;
  FamilyModel elements;
  auto spill = [&](int from) {
    std::vector<Writer::Record> records;
    for (int i = from; i < from + 100; ++i) {
      records.push_back({Family::kElement, "5." + std::to_string(1000 + i), std::string(100, 'v')});
      elements[records.back().key] = records.back().value;
    }
    fixture.keyspace().spill(records);
  };
  auto drop = [&](const std::string& from, const std::string& to) {
    fixture.keyspace().drop_spilled(Family::kElement, from, to);
    elements.erase(elements.lower_bound(from), elements.lower_bound(to));
  };
  auto check = [&] { check_forward(fixture.keyspace(), elements, Family::kElement, "", ""); };
  // Where nothing was committed yet there is no state to be part of: it is the turn's.
  fixture.keyspace().mark();
  spill(0);
  check();
  fixture.keyspace().undo();
  drop("5.1000", "5.2");
  check();
  put_applied(fixture.keyspace(), 1);
  fixture.keyspace().commit(LogIndex{1});
  fixture.keyspace().flush();
  for (int i = 0; i < 300; i += 100) {  // each in files of its own, at one applied index
    spill(i);
    fixture.keyspace().flush();
    CHECK(fixture.keyspace().flushed_index() == LogIndex{1});
    check();
  }
  fixture.keyspace().put(Family::kMeta, "k", "names them");
  put_applied(fixture.keyspace(), 2);
  fixture.keyspace().commit(LogIndex{2});
  fixture.keyspace().flush();
  CHECK(fixture.keyspace().flushed_index() == LogIndex{2});
  spill(300);  // its command is undone, and a view is taken before the next commit
  drop("5.1300", "5.2");
  check();
  check_forward(*fixture.keyspace().view(), elements, Family::kElement, "", "");
  spill(300);
  fixture.keyspace().flush();
  fixture.crash();  // whoever opens the state drops it, and a view is taken before any commit
  check();
  drop("5.1300", "5.2");
  check();
  check_forward(*fixture.keyspace().view(), elements, Family::kElement, "", "");
  put_applied(fixture.keyspace(), 3);
  fixture.keyspace().commit(LogIndex{3});
  fixture.keyspace().flush();
  fixture.crash();
  CHECK(fixture.keyspace().flushed_index() == LogIndex{3});
  check();
}

}  // namespace kiwi::rocks::test
