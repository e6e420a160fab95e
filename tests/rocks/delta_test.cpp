// The logical delta (F17): a receiver's own state becomes the sender's, by what changed alone.
#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "rocks/keys.hpp"
#include "tests/rocks/snapshot_support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

// Both apply `common` entries, the sender `more` of them beyond that.
struct Pair {
  Pair(uint64_t seed, int common, int more) : history(seed) {
    // Both engines, in every combination: files of one are files of the other.
    const auto engine = [](bool table) { return table ? Engine::kTable : Engine::kPlain; };
    sender = std::make_unique<StateNode>(directory.path("sender"), 64 << 10, engine(seed % 2 == 0));
    receiver =
        std::make_unique<StateNode>(directory.path("receiver"), 64 << 10, engine(seed % 4 < 2));
    run(common, true);
    run(more, false);
    sent = sender->checkpoint(directory.path("sent"));
    base = receiver->checkpoint(directory.path("base"));
  }

  // In steps, so that what falls due is taken away in between, as the leader does.
  void run(int entries, bool both) {
    for (int done = 0; done < entries; done += 20) {
      history.grow(20);
      const std::string due = sender->due(history.log().stamp_ms);
      if (!due.empty()) {
        history.add({due});
      }
      const std::vector<raft::Entry> step = history.take();
      sender->apply(step);
      if (both) {
        receiver->apply(step);
      }
    }
  }

  TempDirectory directory;
  History history;
  std::unique_ptr<StateNode> sender;
  std::unique_ptr<StateNode> receiver;
  std::string sent;
  std::string base;
};

AppliedRecord read_applied(Reader& state) {
  std::string key;
  keys::applied_record(key);
  return decode_applied(state.get(Family::kSystem, key).value()).value();
}

}  // namespace

TEST_CASE("delta: random histories lead to exactly the sender's state, digest included [F17]") {
  for (uint64_t seed = 1; seed <= rounds(12); ++seed) {
    INFO("seed ", seed);
    Pair pair(seed, seed % 3 == 0 ? 20 : 300, seed % 4 == 0 ? 20 : 200);
    auto source = source_at(pair.sent);
    DeltaResult result = send_delta(*source, pair.base);
    if (!result.info) {
      INFO(result.info.error().text);
      check_same_state(pair.base, pair.sent);  // says where they differ
      REQUIRE(false);
    }
    CHECK(result.info->applied == source->info().applied);
    CHECK(result.info->configuration == source->info().configuration);
    CHECK(result.info->sessions == source->info().sessions);
    check_same_state(pair.base, pair.sent);
  }
}

TEST_CASE("delta: the receiver goes on from it as the sender does [F17]") {
  Pair pair(77, 200, 200);
  auto source = source_at(pair.sent);
  REQUIRE(send_delta(*source, pair.base).info.has_value());
  copy_directory_after_power_loss(pair.base, pair.directory.path("lost"));
  check_same_state(pair.directory.path("lost"), pair.sent);
  StateNode continued(pair.base, 64 << 10, Engine::kTable);
  pair.history.grow(200);
  const std::vector<raft::Entry> more = pair.history.take();
  pair.sender->apply(more);
  continued.apply(more);
  CHECK(continued.node().executor().state_checksum() ==
        pair.sender->node().executor().state_checksum());
  check_same_state(continued.checkpoint(pair.directory.path("continued")),
                   pair.sender->checkpoint(pair.directory.path("sent-later")));
}

