#include "resp/web/console.hpp"

#include <algorithm>
#include <optional>

#include "config/base/check.hpp"
#include "resp/acl/permission.hpp"
#include "resp/numbers.hpp"
#include "resp/parser.hpp"
#include "resp/web/console_rules.hpp"
#include "resp/web/json.hpp"

namespace kiwi::resp::web {

namespace {

constexpr size_t kIdBytes = 32;
constexpr size_t kTokenBytes = 16;

WebAnswer json(unsigned status, std::string body) {
  WebAnswer answer;
  answer.status = status;
  answer.type = "application/json";
  answer.body = std::move(body);
  return answer;
}

WebAnswer refusal(unsigned status, std::string_view sentence) {
  return json(status, JsonObject().add("error", sentence).take());
}

// The words of a body: one RESP array, as a client would send it.
std::optional<std::vector<std::string>> words_of(const std::string& body) {
  RequestParser parser;
  parser.feed(body);
  if (!body.starts_with('*') || parser.next() != RequestParser::Event::kCommand) {
    return std::nullopt;
  }
  std::vector<std::string> words(parser.args().begin(), parser.args().end());
  if (words.empty() || parser.next() != RequestParser::Event::kNeedMore ||
      parser.unread_bytes() != 0) {
    return std::nullopt;
  }
  return words;
}

std::string resp_of(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    out.append("$").append(std::to_string(word.size())).append("\r\n").append(word).append("\r\n");
  }
  return out;
}

std::string cookie_value(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const size_t end = header.find(';');
    std::string_view one = header.substr(0, end);
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + 1);
    while (one.starts_with(' ')) {
      one.remove_prefix(1);
    }
    if (one.size() > name.size() && one.starts_with(name) && one[name.size()] == '=') {
      return std::string(one.substr(name.size() + 1));
    }
  }
  return {};
}

// At the end of a target: the page asks this by itself, and nobody need sit before it.
constexpr std::string_view kByItself = "&watch";

// db=3 of the query; nothing: it is no number.
std::optional<int64_t> database_of(std::string_view target) {
  if (target.ends_with(kByItself)) {
    target.remove_suffix(kByItself.size());
  }
  const size_t at = target.find("?db=");
  return at == std::string_view::npos ? 0 : parse_integer(target.substr(at + 4));
}

bool is_by_itself(const WebRequest& request) {
  return request.path() == "/api/state" || request.target.ends_with(kByItself);
}

// A browser says so of every POST; programs that are none can say what they like, and need not.
bool is_own_origin(const WebRequest& request) { return request.origin == "http://" + request.host; }

}  // namespace

Console::Console(ConsoleNeeds needs) : needs_(std::move(needs)) {
  CHECK_INVARIANT(needs_.node != nullptr && !needs_.cookie.empty());
  CHECK_INVARIANT(needs_.open_line && needs_.random_hex && needs_.now_ms);
}

// ---------------------------------------------------------------- who asks

bool Console::is_over(const Login& login) const {
  const int64_t now_ms = needs_.now_ms();
  return now_ms - login.seen_ms > kIdleMs || now_ms - login.began_ms > kLifeMs;
}

bool Console::is_unlocked(const Login& login) const {
  return needs_.now_ms() < login.unlocked_until_ms;
}

Console::LoginPtr Console::find(const WebRequest& request) {
  const auto found = logins_.find(cookie_value(request.cookie, needs_.cookie));
  if (found == logins_.end()) {
    return nullptr;
  }
  if (is_over(*found->second)) {
    logins_.erase(found);
    return nullptr;
  }
  return found->second;
}

void Console::end(const Login& login) { logins_.erase(login.id); }

void Console::tick() {
  std::erase_if(logins_, [this](const auto& entry) { return is_over(*entry.second); });
}

// By address: a stranger who guesses keeps nobody else from logging in.
bool Console::too_many_failures(const std::string& address) {
  while (!failures_.empty() && needs_.now_ms() - failures_.front().at_ms > kFailuresMs) {
    failures_.pop_front();
  }
  return static_cast<size_t>(std::ranges::count(failures_, address, &Failure::address)) >=
         kFailures;
}

void Console::failed(const std::string& address) {
  failures_.push_back({needs_.now_ms(), address});
  if (failures_.size() > kFailuresKept) {
    failures_.pop_front();
  }
  CHECK_INVARIANT(failures_.size() <= kFailuresKept);
}

// What is no command of the login's connection is asked here, by the rights that hold now.
bool Console::may_say(const Login& login, std::string_view command) const {
  const acl::Users::Ptr user = needs_.node->accounts.users().named(login.user);
  const CommandSpec* row = find_command(command);
  CHECK_INVARIANT(row != nullptr);
  const std::string_view argv[] = {command};
  // Users of this node's options get other numbers once the cluster has them.
  const bool same =
      user != nullptr && (user->id == login.user_id || Accounts::is_own(login.user_id));
  return same && acl::check(user->rights, *row, argv).allowed();
}

