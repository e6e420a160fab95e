// Which arguments are keys (resp/command_keys.hpp). What is expected of real commands: COMMAND
// GETKEYSANDFLAGS of a redis-server 7.0.15.
#include "resp/command_keys.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "resp/command.hpp"

namespace kiwi::resp {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    words.push_back(key_text::take(line, " "));
  }
  return words;
}

// "a:RO,access b:OW,update", and " !" behind it if argv does not fit.
std::string shown(const Keys& keys) {
  std::string out;
  for (const FoundKey& key : keys) {
    out += (out.empty() ? "" : " ") + std::string(key.name) + ":";
    for (size_t bit = 0; bit < std::size(kKeyFlagNames); ++bit) {
      if ((key.flags & (1u << bit)) != 0) {
        out += (out.ends_with(':') ? "" : ",") + std::string(kKeyFlagNames[bit]);
      }
    }
  }
  return out + (keys.fit() ? "" : " !");
}

std::string keys_in(std::string_view line) {
  const auto words = words_of(line);
  const Resolved found = resolve_command(words, kAnyVersion);
  REQUIRE(found.row != nullptr);
  return shown(keys_of(*found.row, words));
}

// Of argv with a specification of its own.
std::string keys_in(const std::vector<KeySpec>& specs, std::string_view line) {
  const auto words = words_of(line);
  return shown(Keys(specs, words));
}

TEST_CASE("SORT's destination: the last STORE, which is no pattern and no number") {
  CHECK(keys_in("sort l") == "l:RO,access");
  CHECK(keys_in("sort l STORE d") == "l:RO,access d:OW,update");
  CHECK(keys_in("sort l by STORE store d limit store 1 asc") == "l:RO,access d:OW,update");
  CHECK(keys_in("sort l store a get b store c") == "l:RO,access c:OW,update");
  CHECK(keys_in("sort l by a store") == "l:RO,access");
  CHECK(keys_in("sort l foo store d") == "l:RO,access d:OW,update");
  CHECK(keys_in("sort_ro l store d") == "l:RO,access");
  // Nobody else has a destination of which its specification does not say where it is.
  for (const CommandSpec& row : all_commands()) {
    for (const KeySpec& spec : row.keys) {
      const bool somewhere = spec.begin == KeySpec::Begin::kUnknown && (spec.flags & kKeyOW) != 0;
      CHECK_MESSAGE((!somewhere || row.name == "sort"), row.name);
    }
  }
}

TEST_CASE("keys at fixed places, with what the command does to them") {
  CHECK(keys_in("get k") == "k:RO,access");
  CHECK(keys_in("del a b c") == "a:RM,delete b:RM,delete c:RM,delete");
  CHECK(keys_in("mset a 1 b 2") == "a:OW,update b:OW,update");
  CHECK(keys_in("smove a b m") == "a:RW,access,delete b:RW,insert");
  CHECK(keys_in("sinterstore d a b") == "d:RW,update a:RO,access b:RO,access");
  CHECK(keys_in("watch a b") == "a:RO b:RO");
  CHECK(keys_in("ping") == "");
  CHECK(keys_in("config get k") == "");
  CHECK(keys_in("get") == " !");
  CHECK(keys_in("rename a") == "a:RW,access,delete !");
}

TEST_CASE("SET reads only if it is asked for the old value") {
  CHECK(keys_in("set k v") == "k:OW,update");
  CHECK(keys_in("set k get") == "k:OW,update");
  CHECK(keys_in("set k v ex 10 GeT") == "k:RW,access,update");
}

TEST_CASE("keys that are counted") {
  CHECK(keys_in("lmpop 2 a b left") == "a:RW,access,delete b:RW,access,delete");
  CHECK(keys_in("sintercard 1 a") == "a:RO,access");
  for (const char* wrong : {"sintercard 3 a b", "sintercard 0 a", "sintercard -1 a",
                            "sintercard x a", "sintercard 9223372036854775807 a", "sintercard"}) {
    CAPTURE(wrong);
    CHECK(keys_in(wrong) == " !");
  }
  const std::vector<KeySpec> union_store = {parse_key_spec("OW update | index 1 | range 0 1 0"),
                                            parse_key_spec("RO access | index 2 | keynum 0 1 1")};
  CHECK(keys_in(union_store, "zunionstore d 2 a b weights 1 2") ==
        "d:OW,update a:RO,access b:RO,access");
}

TEST_CASE("keys behind a keyword") {
  const std::vector<KeySpec> streams = {
      parse_key_spec("RO access | keyword STREAMS 1 | range -1 1 2")};
  CHECK(keys_in(streams, "xread count 2 streams a b 0 0") == "a:RO,access b:RO,access");
  CHECK(keys_in(streams, "xread STREAMS a 0") == "a:RO,access");
  CHECK(keys_in(streams, "xread count 2") == "");
  const std::vector<KeySpec> store = {parse_key_spec("RO access | index 1 | range 0 1 0"),
                                      parse_key_spec("OW update | keyword STORE 2 | range 0 1 0")};
  CHECK(keys_in(store, "georadius k 1 2 3 km") == "k:RO,access");
  CHECK(keys_in(store, "georadius k 1 2 3 km store d") == "k:RO,access d:OW,update");
  CHECK(keys_in(store, "georadius k 1 2 3 km store") == "k:RO,access");
  const std::vector<KeySpec> last = {parse_key_spec("RW | keyword KEYS -2 | range -1 1 0")};
  CHECK(keys_in(last, "migrate h p x 0 9 KEYS a") == "a:RW");
}

TEST_CASE("what cannot be said is nobody's key") {
  const std::vector<KeySpec> specs = {
      parse_key_spec("RO access | index 1 | range 0 1 0"),
      parse_key_spec("RO access incomplete | unknown | unknown | depends on the data")};
  CHECK(specs[1].notes == "depends on the data");
  CHECK(keys_in(specs, "sort k by w_*") == "k:RO,access");
}

TEST_CASE("a row that cannot be read is refused") {
  for (const char* wrong : {"RX | index 1 | range 0 1 0", "RO | nowhere 1 | range 0 1 0",
                            "RO | index x | range 0 1 0", "RO | index 1 | some 0 1 0"}) {
    CAPTURE(wrong);
    CHECK_THROWS((void)parse_key_spec(wrong));
  }
}

std::string packed(std::string_view line) {
  const auto words = words_of(line);
  std::string out;
  pack_command(out, 3, words);
  return out;
}

TEST_CASE("the first key of a packed command, and of a block") {
  CHECK(first_key(packed("SET foo 1")) == "foo");
  CHECK(first_key(packed("SINTERCARD 1 a")) == "a");
  CHECK(first_key(packed("FLUSHALL")) == std::nullopt);
  CHECK(first_key(packed("nosuch foo")) == std::nullopt);
  CHECK(first_key("garbage") == std::nullopt);
  CHECK(first_key("") == std::nullopt);
  std::string block;
  pack_transaction(block, 0, {}, std::vector<std::string>{packed("GET b"), packed("SET c 1")});
  CHECK(first_key(block) == "b");
  std::string empty_block;
  pack_transaction(empty_block, 0, {}, {});
  CHECK(first_key(empty_block) == std::nullopt);
}

}  // namespace
}  // namespace kiwi::resp
