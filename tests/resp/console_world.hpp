// A console whose lines end in the test.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/web/console.hpp"
#include "tests/resp/session_harness.hpp"

namespace kiwi::resp::web {

inline std::string body_of(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return out;
}

// Lines whose other end is the test.
struct World {
  struct Line final : ConsoleLine {
    explicit Line(World& w) : world(w) { ++world.lines; }
    ~Line() override { --world.lines; }
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    void ask(std::string bytes, size_t replies, std::function<void(std::string)> done) override {
      const bool selects = bytes.find("SELECT") != std::string::npos;
      world.said.push_back(bytes);
      CHECK(replies == 1);
      if (world.holds) {
        world.held.push_back(std::move(done));
      } else {
        done(selects ? world.selected : world.reply);
      }
    }
    World& world;
  };

  World() {
    ConsoleNeeds needs;
    needs.node = &node.context;
    needs.cookie = "kiwi_7379";
    needs.open_line = [this](const std::string&) {
      return full ? nullptr : std::make_unique<Line>(*this);
    };
    needs.random_hex = [this](size_t bytes) {
      std::string text = std::to_string(++drawn);
      return std::string(2 * bytes - text.size(), '0') + text;
    };
    needs.now_ms = [this] { return now_ms; };
    needs.drain = [this](bool on, const std::function<void(WebAnswer)>& done) {
      drained = on;
      done(WebAnswer::text(200, "drained"));
    };
    needs.drained = [this] { return drained; };
    console = std::make_unique<Console>(std::move(needs));
  }

  WebRequest request(Method method, const std::string& target, std::string body = {}) {
    WebRequest out;
    out.method = method;
    out.target = target;
    out.host = "localhost:7379";
    out.origin = method == Method::kGet ? "" : "http://localhost:7379";
    out.cookie = "other=1; kiwi_7379=" + cookie;
    out.token = token;
    out.body = std::move(body);
    out.loopback = true;
    out.address = "127.0.0.1";
    return out;
  }
  WebAnswer ask(const WebRequest& asked) {
    const auto answer = std::make_shared<WebAnswer>();  // it may come later
    answer->status = 0;
    console->handle(asked, [answer](WebAnswer told) { *answer = std::move(told); });
    return *answer;
  }
  unsigned status(Method method, const std::string& target, std::string body = {}) {
    return ask(request(method, target, std::move(body))).status;
  }
  unsigned command(const std::vector<std::string>& words, const std::string& database = "0") {
    return status(Method::kPost, "/api/command?db=" + database, body_of(words));
  }
  WebAnswer log_in(const std::string& password = "", const std::string& user = "default") {
    const WebAnswer answer = ask(request(Method::kPost, "/api/login", body_of({user, password})));
    for (const auto& [name, value] : answer.headers) {
      if (name == "Set-Cookie") {
        set_cookie = value;
        cookie = value.substr(value.find('=') + 1, 64);
      }
    }
    const size_t at = answer.body.find("\"token\":\"");
    token = at == std::string::npos ? token : answer.body.substr(at + 9, 32);
    return answer;
  }

  TestNode node;
  int64_t now_ms = 1'000'000;
  uint64_t drawn = 0;
  size_t lines = 0;
  bool full = false;
  bool holds = false;
  bool drained = false;
  std::string reply = "$5\r\nvalue\r\n";
  std::string selected = "+OK\r\n";
  std::vector<std::string> said;
  std::deque<std::function<void(std::string)>> held;
  std::string cookie;
  std::string token;
  std::string set_cookie;
  std::unique_ptr<Console> console;
};

}  // namespace kiwi::resp::web
