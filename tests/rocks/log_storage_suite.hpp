// What every raft::LogStorage must do, as functions over a fixture:
//
//   struct Fixture {
//     raft::LogStorage& log();
//     void crash();                      // the process dies at once; then opens again
//     void close_and_open();             // an orderly restart
//     bool corrupt_entry(LogIndex);      // bit rot; false = this fixture cannot
//   };
//
// memory_log_test.cpp and rocks_log_test.cpp call them.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "raft/log_storage.hpp"

namespace kiwi::rocks::test {

inline raft::Entry make_entry(uint64_t index,
                              uint64_t term,
                              const std::string& payload = "",
                              raft::EntryKind kind = raft::EntryKind::kBatch) {
  raft::Entry entry;
  entry.index = LogIndex{index};
  entry.term = Term{term};
  entry.kind = kind;
  entry.stamp_ms = static_cast<int64_t>(1000 * index + term);
  entry.seed = index * 7;
  if (kind == raft::EntryKind::kBatch) {
    entry.number.node = NodeId{3};
    entry.number.epoch = 2;
    entry.number.sequence = index;
  }
  if (!payload.empty()) {
    entry.payload = SharedBytes(payload);
  }
  return entry;
}

inline std::vector<raft::Entry> make_entries(uint64_t from,
                                             uint64_t last,
                                             uint64_t term,
                                             const std::string& payload = "p") {
  std::vector<raft::Entry> entries;
  for (uint64_t index = from; index <= last; ++index) {
    entries.push_back(make_entry(index, term, payload + std::to_string(index)));
  }
  return entries;
}

inline raft::PersistRequest append(std::vector<raft::Entry> entries) {
  raft::PersistRequest request;
  request.entries = std::move(entries);
  return request;
}

inline raft::SnapshotMeta snapshot_at(uint64_t index, uint64_t term) {
  raft::SnapshotMeta meta;
  meta.index = LogIndex{index};
  meta.term = Term{term};
  meta.configuration.voters = {NodeId{1}, NodeId{2}};
  meta.configuration.members = {{NodeId{1}, {}, "a:1", "a:2"}, {NodeId{2}, {}, "b:1", "b:2"}};
  return meta;
}

inline raft::LoadedLog loaded(raft::LogStorage& log) {
  Result<raft::LoadedLog> result = log.load();
  if (!result) {
    INFO(result.error().text);
    REQUIRE(false);
  }
  return std::move(result).value();
}

inline std::vector<raft::Entry> all_entries(raft::LogStorage& log) {
  raft::LoadedLog about = loaded(log);
  if (about.last_index < about.first_index) {
    return {};
  }
  auto entries = log.read(about.first_index, about.last_index, ~size_t{0});
  REQUIRE(entries.has_value());
  return *entries;
}

template <class Fixture>
void log_new_directory_is_empty() {
  Fixture fixture;
  raft::LoadedLog log = loaded(fixture.log());
  CHECK(log.hard_state == raft::HardState{});
  CHECK(log.snapshot == raft::SnapshotMeta{});
  CHECK(log.first_index == LogIndex{1});
  CHECK(log.last_index == LogIndex{0});
  CHECK(log.last_term == Term{0});
  CHECK(log.commit == LogIndex{0});
  CHECK(log.configurations.empty());
  auto identity = fixture.log().identity();
  REQUIRE(!identity.has_value());
  CHECK(identity.error().code == Errc::kNotFound);
  auto nothing = fixture.log().read(LogIndex{1}, LogIndex{1}, 100);
  REQUIRE(!nothing.has_value());
  CHECK(nothing.error().code == Errc::kInvalid);
  CHECK(!fixture.log().term_at(LogIndex{1}).has_value());
}

template <class Fixture>
void log_keeps_what_was_persisted() {
  Fixture fixture;
  std::vector<raft::Entry> entries = make_entries(1, 5, 1);
  entries.push_back(make_entry(6, 2, "", raft::EntryKind::kNoop));
  raft::PersistRequest request = append(entries);
  request.hard_state = raft::HardState{Term{2}, NodeId{3}};
  request.commit = LogIndex{4};
  REQUIRE(fixture.log().persist(request).has_value());
  for (int round = 0; round < 3; ++round) {
    raft::LoadedLog log = loaded(fixture.log());
    CHECK(log.hard_state == *request.hard_state);
    CHECK(log.first_index == LogIndex{1});
    CHECK(log.last_index == LogIndex{6});
    CHECK(log.last_term == Term{2});
    CHECK(log.commit == LogIndex{4});
    CHECK(all_entries(fixture.log()) == entries);
    CHECK(fixture.log().term_at(LogIndex{5}).value() == Term{1});
    CHECK(fixture.log().term_at(LogIndex{6}).value() == Term{2});
    if (round == 0) {
      fixture.crash();
    } else {
      fixture.close_and_open();
    }
  }
}

template <class Fixture>
void log_read_honours_range_and_bytes() {
  Fixture fixture;
  std::vector<raft::Entry> entries;
  for (uint64_t index = 1; index <= 10; ++index) {
    entries.push_back(make_entry(index, 1, std::string(100, 'x')));
  }
  REQUIRE(fixture.log().persist(append(entries)).has_value());
  auto read = [&](uint64_t from, uint64_t last, size_t bytes) {
    auto result = fixture.log().read(LogIndex{from}, LogIndex{last}, bytes);
    REQUIRE(result.has_value());
    std::vector<uint64_t> indexes;
    for (const raft::Entry& entry : *result) {
      indexes.push_back(entry.index.value);
    }
    return indexes;
  };
  CHECK(read(3, 5, 1000) == std::vector<uint64_t>{3, 4, 5});
  CHECK(read(3, 10, 250) == std::vector<uint64_t>{3, 4});
  CHECK(read(3, 10, 300) == std::vector<uint64_t>{3, 4, 5});
  CHECK(read(3, 10, 0) == std::vector<uint64_t>{3});  // at least one, however large (F29)
  CHECK(read(10, 10, 1) == std::vector<uint64_t>{10});
  CHECK(!fixture.log().read(LogIndex{0}, LogIndex{1}, 1).has_value());
  CHECK(!fixture.log().read(LogIndex{5}, LogIndex{4}, 1).has_value());
  CHECK(!fixture.log().read(LogIndex{5}, LogIndex{11}, 1).has_value());
}

template <class Fixture>
void log_truncated_suffix_stays_gone() {
  Fixture fixture;
  // More than any threshold between deletes one by one and by range.
  REQUIRE(fixture.log().persist(append(make_entries(1, 300, 1, "old"))).has_value());
  std::vector<raft::Entry> fresh = make_entries(4, 5, 2, "new");
  REQUIRE(fixture.log().persist(append(fresh)).has_value());
  std::vector<raft::Entry> expected = make_entries(1, 3, 1, "old");
  expected.insert(expected.end(), fresh.begin(), fresh.end());
  CHECK(all_entries(fixture.log()) == expected);
  fixture.crash();
  CHECK(loaded(fixture.log()).last_index == LogIndex{5});
  CHECK(all_entries(fixture.log()) == expected);
  // And with few: the suffix that is replaced is longer than what replaces it.
  REQUIRE(fixture.log().persist(append(make_entries(3, 3, 3, "newest"))).has_value());
  fixture.crash();
  CHECK(loaded(fixture.log()).last_index == LogIndex{3});
  CHECK(loaded(fixture.log()).last_term == Term{3});
  CHECK(!fixture.log().term_at(LogIndex{4}).has_value());
}

// F12: overwritten back and forth; after each persist exactly that content is durable.
template <class Fixture>
void log_writes_take_effect_in_order() {
  Fixture fixture;
  REQUIRE(fixture.log().persist(append(make_entries(1, 1, 1))).has_value());
  for (uint64_t term : {1, 2, 2, 3}) {
    for (const char* payload : {"one", "two", "one"}) {
      raft::PersistRequest request = append(make_entries(2, 3, term, payload));
      request.hard_state = raft::HardState{Term{term}, NodeId{}};
      REQUIRE(fixture.log().persist(request).has_value());
    }
    fixture.crash();
    raft::LoadedLog log = loaded(fixture.log());
    CHECK(log.last_index == LogIndex{3});
    CHECK(log.last_term == Term{term});
    CHECK(log.hard_state.term == Term{term});
    CHECK(fixture.log().read(LogIndex{2}, LogIndex{3}, 1000).value() ==
          make_entries(2, 3, term, "one"));
  }
}

template <class Fixture>
void log_refuses_gaps() {
  Fixture fixture;
  REQUIRE(fixture.log().persist(append(make_entries(1, 5, 2))).has_value());
  auto refused = [&](const raft::PersistRequest& request) {
    Result<void> result = fixture.log().persist(request);
    return !result && result.error().code == Errc::kInvalid;
  };
  CHECK(refused(append(make_entries(7, 8, 2))));
  CHECK(refused(append({make_entry(6, 2), make_entry(8, 2)})));
  CHECK(refused(append({make_entry(6, 2), make_entry(6, 2)})));
  CHECK(refused(append({make_entry(6, 3), make_entry(7, 2)})));  // terms never fall
  CHECK(refused(append({make_entry(0, 2)})));
  REQUIRE(fixture.log().cut(snapshot_at(3, 2), LogIndex{2}).has_value());
  CHECK(refused(append(make_entries(3, 4, 2))));  // at or below the snapshot
  CHECK(all_entries(fixture.log()) == make_entries(2, 5, 2));
  fixture.crash();
  CHECK(all_entries(fixture.log()) == make_entries(2, 5, 2));
}

// F18: what configurations the log holds is known without reading it all, also after truncation.
template <class Fixture>
void log_lists_configurations() {
  Fixture fixture;
  auto configuration = [](uint64_t index, uint64_t term, const std::string& bytes) {
    return make_entry(index, term, bytes, raft::EntryKind::kConfiguration);
  };
  auto listed = [&] {
    std::vector<std::string> payloads;
    for (const raft::Entry& entry : loaded(fixture.log()).configurations) {
      payloads.push_back(std::to_string(entry.index.value) + std::string(entry.payload.view()));
    }
    return payloads;
  };
  using Names = std::vector<std::string>;
  REQUIRE(fixture.log()
              .persist(append({configuration(1, 1, "a"), make_entry(2, 1), configuration(3, 1, "b"),
                               make_entry(4, 1), configuration(5, 1, "c")}))
              .has_value());
  CHECK(listed() == Names{"1a", "3b", "5c"});
  REQUIRE(fixture.log().persist(append({make_entry(4, 2), make_entry(5, 2)})).has_value());
  CHECK(listed() == Names{"1a", "3b"});
  fixture.crash();
  CHECK(listed() == Names{"1a", "3b"});
  REQUIRE(fixture.log().persist(append({configuration(6, 2, "d")})).has_value());
  REQUIRE(fixture.log().cut(snapshot_at(5, 2), LogIndex{3}).has_value());
  CHECK(listed() == Names{"3b", "6d"});
  REQUIRE(fixture.log().cut(snapshot_at(5, 2), LogIndex{6}).has_value());
  fixture.crash();
  CHECK(listed() == Names{"6d"});
}

// F13: what stays, what goes, and that it is durable when cut() returns.
template <class Fixture>
void log_cut_keeps_a_tail() {
  Fixture fixture;
  REQUIRE(fixture.log().persist(append(make_entries(1, 20, 1))).has_value());
  raft::SnapshotMeta meta = snapshot_at(10, 1);
  REQUIRE(fixture.log().cut(meta, LogIndex{7}).has_value());
  fixture.crash();
  raft::LoadedLog log = loaded(fixture.log());
  CHECK(log.first_index == LogIndex{7});
  CHECK(log.last_index == LogIndex{20});
  CHECK(log.snapshot == meta);
  CHECK(log.commit >= LogIndex{10});
  CHECK(all_entries(fixture.log()) == make_entries(7, 20, 1));
  CHECK(!fixture.log().term_at(LogIndex{6}).has_value());
  CHECK(!fixture.log().read(LogIndex{6}, LogIndex{8}, 100).has_value());
  // What is gone stays gone: only the snapshot moves.
  REQUIRE(fixture.log().cut(snapshot_at(12, 1), LogIndex{2}).has_value());
  CHECK(loaded(fixture.log()).first_index == LogIndex{7});
  // Backwards, beyond the log or the snapshot, or at a term that is not the log's: refused.
  CHECK(!fixture.log().cut(snapshot_at(11, 1), LogIndex{12}).has_value());
  CHECK(!fixture.log().cut(snapshot_at(13, 2), LogIndex{14}).has_value());
  CHECK(!fixture.log().cut(snapshot_at(12, 2), LogIndex{13}).has_value());
  CHECK(!fixture.log().cut(snapshot_at(21, 1), LogIndex{13}).has_value());
  CHECK(!fixture.log().cut(snapshot_at(13, 1), LogIndex{15}).has_value());
  // Everything.
  REQUIRE(fixture.log().cut(snapshot_at(20, 1), LogIndex{21}).has_value());
  fixture.crash();
  log = loaded(fixture.log());
  CHECK(log.first_index == LogIndex{21});
  CHECK(log.last_index == LogIndex{20});
  CHECK(log.last_term == Term{1});
  REQUIRE(fixture.log().persist(append(make_entries(21, 22, 2))).has_value());
  fixture.close_and_open();
  CHECK(all_entries(fixture.log()) == make_entries(21, 22, 2));
}

// F14: the one commit point of a snapshot. What was there before is gone whole, hard state stays.
template <class Fixture>
void log_install_starts_anew() {
  Fixture fixture;
  CHECK(fixture.log().live_state().value() == "state-1");
  raft::PersistRequest request = append(make_entries(1, 20, 1));
  request.entries.push_back(make_entry(21, 1, "c", raft::EntryKind::kConfiguration));
  request.hard_state = raft::HardState{Term{5}, NodeId{2}};
  REQUIRE(fixture.log().persist(request).has_value());
  for (uint64_t index : {15, 100}) {  // below the log's end, and ahead of it
    const std::string name = "state-" + std::to_string(index);
    REQUIRE(fixture.log().install(snapshot_at(index, 4), name).has_value());
    for (int round = 0; round < 2; ++round) {
      raft::LoadedLog log = loaded(fixture.log());
      CHECK(log.snapshot == snapshot_at(index, 4));
      CHECK(log.first_index == LogIndex{index + 1});
      CHECK(log.last_index == LogIndex{index});
      CHECK(log.last_term == Term{4});
      CHECK(log.commit >= LogIndex{index});
      CHECK(log.hard_state == *request.hard_state);
      CHECK(log.configurations.empty());
      CHECK(fixture.log().live_state().value() == name);
      CHECK(!fixture.log().read(LogIndex{5}, LogIndex{6}, 100).has_value());
      fixture.crash();
    }
  }
  CHECK(!fixture.log().install(snapshot_at(99, 4), "state-9").has_value());  // never backwards
  CHECK(!fixture.log().install(snapshot_at(101, 4), "").has_value());
  CHECK(!fixture.log().persist(append(make_entries(21, 22, 4))).has_value());
  REQUIRE(fixture.log().persist(append(make_entries(101, 103, 4))).has_value());
  fixture.crash();
  CHECK(all_entries(fixture.log()) == make_entries(101, 103, 4));
  REQUIRE(fixture.log().cut(snapshot_at(102, 4), LogIndex{102}).has_value());
  fixture.close_and_open();
  CHECK(fixture.log().live_state().value() == "state-100");
  CHECK(all_entries(fixture.log()) == make_entries(102, 103, 4));
}

template <class Fixture>
void log_identity_is_durable() {
  Fixture fixture;
  raft::Identity identity;
  identity.node = NodeId{7};
  identity.incarnation.bytes[3] = 9;
  REQUIRE(fixture.log().set_identity(identity).has_value());
  fixture.crash();
  CHECK(fixture.log().identity().value() == identity);
  identity.cluster.bytes[0] = 1;
  identity.boot_epoch = 5;
  REQUIRE(fixture.log().set_identity(identity).has_value());
  fixture.crash();
  CHECK(fixture.log().identity().value() == identity);
  CHECK(loaded(fixture.log()).last_index == LogIndex{0});
}

template <class Fixture>
void log_reports_bit_rot() {
  Fixture fixture;
  REQUIRE(fixture.log().persist(append(make_entries(1, 9, 1))).has_value());
  if (!fixture.corrupt_entry(LogIndex{5})) {
    return;
  }
  CHECK(fixture.log().read(LogIndex{1}, LogIndex{4}, 1000).has_value());
  auto rotten = fixture.log().read(LogIndex{4}, LogIndex{6}, 1000);
  REQUIRE(!rotten.has_value());
  CHECK(rotten.error().code == Errc::kCorrupt);
}

// Every story of this file, as test cases named after the adaptor.
#define KIWI_LOG_STORAGE_SUITE(name, Fixture)                                                 \
  TEST_CASE(name ": a new directory is empty") { log_new_directory_is_empty<Fixture>(); }     \
  TEST_CASE(name ": what was persisted survives crash and restart") {                         \
    log_keeps_what_was_persisted<Fixture>();                                                  \
  }                                                                                           \
  TEST_CASE(name ": a read ends at its range or its bytes, never before one entry [F29]") {   \
    log_read_honours_range_and_bytes<Fixture>();                                              \
  }                                                                                           \
  TEST_CASE(name ": a truncated suffix stays gone after a crash") {                           \
    log_truncated_suffix_stays_gone<Fixture>();                                               \
  }                                                                                           \
  TEST_CASE(name ": writes take effect one after the other [F12]") {                          \
    log_writes_take_effect_in_order<Fixture>();                                               \
  }                                                                                           \
  TEST_CASE(name ": gaps and disorder are refused and write nothing") {                       \
    log_refuses_gaps<Fixture>();                                                              \
  }                                                                                           \
  TEST_CASE(name ": configurations are listed, truncated and cut with their entries [F18]") { \
    log_lists_configurations<Fixture>();                                                      \
  }                                                                                           \
  TEST_CASE(name ": a cut keeps the tail, is durable, and never goes back [F13]") {           \
    log_cut_keeps_a_tail<Fixture>();                                                          \
  }                                                                                           \
  TEST_CASE(name ": a snapshot ahead of the log starts it anew [F14]") {                      \
    log_install_starts_anew<Fixture>();                                                       \
  }                                                                                           \
  TEST_CASE(name ": the identity is durable [F1]") { log_identity_is_durable<Fixture>(); }    \
  TEST_CASE(name ": bit rot in an entry is reported [F16]") { log_reports_bit_rot<Fixture>(); }

}  // namespace kiwi::rocks::test
