// The console's side of the node: who is logged in, what they may do, and the commands that their
// page asks for. A page speaks to /api/...; each person has a connection of their own, as any
// client has, so that what holds for clients holds here.
//
// Safety. A login is a cookie of 256 random bits that scripts cannot read and other sites' pages
// cannot send. What changes anything must also carry the login's token in a header and come from a
// page of this origin, so a page of somebody else cannot make a browser do it. A login only looks
// until changes are unlocked by the password, for ten minutes. It ends after 15 minutes in which
// the page only kept itself up to date, after 8 hours, or with the process.
//
// Plain class; client loop only; no socket, clock or random numbers of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "resp/node_context.hpp"
#include "resp/web/http.hpp"

namespace kiwi::resp::web {

// A client's connection without a socket. Its end, by either side, answers what is asked with an
// empty text. Destroyed: nothing is answered any more.
class ConsoleLine {
 public:
  virtual ~ConsoleLine() = default;
  // So many replies are awaited, in the order in which they were asked for.
  virtual void ask(std::string bytes, size_t replies, std::function<void(std::string)> done) = 0;
};

struct ConsoleNeeds {
  NodeContext* node = nullptr;  // outlives the console
  std::string cookie;           // its name: browsers keep one jar for all ports
  // nullptr: there is no room for a client.
  std::function<std::unique_ptr<ConsoleLine>(const std::string& address)> open_line;
  std::function<std::string(size_t)> random_hex;  // of so many random bytes
  std::function<int64_t()> now_ms;                // monotonic
  // Drains this node, or takes that back.
  std::function<void(bool, std::function<void(WebAnswer)>)> drain;
  std::function<bool()> drained;
};

class Console {
 public:
  using Respond = std::function<void(WebAnswer)>;

  static constexpr int64_t kIdleMs = int64_t{15} * 60 * 1000;
  static constexpr int64_t kLifeMs = int64_t{8} * 3600 * 1000;
  static constexpr int64_t kUnlockedMs = int64_t{10} * 60 * 1000;
  static constexpr size_t kLogins = 32;
  static constexpr size_t kAsked = 8;      // that one login has not been answered
  static constexpr size_t kFailures = 10;  // refused passwords of one address in kFailuresMs
  static constexpr int64_t kFailuresMs = 60'000;
  static constexpr size_t kFailuresKept = 1024;  // of all addresses

  explicit Console(ConsoleNeeds needs);

  // Of /api/...; whether the host is known was asked before. `respond` is called once, maybe later.
  void handle(const WebRequest& request, Respond respond);
  void tick();  // now and then: what is over ends
  size_t logins() const { return logins_.size(); }

 private:
  bool needs_nothing(std::string_view user) const;  // no password is asked of it

  struct Asked {
    std::vector<std::string> words;
    int64_t database = 0;
    Respond respond;
  };
  struct Login {
    std::string id;
    std::string token;
    std::string user;
    uint64_t user_id = 0;  // a later user of that name is somebody else
    std::string address;
    int64_t began_ms = 0;
    int64_t seen_ms = 0;
    int64_t unlocked_until_ms = 0;
    int64_t database = 0;     // that the line has selected
    std::deque<Asked> asked;  // commands; the first is on its way
    std::unique_ptr<ConsoleLine> line;
  };
  struct Failure {
    int64_t at_ms = 0;
    std::string address;
  };
  using LoginPtr = std::shared_ptr<Login>;

  void log_in(const WebRequest& request, Respond respond);
  void logged_in(const LoginPtr& login, const Respond& respond);
  void unlock(const LoginPtr& login, const WebRequest& request, Respond respond);
  void command(const LoginPtr& login, const WebRequest& request, Respond respond);
  void ask_next(const LoginPtr& login);
  void ask_command(const LoginPtr& login);
  void answered(const LoginPtr& login, const std::string& reply);
  void drain(const LoginPtr& login, bool on, Respond respond);
  WebAnswer describe(const Login& login) const;
  LoginPtr find(const WebRequest& request);
  bool is_over(const Login& login) const;
  bool is_unlocked(const Login& login) const;
  bool may_say(const Login& login, std::string_view command) const;
  bool too_many_failures(const std::string& address);
  void failed(const std::string& address);
  void end(const Login& login);

  ConsoleNeeds needs_;
  std::map<std::string, LoginPtr> logins_;  // by id
  std::deque<Failure> failures_;
};

// What the page shows of this node, as JSON; console_state.cpp.
std::string console_state(NodeContext& node, bool drained);

}  // namespace kiwi::resp::web
