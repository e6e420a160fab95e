// The logical delta (F17) for collections in each of the families: spread sorted sets stand in two,
// hashes and streams in one. States are written record by record, as commands would; what the
// records hold is their types' business.
#include <map>

#include <doctest/doctest.h>

#include "config/base/bytes.hpp"
#include "rocks/keys.hpp"
#include "tests/rocks/snapshot_support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

// A node whose "log" is calls of the methods below; two nodes that got the same calls are equal.
class Written {
 public:
  explicit Written(const std::string& directory) : node_(directory), keys_(node_.keyspace()) {
    raft::Configuration members;
    members.members = {resp::member(1)};
    members.voters = {NodeId{1}};
    keys::configuration_record(key_);
    keys_.put(Family::kSystem, key_, raft::encode_configuration(members));
    record_.next_database = 1 << 16;
    end_entry();
  }

  // Creates the sorted set or replaces it.
  void set(const std::string& name, Type type, const std::map<std::string, double>& members) {
    remove(name);
    const uint64_t version = ++record_.mutation_counter;
    write(name, type, version, version, members);
  }
  // Another content under the same version, as ZADD and ZREM leave it.
  void change(const std::string& name, const std::map<std::string, double>& members) {
    const Metadata old = *metadata(name);
    drop_elements(old);
    write(name, old.type, old.version, ++record_.mutation_counter, members);
  }
  void rename(const std::string& from, const std::string& to) {
    const Metadata old = *metadata(from);
    remove(to);
    forget(from);
    bucket(from);
    store(to, old.type, old.version, ++record_.mutation_counter, old.size);
  }
  void remove(const std::string& name) {
    if (const auto old = metadata(name)) {
      drop_elements(*old);
      forget(name);
      bucket(name);
    }
  }
  void end_entry() {
    ++record_.index;
    record_.term = Term{1};
    record_.checksum = record_.checksum * 31 + record_.mutation_counter;
    keys::applied_record(key_);
    encode(value_, record_);
    keys_.put(Family::kSystem, key_, value_);
    keys_.commit(record_.index);
  }
  void setting(const std::string& name, const std::string& value) {
    keys::setting(key_, name);
    keys_.put(Family::kSystem, key_, value);
  }
  // As Once writes them: format, and the entry that is being written.
  void token(uint64_t ms, const std::string& rest) {
    keys::once_record(key_, {ms, 0, "t"});
    value_.assign(1, '\1');
    put_le(value_, record_.index.value + 1);
    keys_.put(Family::kSystem, key_, value_ + rest);
  }
  void forget_tokens(uint64_t until_ms) {
    std::string to;
    keys::once_range(key_, to, 0, until_ms + 1);
    keys_.erase_range(Family::kSystem, key_, to);
    keys::once_floor(key_);
    value_.assign(1, '\1');
    put_le(value_, until_ms);
    keys_.put(Family::kSystem, key_, value_);
  }
  std::string checkpoint(const std::string& directory) { return node_.checkpoint(directory); }