void Console::handle(const WebRequest& request, Respond respond) {
  const std::string_view path = request.path();
  const bool changes = request.method == Method::kPost || request.method == Method::kDelete;
  if (!changes && request.method != Method::kGet) {
    return respond(refusal(405, "GET, POST or DELETE"));
  }
  if (changes && !is_own_origin(request)) {
    return respond(refusal(403, "that did not come from a page of this node"));
  }
  if (path == "/api/login" && request.method == Method::kPost) {
    return log_in(request, std::move(respond));
  }
  const LoginPtr login = find(request);
  if (login == nullptr) {
    const bool wanted = needs_.node->accounts.login_wanted();
    return respond(
        json(401, JsonObject().add("error", "log in first").add("password", wanted).take()));
  }
  if (changes && !same_secret(request.token, login->token)) {
    return respond(refusal(403, "the token is not that of the login"));
  }
  login->seen_ms = is_by_itself(request) ? login->seen_ms : needs_.now_ms();
  if (path == "/api/session" && !changes) {
    return respond(describe(*login));
  }
  if (path == "/api/state" && !changes) {
    if (!may_say(*login, "info")) {
      return respond(refusal(403, "this user may not say INFO"));
    }
    return respond(json(200, console_state(*needs_.node, needs_.drained && needs_.drained())));
  }
  if (path == "/api/command" && request.method == Method::kPost) {
    return command(login, request, std::move(respond));
  }
  if (path == "/api/unlock" && request.method == Method::kPost) {
    return unlock(login, request, std::move(respond));
  }
  if (path == "/api/unlock" && changes) {
    login->unlocked_until_ms = 0;
    return respond(describe(*login));
  }
  if (path == "/api/login" && changes) {
    end(*login);
    return respond(json(200, "{}"));
  }
  if (path == "/api/drain" && changes) {
    return drain(login, request.method == Method::kPost, std::move(respond));
  }
  respond(refusal(404, "there is no such thing"));
}

WebAnswer Console::describe(const Login& login) const {
  const int64_t left_ms = std::max<int64_t>(0, login.unlocked_until_ms - needs_.now_ms());
  return json(200, JsonObject()
                       .add("user", login.user)
                       .add("token", login.token)
                       .add("unlocked", is_unlocked(login))
                       .add("unlocked_for_s", left_ms / 1000)
                       .add("password", !needs_nothing(login.user))
                       .add("databases", needs_.node->options.databases)
                       .take());
}

// ---------------------------------------------------------------- login

// No name is that of the default user, too.
bool Console::needs_nothing(std::string_view user) const {
  return (user.empty() || user == acl::kDefaultName) && !needs_.node->accounts.login_wanted();
}

void Console::log_in(const WebRequest& request, Respond respond) {
  const std::optional<std::vector<std::string>> words = words_of(request.body);
  if (!words || words->size() != 2) {
    return respond(refusal(400, "a user and a password"));
  }
  const bool open = needs_nothing(words->front());
  if (open && !request.loopback) {
    return respond(refusal(403, "without a password the console is for this machine only"));
  }
  if (needs_.node->turns_away(request.loopback)) {
    return respond(refusal(403, "protected-mode: the default user has no password"));
  }
  if (too_many_failures(request.address)) {
    return respond(refusal(429, "too many wrong passwords: wait a minute"));
  }
  auto login = std::make_shared<Login>();
  login->id = needs_.random_hex(kIdBytes);
  login->token = needs_.random_hex(kTokenBytes);
  CHECK_INVARIANT(login->id.size() == 2 * kIdBytes && login->token.size() == 2 * kTokenBytes);
  login->user = words->front();
  login->address = request.address;
  login->line = needs_.open_line(request.address);
  if (login->line == nullptr) {
    return respond(refusal(503, "maxclients is reached"));
  }
  if (open) {
    login->user = "default";
    return logged_in(login, respond);
  }
  // The line keeps the login until it is answered.
  login->line->ask(resp_of({"AUTH", words->front(), words->back()}), 1,
                   [this, login, respond, address = request.address](const std::string& reply) {
                     if (reply == "+OK\r\n") {
                       return logged_in(login, respond);
                     }
                     failed(address);
                     respond(refusal(401, "wrong user or password"));
                   });
}

void Console::logged_in(const LoginPtr& login, const Respond& respond) {
  tick();
  if (logins_.size() >= kLogins) {
    const auto oldest = std::ranges::min_element(
        logins_, {}, [](const auto& entry) { return entry.second->seen_ms; });
    logins_.erase(oldest);
  }
  login->began_ms = login->seen_ms = needs_.now_ms();
  const acl::Users::Ptr user = needs_.node->accounts.users().named(login->user);
  login->user_id = user != nullptr ? user->id : acl::kDefaultId;
  const auto [place, is_new] = logins_.emplace(login->id, login);
  CHECK_INVARIANT(is_new && logins_.size() <= kLogins);
  WebAnswer answer = describe(*place->second);
  answer.headers.emplace_back(
      "Set-Cookie", needs_.cookie + "=" + login->id + "; HttpOnly; SameSite=Strict; Path=/");
  respond(std::move(answer));
}

