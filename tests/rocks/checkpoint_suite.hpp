// What every Keyspace adaptor's checkpoints and background flushes must do, as functions over the
// fixture of keyspace_suite.hpp.
#pragma once

#include <filesystem>
#include <future>
#include <map>
#include <string>

#include <doctest/doctest.h>

#include "rocks/read_only_state.hpp"
#include "tests/rocks/keyspace_suite.hpp"

namespace kiwi::rocks::test {

// The checkpoint that `directory` becomes, made while `meanwhile` goes on.
template <class Meanwhile>
Result<LogIndex> checkpoint_during(Keyspace& keyspace,
                                   const std::string& directory,
                                   Meanwhile meanwhile) {
  std::promise<Result<LogIndex>> made;
  keyspace.checkpoint(directory,
                      [&](Result<LogIndex> result) { made.set_value(std::move(result)); });
  meanwhile();
  return made.get_future().get();
}

// F13: whatever apply does meanwhile, the files hold one commit boundary and say which.
template <class Fixture>
void keyspace_checkpoint_is_one_commit() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  std::map<uint64_t, Model> history;
  Model model;
  uint64_t index = 0;
  Prng random(17);
  auto turn = [&] {
    ++index;
    for (Family family : {Family::kMeta, Family::kElement, Family::kNode}) {
      std::string key = "k" + std::to_string(random.below(50));
      std::string value(random.below(3000), static_cast<char>('a' + index % 26));
      keyspace.put(family, key, value);
      of(model, family)[key] = value;
    }
    put_applied(keyspace, index, &model);
    keyspace.commit(LogIndex{index});
    history[index] = model;
  };
  for (int round = 0; round < 6; ++round) {
    turn();
    uint64_t before = index;
    const std::string directory = fixture.path("checkpoint-" + std::to_string(round));
    Result<LogIndex> made = checkpoint_during(keyspace, directory, [&] {
      for (int i = 0; i < 60; ++i) {
        turn();
      }
    });
    REQUIRE(made.has_value());
    Result<std::unique_ptr<ReadOnlyState>> files = ReadOnlyState::open(directory);
    REQUIRE(files.has_value());
    REQUIRE(made->value == applied_of(**files));
    REQUIRE(made->value >= before);
    check_all(**files, history.at(made->value));
    fixture.compact();  // the live files change, the linked ones stay
    check_all(**files, history.at(made->value));
  }
  check_all(keyspace, model);
  CHECK(!checkpoint_during(keyspace, fixture.path("checkpoint-0"), [] {}).has_value());
  CHECK(std::filesystem::exists(fixture.path("checkpoint-0")));
}

template <class Fixture>
void keyspace_flush_async_reports_what_files_hold() {
  Fixture fixture;
  Keyspace& keyspace = fixture.keyspace();
  put_applied(keyspace, 4);
  keyspace.commit(LogIndex{4});
  std::promise<LogIndex> flushed;
  keyspace.flush_async([&](LogIndex index) { flushed.set_value(index); });
  put_applied(keyspace, 5);
  keyspace.commit(LogIndex{5});
  LogIndex index = flushed.get_future().get();
  CHECK(index >= LogIndex{4});
  CHECK(keyspace.flushed_index() >= index);
  fixture.crash();
  CHECK(applied_of(fixture.keyspace()) >= index.value);
}

}  // namespace kiwi::rocks::test
