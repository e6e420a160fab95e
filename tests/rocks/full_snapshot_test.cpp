// A snapshot sent as files: resumed, reused, proved (F17, F13).
#include <filesystem>

#include <doctest/doctest.h>

#include "tests/rocks/snapshot_support.hpp"

namespace kiwi::rocks::test {

TEST_SUITE_BEGIN("rocks");

namespace {

namespace fs = std::filesystem;

struct Sender {
  explicit Sender(uint64_t seed = 1, int entries = 300) : history(seed), node(at("sender")) {
    history.grow(entries);
    node.apply(history.take());
    source = source_at(node.checkpoint(at("sent")));
  }
  std::string at(const std::string& name) const { return directory.path(name); }
  std::unique_ptr<FullTarget> target(const std::string& installed = "") {
    auto opened = FullTarget::open(at("incoming"), source->manifest().value(), installed);
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  // The sender moves on by a little and makes another checkpoint.
  void next_checkpoint(int entries = 3) {
    history.grow(entries);
    node.apply(history.take());
    source = source_at(node.checkpoint(at("sent-" + std::to_string(++checkpoints))));
  }

  TempDirectory directory;
  History history;
  StateNode node;
  std::unique_ptr<SnapshotSource> source;
  int checkpoints = 0;
};

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names = files_with_suffix(path, "");
  return names;
}

}  // namespace

TEST_CASE("files: what arrives is the sender's state and goes on as it does [F13]") {
  Sender sender;
  const std::vector<std::string> before = names_in(sender.at("sent"));
  auto target = sender.target();
  CHECK(target->bytes_reused() == 0);
  CHECK(target->bytes_missing() == sender.source->bytes());
  CHECK(!target->finish().has_value());  // not yet
  CHECK(send_files(*sender.source, *target) == sender.source->bytes());
  auto info = target->finish();
  REQUIRE(info.has_value());
  CHECK(info->applied == sender.source->info().applied);
  CHECK(info->configuration.voters == std::vector<NodeId>{NodeId{1}, NodeId{2}});
  CHECK(info->sessions.size() == 2);
  check_same_state(sender.at("incoming"), sender.at("sent"));
  CHECK(names_in(sender.at("sent")) == before);  // reading leaves no trace
  copy_directory_after_power_loss(sender.at("incoming"), sender.at("lost"));
  check_same_state(sender.at("lost"), sender.at("sent"));
  fs::create_directories(sender.at("data/state-4"));
  auto name = publish_state(sender.at("data"), sender.at("incoming"));
  REQUIRE(name.has_value());
  CHECK(*name == "state-5");
  StateNode opened(sender.at("data/state-5"));
  sender.history.grow(50);
  const std::vector<raft::Entry> more = sender.history.take();
  opened.apply(more);
  sender.node.apply(more);
  CHECK(opened.node().executor().state_checksum() ==
        sender.node.node().executor().state_checksum());
}

TEST_CASE("files: damage is neither sent nor taken, whichever file it is in [F17]") {
  Sender sender;
  const std::string copy = sender.at("copy");
  copy_directory(sender.at("sent"), copy);
  const std::vector<std::string> tables = files_with_suffix(copy, ".sst");
  REQUIRE(tables.size() >= 2);
  for (const std::string& table : tables) {
    CAPTURE(table);
    const std::string path = copy + "/" + table;
    const std::string good = read_file(path);
    std::string rotten = good;
    rotten[20] = static_cast<char>(rotten[20] ^ 4);
    const std::unique_ptr<SnapshotSource> damaged = source_at(copy);
    const std::unique_ptr<SnapshotSource> careless = source_at(copy);  // looks too early
    Manifest manifest = careless->manifest().value();
    write_file(path, rotten);
    // The sender's own look, at what was good when it opened it.
    const Result<Manifest> offered = damaged->manifest();
    REQUIRE(!offered.has_value());
    CHECK(offered.error().code == Errc::kCorrupt);
    CHECK(offered.error().text.find(table) != std::string::npos);
    write_file(path, good);
    CHECK_FALSE(damaged->manifest().has_value());  // it is known, and not looked for again
    write_file(path, rotten);
    // Checksums of files say only that it arrived as it was.
    for (SnapshotFile& file : manifest.files) {
      file.checksum = file.name == table ? checksum_file(path).value() : file.checksum;
    }
    fs::remove_all(sender.at("incoming"));
    auto target = FullTarget::open(sender.at("incoming"), manifest, "");
    REQUIRE(target.has_value());
    send_files(*careless, **target);
    const Result<SnapshotInfo> taken = (*target)->finish();
    REQUIRE(!taken.has_value());
    CHECK(taken.error().code == Errc::kCorrupt);
    write_file(path, good);
  }
}

TEST_CASE("files: a transfer that broke off goes on where it was, nothing is sent twice [F17]") {
  Sender sender;
  const uint64_t half = sender.source->bytes() / 2;
  uint64_t sent = send_files(*sender.source, *sender.target(), half);
  CHECK(sent >= half);
  CHECK(unfinished_transfer(sender.at("incoming")) == sender.source->manifest().value());
  auto target = sender.target();  // of a process that started anew
  CHECK(target->bytes_reused() == sent);
  sent += send_files(*sender.source, *target);
  CHECK(sent == sender.source->bytes());
  REQUIRE(target->finish().has_value());
  check_same_state(sender.at("incoming"), sender.at("sent"));
}

TEST_CASE("files: a broken transfer keeps the files that a later checkpoint shares [F17]") {
  Sender sender(7, 600);
  send_files(*sender.source, *sender.target());
  sender.next_checkpoint();
  auto target = sender.target();
  CHECK(target->bytes_reused() > sender.source->bytes() / 2);
  const uint64_t sent = send_files(*sender.source, *target);
  CHECK(sent + target->bytes_reused() == sender.source->bytes());
  REQUIRE(target->finish().has_value());
  check_same_state(sender.at("incoming"), sender.source->directory());
}

TEST_CASE("files: a state that came from this sender lends what it still has [F17]") {
  Sender sender(8, 600);
  {
    auto target = sender.target();
    send_files(*sender.source, *target);
    REQUIRE(target->finish().has_value());
  }
  REQUIRE(publish_state(sender.at(""), sender.at("incoming")).value() == "state-1");
  StateNode live(sender.at("state-1"));
  const uint64_t whole = sender.source->bytes();
  sender.next_checkpoint();
  auto target = sender.target(sender.at("state-1"));
  CHECK(target->bytes_reused() > whole / 2);
  CHECK(send_files(*sender.source, *target) + target->bytes_reused() == sender.source->bytes());
  live.keyspace().compact();  // its own files change, the lent ones do not
  REQUIRE(target->finish().has_value());
  check_same_state(sender.at("incoming"), sender.source->directory());
}

TEST_CASE("files: another node's files of the same names are not taken for the sender's [F17]") {
  Sender sender(4);
  send_files(*sender.source, *sender.target());
  sender.source = source_at(sender.at("sent"), 8);  // says it is another node
  auto target = sender.target();
  CHECK(target->bytes_reused() == 0);
  CHECK(target->bytes_missing() == sender.source->bytes());
}

TEST_CASE("files: what a power loss or a bad byte tore is found and sent again") {
  Sender sender(5);
  auto target = sender.target();
  send_files(*sender.source, *target);
  const Manifest manifest = sender.source->manifest().value();
  size_t largest = 0;
  for (size_t i = 0; i < manifest.files.size(); ++i) {
    largest = manifest.files[i].size > manifest.files[largest].size ? i : largest;
  }
  const std::string path = sender.at("incoming/") + manifest.files[largest].name;
  std::string bytes = read_file(path);
  bytes.replace(bytes.size() / 2, 4096, std::string(4096, '\0'));
  write_file(path, bytes);
  auto refused = target->finish();
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == Errc::kCorrupt);
  CHECK(refused.error().text.find(manifest.files[largest].name) != std::string::npos);
  REQUIRE(target->missing().size() == 1);
  CHECK(target->missing()[0].file == largest);
  CHECK(send_files(*sender.source, *target) == manifest.files[largest].size);
  REQUIRE(target->finish().has_value());
}