void Console::unlock(const LoginPtr& login, const WebRequest& request, Respond respond) {
  const std::optional<std::vector<std::string>> words = words_of(request.body);
  if (!words || words->size() != 1) {
    return respond(refusal(400, "a password"));
  }
  if (too_many_failures(request.address)) {
    return respond(refusal(429, "too many wrong passwords: wait a minute"));
  }
  if (needs_nothing(login->user)) {
    login->unlocked_until_ms = needs_.now_ms() + kUnlockedMs;
    return respond(describe(*login));
  }
  login->line->ask(resp_of({"AUTH", login->user, words->front()}), 1,
                   [this, login, respond, address = request.address](const std::string& reply) {
                     if (reply != "+OK\r\n") {
                       failed(address);
                       return respond(refusal(401, "wrong password"));
                     }
                     login->unlocked_until_ms = needs_.now_ms() + kUnlockedMs;
                     respond(describe(*login));
                   });
}

// ---------------------------------------------------------------- what they ask

void Console::command(const LoginPtr& login, const WebRequest& request, Respond respond) {
  const std::optional<std::vector<std::string>> words = words_of(request.body);
  const std::optional<int64_t> database = database_of(request.target);
  if (!words || !database || *database < 0 || *database >= needs_.node->options.databases) {
    return respond(refusal(400, "a command, and ?db= with the number of a database"));
  }
  // By the names that this node gives commands: a new name changes as much as the old one did.
  std::vector<std::string_view> argv(words->begin(), words->end());
  argv[0] = needs_.node->renames.real_name(argv[0]).value_or(argv[0]);
  switch (console_rule(argv, needs_.node->cluster_version)) {
    case ConsoleRule::kLooks:
      break;
    case ConsoleRule::kChanges:
      if (!is_unlocked(*login)) {
        return respond(refusal(423, "that changes something: unlock changes first"));
      }
      break;
    case ConsoleRule::kNever:
      return respond(refusal(422, "that is for clients of their own connection"));
  }
  if (login->asked.size() >= kAsked) {
    return respond(refusal(429, "too many commands at a time"));
  }
  login->asked.push_back({std::move(*words), *database, std::move(respond)});
  if (login->asked.size() == 1) {
    ask_next(login);
  }
}

// One at a time: a command must not run where its database could not be selected, nor where another
// one's was.
void Console::ask_next(const LoginPtr& login) {
  if (login->asked.empty()) {
    return;
  }
  const int64_t database = login->asked.front().database;
  if (database == login->database) {
    return ask_command(login);
  }
  // The line keeps the login until it is answered.
  login->line->ask(resp_of({"SELECT", std::to_string(database)}), 1,
                   [this, login, database](const std::string& reply) {
                     if (reply != "+OK\r\n") {
                       return answered(login, reply);
                     }
                     login->database = database;
                     ask_command(login);
                   });
}

void Console::ask_command(const LoginPtr& login) {
  CHECK_INVARIANT(!login->asked.empty());
  login->line->ask(resp_of(login->asked.front().words), 1,
                   [this, login](const std::string& reply) { answered(login, reply); });
}

void Console::answered(const LoginPtr& login, const std::string& reply) {
  CHECK_INVARIANT(!login->asked.empty());
  const Respond respond = std::move(login->asked.front().respond);
  login->asked.pop_front();
  if (reply.empty()) {
    end(*login);  // killed, or its reply was too long
    respond(refusal(502, "the connection ended; log in again"));
  } else {
    const std::optional<std::string> value = json_of_reply(reply);
    respond(value ? json(200, JsonObject().add_raw("reply", *value).take())
                  : refusal(502, "a reply that cannot be shown"));
  }
  ask_next(login);
}

void Console::drain(const LoginPtr& login, bool on, Respond respond) {
  if (!is_unlocked(*login)) {
    return respond(refusal(423, "that changes something: unlock changes first"));
  }
  if (!needs_.drain) {
    return respond(refusal(404, "this node cannot be drained"));
  }
  const bool may = may_say(*login, "raft.drain");
  audit_drain(*needs_.node, {on, !may, login->user, login->address});
  if (!may) {
    return respond(refusal(403, "this user may not say RAFT.DRAIN"));
  }
  needs_.drain(on, [respond = std::move(respond)](const WebAnswer& said) {
    respond(json(said.status, JsonObject().add("text", said.body).take()));
  });
}

}  // namespace kiwi::resp::web
