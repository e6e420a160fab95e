// Every command answers byte for byte what redis-server 7.0 was recorded to answer
// (tests/resp/recorded/, written by record.py), and a script would get the same as a value.
#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "resp/context.hpp"
#include "resp/resp_writer.hpp"
#include "resp/script_engine.hpp"
#include "resp/stopwatch.hpp"
#include "resp/value_writer.hpp"
#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

constexpr int64_t kToday = 1'790'000'000'000;  // 2026: deadlines in the files lie around it

std::string unescape(const std::string& word) {
  std::string out;
  for (size_t i = 0; i < word.size(); ++i) {
    if (word[i] != '\\') {
      out.push_back(word[i]);
      continue;
    }
    char c = word.at(++i);
    if (c == 'x') {
      out.push_back(static_cast<char>(std::stoi(word.substr(i + 1, 2), nullptr, 16)));
      i += 2;
    } else {
      out.push_back(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 's' ? ' ' : c);
    }
  }
  return out;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> words(1);
  for (char c : line) {
    if (c == ' ') {
      words.emplace_back();
    } else {
      words.back().push_back(c);
    }
  }
  for (std::string& word : words) {
    word = word == "\"\"" ? "" : unescape(word);
  }
  return words;
}

// The lines of a flat aggregate of bulk strings, so that their order does not matter.
std::vector<std::string> elements(const std::string& reply) {
  std::vector<std::string> found;
  for (size_t at = 0; at < reply.size();) {
    size_t end = reply.find("\r\n", at);
    found.push_back(reply.substr(at, end - at));
    at = end + 2;
  }
  std::sort(found.begin(), found.end());
  return found;
}

// As the session does before anything else.
std::string run_checked(Node& node, const std::vector<std::string>& argv) {
  const std::vector<std::string_view> words(argv.begin(), argv.end());
  const CommandSpec* row = resolve_command(words, kAnyVersion).row;
  REQUIRE(row != nullptr);
  if (!arity_fits(*row, argv.size())) {
    return "-ERR wrong number of arguments for '" + std::string(row->name) + "' command\r\n";
  }
  return node.run(argv);
}

template <class Fixture>
size_t replay(const std::string& file) {
  std::ifstream in(std::string(KIWI_SOURCE_DIR) + "/tests/resp/" + file);
  REQUIRE(in.is_open());
  std::unique_ptr<Fixture> fixture;
  std::unique_ptr<Node> node;
  size_t checked = 0;
  std::string conversation;
  std::string command;
  std::string answer;
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.starts_with("=")) {
      conversation = line;
      node.reset();
      fixture = std::make_unique<Fixture>();
      node = std::make_unique<Node>(fixture->keyspace());
      node->clock() = kToday;
      node->version = line.ends_with(" resp3") ? 3 : 2;
      node->start();
    } else if (line.starts_with(">")) {
      command = line;
      answer = run_checked(*node, words_of(line.substr(2)));
    } else if (line.starts_with("<") || line.starts_with("~")) {
      std::string expected = unescape(line.substr(2));
      INFO(Fixture::kName << ", " << file << ":" << number << " " << conversation << ": "
                          << command);
      if (line[0] == '~') {
        CHECK(elements(answer) == elements(expected));
      } else {
        CHECK(answer == expected);
      }
      ++checked;
    }
  }
  return checked;
}

constexpr const char* kFiles[] = {
    "recorded/acl.txt",                //
    "recorded/bitmap.txt",             //
    "recorded/blocking.txt",           //
    "recorded/cluster.txt",            //
    "recorded/dump.txt",               //
    "recorded/geo.txt",                //
    "recorded/hash.txt",               //
    "recorded/hyperloglog.txt",        //
    "recorded/key.txt",                //
    "recorded/list.txt",               //
    "recorded/long_string.txt",        //
    "recorded/object.txt",             //
    "recorded/set.txt",                //
    "recorded/sort.txt",               //
    "recorded/stream.txt",             //
    "recorded/stream_groups.txt",      //
    "recorded/string.txt",             //
    "recorded/zset.txt",               //
    "recorded/zset_algebra.txt",       //
    "recorded/zset_range.txt",         //
    "described/redis-8.0-t_hash.txt",  //
};

// EVAL needs the executor around it, which undoes what a script may not do.
constexpr const char* kScriptFiles[] = {
    "recorded/function.txt",          //
    "recorded/script.txt",            //
    "recorded/script_blocking.txt",   //
    "recorded/script_language.txt",   //
    "recorded/script_libraries.txt",  //
    "recorded/script_tables.txt",     //
    "recorded/script_values.txt",     //
};

TEST_CASE("scripts answer what Redis 7.0 was recorded to answer") {
  for (const char* file : kScriptFiles) {
    CHECK(replay<InMemory>(file) >= 20);
  }
  CHECK(replay<OnRocks>("recorded/script.txt") >= 20);
  CHECK(replay<OnTable>("recorded/script.txt") >= 20);
}

TEST_CASE("every recorded answer of Redis 7.0, and what is known of later ones, is given exactly") {
  for (const char* file : kFiles) {
    CHECK(replay<InMemory>(file) >= 20);
    CHECK(replay<OnRocks>(file) >= 20);
    CHECK(replay<OnTable>(file) >= 20);
  }
}

// A state without an executor around it: what a handler writes is the test's to choose.
struct Bare {
  rocks::MemoryKeyspace keyspace;
  Database database{keyspace};
  ScriptEngine scripts{kFirstGroup, ScriptEngine::Place::kFixed, nullptr};
  Stopwatch stopwatch{nullptr};
  Context context{database, scripts, stopwatch};
  LogIndex index;

  void run(const CommandSpec& row, Args args, ReplyWriter& reply) {
    database.begin_entry();
    context.begin(row, 0, {.now_ms = kToday, .seed = 7, .ordinal = 0, .may_write = true});
    if (row.route == Route::kWrite) {
      database.mark();
    }
    row.data(context, args, reply);
    context.end();
    if (row.route == Route::kWrite) {
      database.keep();
    }
    database.end_entry(++index, Term{1}, kToday);
  }
};

size_t compare_writers(const std::string& file, int version) {
  std::ifstream in(std::string(KIWI_SOURCE_DIR) + "/tests/resp/" + file);
  std::unique_ptr<Bare> bytes_side;
  std::unique_ptr<Bare> value_side;
  size_t compared = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("=")) {
      bytes_side = std::make_unique<Bare>();
      value_side = std::make_unique<Bare>();
    }
    if (!line.starts_with(">")) {
      continue;
    }
    const std::vector<std::string> argv = words_of(line.substr(2));
    const std::vector<std::string_view> words(argv.begin(), argv.end());
    const CommandSpec* row = resolve_command(words, kAnyVersion).row;
    if (row == nullptr || !row->is_data() || !arity_fits(*row, words.size())) {
      continue;
    }
    CAPTURE(line);
    std::string bytes;
    RespWriter direct(&bytes, version);
    bytes_side->run(*row, words, direct);
    ValueWriter values(version);
    value_side->run(*row, words, values);
    std::string written;
    RespWriter again(&written, version);
    write_value(values.take(), again);
    CHECK(written == bytes);
    ++compared;
  }
  return compared;
}

TEST_CASE("what a script gets from a command is what a client reads, in both protocols") {
  for (const char* file : kFiles) {
    CHECK(compare_writers(file, 2) >= 20);
    CHECK(compare_writers(file, 3) >= 20);
  }
}

}  // namespace
}  // namespace kiwi::resp