 private:
  std::optional<Metadata> metadata(const std::string& name) {
    keys::meta(key_, DatabaseId{0}, name);
    const auto bytes = keys_.get(Family::kMeta, key_);
    return bytes ? decode_metadata(*bytes) : std::nullopt;
  }
  void store(const std::string& name, Type type, uint64_t version, uint64_t last, uint64_t size) {
    Metadata fresh;
    fresh.type = type;
    fresh.version = version;
    fresh.last_modified = last;
    fresh.size = size;
    fresh.spread = true;
    if (type == Type::kSortedSet && size > 0) {
      fresh.value = "root";
      fresh.next_node = size + 1;
    }
    if (type == Type::kStream) {  // without entries, and packed as often as not
      fresh.size = 0;
      fresh.spread = size % 2 == 0;
      fresh.stream.next_group = size + 1;
    }
    keys::meta(key_, DatabaseId{0}, name);
    encode(value_, fresh);
    keys_.put(Family::kMeta, key_, value_);
  }
  void write(const std::string& name,
             Type type,
             uint64_t version,
             uint64_t last,
             const std::map<std::string, double>& members) {
    const CollectionId collection{DatabaseId{0}, version};
    uint64_t node = 0;
    for (const auto& [member, score] : members) {
      if (type == Type::kStream) {
        write_group(collection, member, std::to_string(score), ++node);
        continue;
      }
      keys::element(key_, collection, member);
      keys_.put(Family::kElement, key_, std::to_string(score));
      if (type == Type::kSortedSet) {
        keys::node(key_, collection, 0, ++node);
        keys_.put(Family::kNode, key_, member);
      }
    }
    store(name, type, version, last, members.size());
  }
  void write_group(const CollectionId& stream,
                   const std::string& name,
                   const std::string& value,
                   uint64_t number) {
    keys::stream_group(key_, stream, name);
    keys_.put(Family::kNode, key_, value);
    keys::stream_consumer(key_, stream, static_cast<uint32_t>(number), name);
    keys_.put(Family::kNode, key_, value);
    keys::stream_consumer_number(key_, stream, static_cast<uint32_t>(number), 1);
    keys_.put(Family::kNode, key_, name);
  }
  void drop_elements(const Metadata& old) {
    std::string to;
    keys::collection_begin(key_, {DatabaseId{0}, old.version});
    keys::collection_end(to, {DatabaseId{0}, old.version});
    keys_.erase_range(Family::kElement, key_, to);
    keys_.erase_range(Family::kNode, key_, to);
  }
  void forget(const std::string& name) {
    keys::meta(key_, DatabaseId{0}, name);
    keys_.erase(Family::kMeta, key_);
  }
  void bucket(const std::string& name) {
    keys::deletion_bucket(key_, DatabaseId{0}, deletion_bucket_of(name));
    value_.clear();
    put_le(value_, ++record_.mutation_counter);
    keys_.put(Family::kSystem, key_, value_);
  }

  StateNode node_;
  Keyspace& keys_;
  AppliedRecord record_;
  std::string key_;
  std::string value_;
};

void random_step(Written& state, Prng random) {
  const auto name = [&] { return "z" + std::to_string(random.below(12)); };
  std::map<std::string, double> members;
  for (uint64_t n = random.below(20); n > 0; --n) {
    members["m" + std::to_string(random.below(30))] = static_cast<double>(random.below(9)) - 4;
  }
  switch (random.below(5)) {
    case 0:
      state.remove(name());
      break;
    case 1: {
      const std::string from = name();
      const std::string to = name();
      state.set(from, Type::kSortedSet, members);
      if (from != to) {
        state.rename(from, to);
      }
      break;
    }
    case 2: {
      constexpr Type kTypes[] = {Type::kHash, Type::kString, Type::kStream};
      state.set(name(), kTypes[random.below(3)], members);
      break;
    }
    default: {
      const std::string at = name();
      state.set(at, random.chance(1, 3) ? Type::kStream : Type::kSortedSet, members);
      members["more"] = 1.5;
      state.change(at, members);
    }
  }
  state.end_entry();
}

}  // namespace

TEST_CASE("delta: keys travel with their nodes, in whatever order they were renamed [F17]") {
  for (uint64_t seed = 1; seed <= rounds(10); ++seed) {
    INFO("seed ", seed);
    TempDirectory directory;
    Written sender(directory.path("sender"));
    Written receiver(directory.path("receiver"));
    const uint64_t common = 1 + seed % 30;
    for (uint64_t i = 0; i < common + 25; ++i) {
      random_step(sender, Prng(seed * 1000 + i));
      if (i < common) {
        random_step(receiver, Prng(seed * 1000 + i));
      }
    }
    auto source = source_at(sender.checkpoint(directory.path("sent")));
    const std::string base = receiver.checkpoint(directory.path("base"));
    DeltaResult result = send_delta(*source, base);
    check_same_state(base, source->directory());
    REQUIRE(result.info.has_value());
  }
}