TEST_CASE("files: pieces that do not belong are refused, repetitions are ignored") {
  Sender sender(6);
  auto target = sender.target();
  const FullTarget::Missing part = target->missing().at(0);
  const std::string chunk = sender.source->read(part.file, 0, 100).value();
  auto refused = [&](uint32_t file, uint64_t offset, std::string_view bytes) {
    auto result = target->write(file, offset, bytes);
    return !result && result.error().code == Errc::kInvalid;
  };
  CHECK(refused(part.file, 1, chunk));  // a gap
  CHECK(refused(10'000, 0, chunk));     // no such file
  CHECK(refused(part.file, 0, std::string(part.bytes + 1, 'x')));
  CHECK(refused(part.file, ~uint64_t{0} - 3, chunk));
  REQUIRE(target->write(part.file, 0, chunk).has_value());
  REQUIRE(target->write(part.file, 0, chunk).has_value());  // again
  CHECK(target->bytes_missing() == sender.source->bytes() - chunk.size());
  send_files(*sender.source, *target);
  CHECK(target->finish().has_value());
}

TEST_CASE("files: golden bytes of a manifest; names that leave their directory are refused") {
  Manifest manifest;
  manifest.sender = sender_life(0xa1);
  manifest.checkpoint.bytes.fill(0xb2);
  manifest.index = LogIndex{300};
  manifest.term = Term{5};
  manifest.group = GroupId{3};
  manifest.files = {{"000012.sst", 1000, {0x1122334455667788, 0x99aabbccddeeff00}}};
  const std::string bytes = encode_manifest(manifest);
  CHECK(hex(bytes.substr(0, 1)) + hex(bytes.substr(9)) ==
        "02"
        "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
        "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
        "ac0205"
        "03"
        "01"
        "0a3030303031322e737374"
        "e807"
        "887766554433221100ffeeddccbbaa99");
  CHECK(decode_manifest(bytes).value() == manifest);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK(!decode_manifest(bytes.substr(0, size)).has_value());
  }
  CHECK(!decode_manifest(bytes + "x").has_value());
  for (const char* name : {"", "..", "../x", "/etc/x", "a/b", ".hidden", "a b"}) {
    manifest.files[0].name = name;
    CHECK(!decode_manifest(encode_manifest(manifest)).has_value());
  }
  manifest.files[0].name = "a";
  manifest.files.push_back(manifest.files[0]);
  CHECK(!decode_manifest(encode_manifest(manifest)).has_value());  // twice
}

TEST_CASE("files: names of state directories") {
  CHECK(state_number("state-1") == 1);
  CHECK(state_number("state-20") == 20);
  for (const char* name : {"state-", "state-0", "state-01", "state-x", "state-1x", "log", ""}) {
    CHECK(!state_number(name).has_value());
  }
}

TEST_SUITE_END();

}  // namespace kiwi::rocks::test