TEST_CASE("delta: nothing changed, nearly nothing is sent") {
  Pair pair(5, 300, 0);
  auto source = source_at(pair.sent);
  DeltaResult result = send_delta(*source, pair.base);
  REQUIRE(result.info.has_value());
  CHECK(result.bytes < 20'000);
}

TEST_CASE("delta: 5 % changed of 100 k keys sends less than 15 % of the whole [F17]") {
  TempDirectory directory;
  StateNode sender(directory.path("sender"), 16 << 20);
  StateNode receiver(directory.path("receiver"), 16 << 20);
  History history(3);
  Prng random(8);
  auto value = [&] {
    std::string bytes(100, ' ');
    for (char& c : bytes) {
      c = static_cast<char>(' ' + random.below(90));
    }
    return bytes;
  };
  auto name = [](uint64_t n) { return "key:" + std::to_string(n); };
  constexpr uint64_t kKeys = 100'000;
  for (uint64_t n = 0; n < kKeys;) {
    std::vector<std::string> commands;
    for (int i = 0; i < 500; ++i, ++n) {
      commands.push_back(resp::packed({"set", name(n), value()}));
    }
    history.add(commands);
    const std::vector<raft::Entry> step = history.take();
    sender.apply(step);
    receiver.apply(step);
  }
  for (uint64_t n = 0; n < kKeys / 20; n += 50) {
    std::vector<std::string> commands;
    for (int i = 0; i < 50; ++i) {
      const std::string key = name(random.below(kKeys));
      // Of the changes every fifth is a deletion: those cost most.
      commands.push_back(i % 5 == 0 ? resp::packed({"del", key})
                                    : resp::packed({"set", key, value()}));
    }
    history.add(commands);
  }
  sender.apply(history.take());
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  check_same_state(base, source->directory());
  const double share =
      100.0 * static_cast<double>(result.bytes) / static_cast<double>(source->bytes());
  MESSAGE("delta of 5 % changed keys: " << result.bytes << " of " << source->bytes() << " bytes, "
                                        << share << " %, in " << result.chunks << " chunks");
  CHECK(share < 15);
}

TEST_CASE("delta: no deadline travels for itself, and FLUSHDB takes them along [F17]") {
  TempDirectory directory;
  StateNode sender(directory.path("sender"));
  StateNode receiver(directory.path("receiver"));
  History history(3);
  auto both = [&](const std::vector<std::string>& command) {
    history.add({resp::packed(command)});
    const std::vector<raft::Entry> step = history.take();
    sender.apply(step);
    receiver.apply(step);
  };
  for (int n = 0; n < 2000; ++n) {
    both({"set", "key:" + std::to_string(n), "v", "px", std::to_string(1'000'000'000 + n)});
  }
  both({"set", "some", "thing"});
  int round = 0;
  auto delta_after = [&](const std::vector<std::string>& command) {
    const std::string number = std::to_string(round++);
    const std::string base = receiver.checkpoint(directory.path("base" + number));
    history.add({resp::packed(command)});
    const std::vector<raft::Entry> step = history.take();
    sender.apply(step);
    auto source = source_at(sender.checkpoint(directory.path("sent" + number)));
    DeltaResult result = send_delta(*source, base);
    REQUIRE(result.info.has_value());
    check_same_state(base, source->directory());
    receiver.apply(step);
    return result.bytes;
  };
  CHECK(delta_after({"set", "more", "px", "1000"}) < 2000);
  CHECK(delta_after({"set", "more", "things", "px", "1000"}) < 2000);
  CHECK(delta_after({"pexpire", "key:7", "900000000"}) < 2000);
  CHECK(delta_after({"flushdb"}) < 2000);
  CHECK(delta_after({"set", "and", "more"}) < 2000);
}

TEST_CASE("delta: a state that is no earlier one is refused, at the start or by the digest [F17]") {
  Pair pair(21, 100, 60);
  auto source = source_at(pair.sent);
  AppliedRecord base = read_applied_record(pair.base).value();
  CHECK(source->delta(base).has_value());
  auto refused = [&](auto change) {
    AppliedRecord other = base;
    change(other);
    auto stream = source->delta(other);
    return !stream.has_value() && stream.error().code == Errc::kInvalid;
  };
  CHECK(refused([](AppliedRecord& r) { r = AppliedRecord{}; }));
  CHECK(refused([&](AppliedRecord& r) { r.index = source->info().applied.index + 1; }));
  CHECK(refused([](AppliedRecord& r) { r.mutation_counter += 1'000'000; }));
  CHECK(refused([&](AppliedRecord& r) {
    r = source->info().applied;
    ++r.checksum;  // the same index, another history
  }));
  // Another history that looks plausible: the digest at the end finds it.
  Pair other(23, 40, 0);
  DeltaResult result = send_delta(*source, other.base);
  REQUIRE(!result.info.has_value());
  INFO(result.info.error().text);
  CHECK(result.info.error().code == Errc::kCorrupt);
}

TEST_CASE("delta: one record that differs in the receiver's past is found by the digest [F17]") {
  Pair pair(31, 200, 50);
  {
    KeyspaceOptions options;
    options.path = pair.base;
    auto keyspace = open_plain_keyspace(options);
    REQUIRE(keyspace.has_value());
    std::string applied;
    keys::applied_record(applied);
    const std::string record((*keyspace)->get(Family::kSystem, applied).value());
    (*keyspace)->put(Family::kSystem, applied, record);
    std::string stray;
    keys::element(stray, {DatabaseId{0x7a7a7a7a}, 1}, "stray");
    (*keyspace)->put(Family::kElement, stray, "bit rot");
    (*keyspace)->commit(decode_applied(record)->index);
    (*keyspace)->flush();
  }
  auto source = source_at(pair.sent);
  DeltaResult result = send_delta(*source, pair.base);
  REQUIRE(!result.info.has_value());
  CHECK(result.info.error().code == Errc::kCorrupt);
}

// A checkpoint may be made while an entry is applied: what it builds has the versions that other
// collections have later on the way to the sender's state (F61).
TEST_CASE("delta: what was being built in either state is no part of it [F17]") {
  Pair pair(51, 200, 100);
  const auto hide = [](const std::string& directory) {
    KeyspaceOptions options;
    options.path = directory;
    auto keyspace = open_plain_keyspace(options);
    REQUIRE(keyspace.has_value());
    const uint64_t counter = read_applied(**keyspace).mutation_counter;
    std::vector<Writer::Record> records;
    for (uint64_t version = counter + 1; version < counter + 200; ++version) {
      std::string key;
      keys::element(key, {DatabaseId{0}, version}, "hidden");
      records.push_back({Family::kElement, key, "value"});
      keys::node(key, {DatabaseId{0}, version}, 0, 77);
      records.push_back({Family::kNode, key, "node"});
    }
    (*keyspace)->spill(records);
    (*keyspace)->flush();
  };
  const std::string sent = pair.directory.path("sent-whole");
  copy_directory(pair.sent, sent);
  hide(pair.sent);
  hide(pair.base);
  auto source = source_at(pair.sent);
  DeltaResult result = send_delta(*source, pair.base);
  if (!result.info) {
    INFO(result.info.error().text);
    REQUIRE(false);
  }
  check_same_state(pair.base, sent);
}

TEST_CASE("delta: chunks that are lost, doubled or damaged come to nothing, without harm") {
  for (uint64_t seed = 1; seed <= rounds(20); ++seed) {
    INFO("seed ", seed);
    static Pair pair(41, 200, 100);
    static auto source = source_at(pair.sent);
    const std::string own = pair.directory.path("own-" + std::to_string(seed));
    copy_directory(pair.base, own);
    auto target = DeltaTarget::open(own);
    REQUIRE(target.has_value());
    auto stream = source->delta((*target)->base());
    REQUIRE(stream.has_value());
    Prng random(seed);
    std::vector<std::string> chunks;
    for (auto chunk = (*stream)->next(); chunk.value().has_value(); chunk = (*stream)->next()) {
      chunks.push_back(**chunk);
    }
    std::string& victim = chunks[random.below(chunks.size())];
    switch (seed % 4) {
      case 0:
        victim.resize(random.below(victim.size()));
        break;
      case 1:
        chunks.push_back(victim);
        break;
      case 2:
        for (int i = 0; i < 3; ++i) {
          victim[random.below(victim.size())] = static_cast<char>(random.next());
        }
        break;
      default:
        victim.insert(random.below(victim.size()), std::string(1 + random.below(8), '\x01'));
    }
    bool good = true;
    for (const std::string& chunk : chunks) {
      good = good && (*target)->apply(chunk).has_value();
    }
    if (good && (*target)->complete()) {
      const auto info = (*target)->finish();
      // What still comes out right must be right.
      CHECK((!info.has_value() || info->applied == source->info().applied));
      if (info) {
        check_same_state(own, pair.sent);
      }
    }
  }
}

TEST_CASE("delta: a disk without room ends the delta, not the process [F60]") {
  Pair pair(3, 300, 200);
  auto source = source_at(pair.sent);
  fill_disk(".sst");
  const DeltaResult result = send_delta(*source, pair.base);
  const uint64_t refused = full_disk_refused();
  fill_disk("");
  CHECK(refused > 0);
  REQUIRE(!result.info.has_value());
  CHECK(result.info.error().text.find("room") != std::string::npos);
  const std::string again = pair.receiver->checkpoint(pair.directory.path("again"));
  CHECK(send_delta(*source, again).info.has_value());
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