TEST_CASE("delta: a sorted set that nobody touched does not travel [F17]") {
  TempDirectory directory;
  Written sender(directory.path("sender"));
  Written receiver(directory.path("receiver"));
  std::map<std::string, double> many;
  for (int i = 0; i < 20'000; ++i) {
    many["member-" + std::to_string(i)] = i;
  }
  for (Written* state : {&sender, &receiver}) {
    state->set("big", Type::kSortedSet, many);
    state->set("small", Type::kSortedSet, {{"a", 1}});
    state->end_entry();
  }
  sender.change("small", {{"a", 2}, {"b", 3}});
  sender.end_entry();
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  CHECK(result.bytes < 1000);
  check_same_state(base, source->directory());
}

TEST_CASE("delta: a stream travels with its groups, though its entries are packed [F17]") {
  TempDirectory directory;
  Written sender(directory.path("sender"));
  Written receiver(directory.path("receiver"));
  for (Written* state : {&sender, &receiver}) {
    state->set("kept", Type::kStream, {{"a", 1}});
    state->set("changed", Type::kStream, {{"a", 1}, {"b", 2}, {"c", 3}});
    state->set("gone", Type::kStream, {{"a", 1}});
    state->end_entry();
  }
  sender.change("changed", {{"a", 9}});
  sender.remove("gone");
  sender.set("new", Type::kStream, {{"a", 1}});
  sender.end_entry();
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  check_same_state(base, source->directory());
  uint64_t nodes = 0;
  const auto got = opened_state(base);
  for (auto at = got->cursor(Family::kNode, {}, {}); at->valid(); at->next()) {
    ++nodes;
  }
  CHECK(nodes == 9);  // three records of a group each
}

TEST_CASE("delta: settings of the cluster travel, new ones and changed ones [F17]") {
  TempDirectory directory;
  Written sender(directory.path("sender"));
  Written receiver(directory.path("receiver"));
  for (Written* state : {&sender, &receiver}) {
    state->setting("active-expire", "no");
    state->setting("raft.auto-upgrade", "no");
    state->end_entry();
  }
  sender.setting("active-expire", "yes");
  sender.setting("cluster-version", "2");
  sender.set("a", Type::kSortedSet, {{"m", 1}});
  sender.end_entry();
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  check_same_state(base, source->directory());
  const auto got = opened_state(base);
  std::string key;
  keys::setting(key, "cluster-version");
  CHECK(got->get(Family::kSystem, key) == std::optional<std::string_view>("2"));
}

// A token's record leaves with its second only, and the floor says so.
TEST_CASE("delta: of tokens travels what is new, what changed, and what is forgotten [F17]") {
  TempDirectory directory;
  Written sender(directory.path("sender"));
  Written receiver(directory.path("receiver"));
  for (Written* state : {&sender, &receiver}) {
    for (uint64_t ms = 1000; ms < 5000; ++ms) {
      state->token(ms, std::string(64, 'r'));
    }
    state->end_entry();
  }
  sender.forget_tokens(1999);
  sender.token(3000, "claimed");
  sender.token(6000, "new");
  sender.end_entry();
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  CHECK(result.bytes < 2000);  // those that did not change stayed at home
  check_same_state(base, source->directory());
}

// What a change costs: there is no mark on elements, so one changed member brings the collection.
TEST_CASE("delta: a collection of which one member changed travels whole, and only it [F17]") {
  TempDirectory directory;
  Written sender(directory.path("sender"));
  Written receiver(directory.path("receiver"));
  std::map<std::string, double> many;
  uint64_t content = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string member = "member-" + std::to_string(i);
    content += member.size() + sizeof(double);
    many[member] = i;
  }
  for (Written* state : {&sender, &receiver}) {
    state->set("changed", Type::kSortedSet, many);
    state->set("untouched", Type::kSortedSet, many);
    state->end_entry();
  }
  many["member-7"] = -1;
  sender.change("changed", many);
  sender.end_entry();
  auto source = source_at(sender.checkpoint(directory.path("sent")));
  const std::string base = receiver.checkpoint(directory.path("base"));
  DeltaResult result = send_delta(*source, base);
  REQUIRE(result.info.has_value());
  check_same_state(base, source->directory());
  MESSAGE("one of 5000 members changed: ", content, " bytes of members and scores, ", result.bytes,
          " bytes sent");
  CHECK(result.bytes > content / 2);
  CHECK(result.bytes < 6 * content);
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
