// Waiters without an executor, for tests: a clock and keys with counts of elements, as the test
// says.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "resp/batch.hpp"
#include "resp/waiters.hpp"

namespace kiwi::resp {

class WaitersWorld {
 public:
  Waiters waiters;
  std::map<std::string, uint64_t> elements;
  std::vector<Serve> serves;  // asked for and not ended
  std::vector<Waiters::Ended> ended;
  std::vector<Waiters::Answer> answers;

  static std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> words(1);
    for (char c : text) {
      if (c == ' ') {
        words.emplace_back();
      } else {
        words.back().push_back(c);
      }
    }
    return words;
  }
  // `keys`: separated by one space.
  void wait(ConnectionId connection,
            const std::string& keys,
            int64_t until_ms = 0,
            uint64_t count = 1,
            bool reads = false,
            const std::string& token = {}) {
    Waiter waiter;
    waiter.token = token;
    waiter.to = {connection, connection * 10};
    waiter.count = count;
    waiter.until_ms = until_ms;
    waiter.reads = reads;
    waiter.keys = words(keys);
    waiter.saw_nothing =
        std::ranges::all_of(waiter.keys, [this](const auto& key) { return elements[key] == 0; });
    const std::string_view argv[] = {"blpop", keys, "0"};
    pack_command(waiter.packed, 0, argv);
    waiters.add(std::move(waiter));
  }
  void push(const std::string& key, uint64_t count) {
    elements[key] += count;
    waiters.waited_keys().changed(key);
  }
  // The end of a turn; how many serves it asked for.
  size_t turn(size_t most = 1000) {
    more = waiters.look(
        [this](const Waiter&, std::string_view key) { return elements[std::string(key)]; },
        [this](const Waiter& waiter) { return serve_here(waiter); },
        {.left = most, .used_up = nullptr});
    Waiters::Effects effects = waiters.take_effects();
    const size_t asked = effects.serves.size();
    serves.insert(serves.end(), effects.serves.begin(), effects.serves.end());
    ended.insert(ended.end(), effects.ended.begin(), effects.ended.end());
    answers.insert(answers.end(), effects.answers.begin(), effects.answers.end());
    return asked;
  }
  // The oldest serve is applied: it takes from the first of its keys where there is anything.
  bool apply() {
    const Serve serve = serves.front();
    serves.erase(serves.begin());
    PackedCommand command;
    REQUIRE(unpack_command(serve.packed, command));
    CHECK(command.serve);
    for (const std::string& key : words(command.args[1])) {
      if (elements[key] != 0) {
        --elements[key];
        waiters.waited_keys().changed(key);
        served.push_back(serve.to.connection);
        waiters.served(serve.waiter);
        return true;
      }
    }
    waiters.not_served(serve.waiter);
    return false;
  }
  // The oldest serve could not be proposed.
  void give_back() {
    const uint64_t waiter = serves.front().waiter;
    serves.erase(serves.begin());
    waiters.returned(waiter);
  }
  Waiters::Answer by(ConnectionId connection) const { return {{connection, 1}, 2, false}; }

  bool more = false;
  std::vector<ConnectionId> served;  // in this order
  std::vector<ConnectionId> read;    // tried, in this order

 private:
  bool serve_here(const Waiter& waiter) {
    read.push_back(waiter.to.connection);
    return elements[waiter.keys[0]] != 0;
  }
};

}  // namespace kiwi::resp
