// The bytes of commands on their way (resp/batch.hpp).
#include "resp/batch.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/prng.hpp"
#include "tests/support/allocations.hpp"

namespace kiwi::resp {
namespace {

std::string plain(const std::vector<std::string_view>& args, uint32_t database = 0) {
  std::string out;
  pack_command(out, database, args);
  return out;
}

WatchToken token() {
  return {.database = 3,
          .incarnation = 0x1122334455667788,
          .key = "key",
          .exists = true,
          .counter = 0x0102030405060708};
}

std::string transaction() {
  std::vector<WatchToken> tokens{token()};
  std::vector<std::string> commands{plain({"GET", "a"}), plain({"DEL", ""}, 300)};
  std::string out;
  pack_transaction(out, 1, tokens, commands);
  return out;
}

// As the log keeps it.
std::string taken(BatchBuilder& builder) { return std::string(builder.take().view()); }

std::string payload() {
  BatchBuilder builder;
  builder.add(plain({"GET", "a"}));
  builder.add(transaction());
  return taken(builder);
}

// All of a payload's commands, unpacked; false = malformed somewhere.
bool read_all(std::string_view bytes) {
  BatchReader reader(bytes);
  PackedCommand command;
  PackedCommand inner;
  bool fine = true;
  while (auto packed = reader.next()) {
    fine = unpack_command(*packed, command) && fine;
    for (std::string_view one : command.commands) {
      fine = unpack_command(one, inner) && fine;
    }
  }
  return reader.ok() && fine;
}

TEST_CASE("the bytes of commands in the log never change [ON DISK]") {
  using namespace std::string_literals;
  CHECK(plain({"SET", "k", "v"}) == "\x01\x00\x03\x03SET\x01k\x01v"s);
  CHECK(plain({"GET", "a"}, 300) == "\x01\xac\x02\x02\x03GET\x01"s + "a");
  CHECK(transaction() == "\x02\x01"s +  // kind, database
                             "\x01"s +  // tokens
                             "\x03"s +
                             "\x88\x77\x66\x55\x44\x33\x22\x11"s +   // database, incarnation
                             "\x03key"s + "\x01"s +                  // key, exists
                             "\x08\x07\x06\x05\x04\x03\x02\x01"s +   // counter
                             "\x02"s +                               // commands
                             "\x09\x01\x00\x02\x03GET\x01"s + "a" +  //
                             "\x09\x01\xac\x02\x02\x03"s + "DEL\x00"s);
  BatchBuilder builder;
  builder.add("xyz");
  builder.add("");
  CHECK(builder.count() == 2);
  CHECK(builder.bytes() == 5);
  CHECK(taken(builder) == "\x01\x02\x03xyz\x00"s);
  CHECK(builder.count() == 0);
  CHECK(taken(builder) == "\x01\x00"s);
}

TEST_CASE("what was packed is unpacked again") {
  PackedCommand command;
  std::string set = plain({"SET", "", "v"}, 7);
  REQUIRE(unpack_command(set, command));
  CHECK(command.kind == PackedKind::kPlain);
  CHECK(command.database == 7);
  CHECK(command.args == std::vector<std::string_view>{"SET", "", "v"});

  std::string bytes = transaction();
  REQUIRE(unpack_command(bytes, command));
  CHECK(command.kind == PackedKind::kTransaction);
  CHECK(command.args.empty());
  CHECK(command.tokens == std::vector<WatchToken>{token()});
  REQUIRE(command.commands.size() == 2);
  PackedCommand inner;
  REQUIRE(unpack_command(command.commands[1], inner));
  CHECK(inner.database == 300);
  CHECK(read_all(payload()));
}

TEST_CASE("a batch of users: its bytes, and who asked for what [ON DISK]") {
  using namespace std::string_literals;
  std::string of_user;
  pack_as_user(of_user, 300, plain({"GET", "a"}, 7));
  CHECK(of_user == "\x03\xac\x02"s + plain({"GET", "a"}, 7));
  BatchBuilder builder;
  builder.set_acl_version(5);
  builder.add(of_user);
  const std::string bytes = taken(builder);
  CHECK(bytes == "\x02\x01\x05"s + static_cast<char>(of_user.size()) + of_user);
  CHECK(taken(builder) == "\x01\x00"s);  // the next one has no users again
  BatchReader reader(bytes);
  CHECK(reader.acl_version() == 5);
  PackedCommand command;
  REQUIRE(unpack_command(reader.next().value(), command));
  CHECK(command.user == 300);
  CHECK(command.kind == PackedKind::kPlain);
  CHECK(command.database == 7);
  REQUIRE(unpack_command(plain({"GET", "a"}), command));
  CHECK_FALSE(command.user.has_value());
  CHECK(read_all(bytes));
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(read_all(std::string_view(bytes).substr(0, size)));
  }
}

TEST_CASE("users stand in batches of format 2 only, and in one layer") {
  std::string of_user;
  pack_as_user(of_user, 1, plain({"GET", "a"}));
  BatchBuilder builder;
  builder.add(of_user);
  CHECK_FALSE(read_all(taken(builder)));
  std::string twice;
  pack_as_user(twice, 2, of_user);
  PackedCommand command;
  CHECK_FALSE(unpack_command(twice, command));
  CHECK(BatchReader::knows_format_of(payload()));
  CHECK_FALSE(BatchReader::knows_format_of("\x03"));
}

TEST_CASE("once: its bytes, and what may stand around it and inside [ON DISK]") {
  using namespace std::string_literals;
  const std::string token("\0\0\0\0\0\0\1\2\2key", 12);
  const std::string command = plain({"INCR", "n"}, 3);
  std::string head;
  pack_once(head, {OnceMark::Form::kToken, token, 0, 0, 3, true});
  CHECK(head == "\x05\x01\x0c"s + token + "\x03\x01"s);
  PackedCommand unpacked;
  const std::string one = head + command;
  REQUIRE(unpack_command(one, unpacked));
  REQUIRE(unpacked.once.has_value());
  CHECK(unpacked.once->name == token);
  CHECK(unpacked.once->resp == 3);
  CHECK(unpacked.once->watched);
  CHECK(unpacked.database == 3);
  CHECK(unpacked.args.size() == 2);
  const std::string block = head + transaction();
  REQUIRE(unpack_command(block, unpacked));
  CHECK(unpacked.kind == PackedKind::kTransaction);
  CHECK(unpacked.once.has_value());
  std::string serve;
  pack_serve(serve, head + command);
  CHECK(serve == head + "\x04"s + command);
  std::string of_user;
  pack_as_user(of_user, 300, serve);
  REQUIRE(unpack_command(of_user, unpacked));
  CHECK((unpacked.user == 300 && unpacked.once.has_value() && unpacked.serve));
  std::string again;
  pack_as_user(again, 300, head + command);
  std::string users_serve;
  pack_serve(users_serve, again);
  CHECK(users_serve == of_user);
  std::string producer;
  pack_once(producer, {OnceMark::Form::kProducer, "p", 300, 7, 2, false});
  CHECK(producer == "\x05\x02\x01p\xac\x02\x07\x02\x00"s);
  REQUIRE(unpack_command(producer + command, unpacked));
  CHECK((unpacked.once->number == 300 && unpacked.once->after == 7));
  REQUIRE(unpack_command(command, unpacked));
  CHECK_FALSE(unpacked.once.has_value());
  CHECK_FALSE(unpack_command(head + of_user, unpacked));         // nobody's prefix stands inside
  CHECK_FALSE(unpack_command(head + head + command, unpacked));  // one layer
  for (size_t size = 0; size < (head + command).size(); ++size) {
    CHECK_FALSE(unpack_command((head + command).substr(0, size), unpacked));
  }
  CHECK_FALSE(unpack_command("\x05\x03\x01p\x02\x00"s + command, unpacked));         // no such form
  CHECK_FALSE(unpack_command("\x05\x02\x00\x01\x00\x02\x00"s + command, unpacked));  // no name
  CHECK_FALSE(unpack_command("\x05\x02\x01p\x01\x00\x04\x00"s + command, unpacked));
  CHECK_FALSE(unpack_command("\x05\x02\x01p\x01\x00\x02\x02"s + command, unpacked));
}

TEST_CASE("a serve: its bytes, whoever's it is, and in one layer [ON DISK]") {
  using namespace std::string_literals;
  const std::string command = plain({"BLPOP", "k", "0"}, 7);
  std::string serve;
  pack_serve(serve, command);
  CHECK(serve == "\x04"s + command);
  std::string of_user;
  pack_as_user(of_user, 300, command);
  std::string users_serve;
  pack_serve(users_serve, of_user);
  CHECK(users_serve == "\x03\xac\x02\x04"s + command);
  PackedCommand unpacked;
  REQUIRE(unpack_command(users_serve, unpacked));
  CHECK(unpacked.serve);
  CHECK(unpacked.user == 300);
  CHECK(unpacked.kind == PackedKind::kPlain);
  CHECK(unpacked.database == 7);
  CHECK(unpacked.args.size() == 3);
  REQUIRE(unpack_command(command, unpacked));
  CHECK_FALSE(unpacked.serve);
  CHECK_FALSE(unpack_command("\x04"s + serve, unpacked));
  CHECK_FALSE(unpack_command("\x04"s + transaction(), unpacked));
  CHECK_FALSE(unpack_command("\x04"s, unpacked));
  for (size_t size = 0; size < serve.size(); ++size) {
    CHECK_FALSE(unpack_command(std::string_view(serve).substr(0, size), unpacked));
  }
}

TEST_CASE("a batch is built where it stays: to take it copies nothing") {
  const std::string large = plain({"SET", "k", std::string(1 << 20, 'v')});
  BatchBuilder builder;
  for (const bool of_users : {false, true}) {
    if (of_users) {
      builder.set_acl_version(1);
    }
    const size_t before = allocations_so_far();
    builder.add(large);
    const size_t built = allocations_so_far();
    const SharedBytes payload = builder.take();
    const size_t took = allocations_so_far();
    CHECK(built - before == 1);  // exactly its room
    CHECK(took - built == 1);    // what its owners share
    CHECK(read_all(payload.view()));
    CHECK(payload.size() == large.size() + (of_users ? 3 : 2) + 3);
    CHECK(builder.bytes() == 0);
  }
}

TEST_CASE("every truncated or lengthened batch is refused") {
  std::string whole = payload();
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(read_all(std::string_view(whole).substr(0, size)));
  }
  CHECK_FALSE(read_all(whole + "x"));
  std::string other_version = whole;
  other_version[0] = 2;
  CHECK_FALSE(read_all(other_version));
}

TEST_CASE("garbage is refused or read, and never reads past its end") {
  constexpr uint64_t kSeed = 20221122;
  Prng prng(kSeed);
  size_t refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = payload();
    if (prng.chance(1, 2)) {
      bytes.resize(prng.below(64));
      for (char& c : bytes) {
        c = static_cast<char>(prng.next());
      }
    } else {
      for (uint64_t flips = 1 + prng.below(4); flips > 0; --flips) {
        bytes[prng.below(bytes.size())] = static_cast<char>(prng.next());
      }
    }
    // An exact copy on the heap: under ASan a read past it is an error.
    auto exact = std::make_unique<char[]>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), exact.get());
    refused += read_all({exact.get(), bytes.size()}) ? 0 : 1;
  }
  CAPTURE(kSeed);
  CHECK(refused > 10000);
}

}  // namespace
}  // namespace kiwi::resp
