// Whose a session is, and what that user may do.
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/acl/permission.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace {

// A refusal may wait so long for what other nodes acknowledged before.
constexpr int64_t kAskLoginMs = 500;

}  // namespace

// ---------------------------------------------------------------- whose it is

void Session::State::belong_to(acl::Users::Ptr to) {
  CHECK_INVARIANT(to != nullptr);
  user = std::move(to);
  limited = user->is_free() ? nullptr : user.get();
}

// tls-auth-clients-user: who proved the name of a user needs no password.
void Session::State::belong_as_new() {
  const bool proved = node.options.tls_auth_clients_user == config::TlsUserOf::kCommonName &&
                      !info.certificate_name.empty();
  acl::Users::Ptr known = proved ? node.accounts.users().named(info.certificate_name) : nullptr;
  if (known != nullptr && known->rights.on()) {
    belong_to(std::move(known));
    authenticated = true;
    let_in_early = false;
    if (node.trail) {
      node.trail(acl::login_line(doer()));
    }
    return;
  }
  belong_to(node.accounts.users().default_user());
  // Without a password everybody is the default user, also when one is set later (as in Redis).
  authenticated = user->rights.on() && user->rights.needs_no_password();
  let_in_early = authenticated && node.status.service != Service::kUp;
}

bool Session::State::log_in(std::string_view as, std::string_view password) {
  acl::Users::Ptr found = node.accounts.users().named(as);
  if (found == nullptr || !found->rights.accepts(password)) {
    return false;
  }
  belong_to(std::move(found));
  authenticated = true;
  let_in_early = false;
  if (node.trail) {
    node.trail(acl::login_line(doer()));
  }
  return true;
}

// A node that catches up knows the users and passwords of some time ago: clients take WRONGPASS for
// final, so it does not say it yet.
std::string_view Session::State::login_refused(std::string_view as, std::string_view command) {
  if (node.status.service == Service::kLoading) {
    return texts::kLoading;
  }
  node.note_denial(*self, acl::Denied::kLogin,
                   in_block || transaction.open ? acl::Where::kBlock : acl::Where::kTopLevel,
                   command, as);
  return texts::kWrongPass;
}

// True: the answer comes later, when this node knows what was acknowledged elsewhere before, for
// the user may be new, or its password.
bool Session::State::ask_login(const CommandSpec& row, Args args) {
  if (in_block || login || !node.may_ask_login || !node.may_ask_login()) {
    return false;
  }
  login.reset(new Login{{0, &row, {args.begin(), args.end()}}, now_ms + kAskLoginMs});
  const std::string_view argv[] = {"kiwi.settled"};
  const size_t begin = requests.buffer.size();
  pack_command(requests.buffer, 0, argv);
  forward(RequestKind::kRead, begin);
  barrier = Barrier{requests.requests.back().slot, Barrier::Kind::kLogin};
  return true;
}

// Whatever the answer was: what is known now counts.
std::string Session::State::run_login() {
  CHECK_INVARIANT(login != nullptr);
  const QueuedLocal local = std::exchange(login->command, {});
  const std::vector<std::string_view> args(local.args.begin(), local.args.end());
  std::string bytes;
  RespWriter reply(&bytes, resp_version);
  run_local(*local.row, args, reply, RespWriter::kAnyRoom);
  login.reset();
  return bytes;
}

void Session::State::expire_login() {
  if (login && now_ms >= login->until_ms) {
    CHECK_INVARIANT(barrier && barrier->kind == Barrier::Kind::kLogin);
    answer_barrier({}, {});
  }
}

// ---------------------------------------------------------------- what it may do

std::string Session::State::denial_of(const CommandSpec& row, Args args) {
  CHECK_INVARIANT(limited != nullptr);
  const acl::Verdict verdict = acl::check(limited->rights, row, args);
  if (verdict.allowed()) {
    return {};
  }
  CHECK_INVARIANT(verdict.position < args.size());
  node.note_denial(*self, verdict.denied,
                   in_block || transaction.open ? acl::Where::kBlock : acl::Where::kTopLevel,
                   verdict.denied == acl::Denied::kCommand ? row.name : args[verdict.position],
                   limited->name);
  return in_block ? acl::refusal_in_block(verdict.denied) : acl::refusal_text(verdict.denied, row);
}

bool Session::State::may_say(std::string_view command) const {
  const CommandSpec* row = limited != nullptr ? find_command(command) : nullptr;
  return limited == nullptr ||
         (row != nullptr && limited->rights.selectors().front().commands().has(*row));
}

// Log entries know users of the state only; the default one goes without a number.
void Session::State::begin_packed(bool made) {
  if ((limited == nullptr && !made) || Accounts::is_own(user->id)) {
    return;
  }
  if (made || !user->is_default()) {
    begin_of_user(requests.buffer, user->id);
  }
}

bool Session::State::subscriptions_allowed() const {
  if (limited == nullptr || !is_subscriber()) {
    return true;
  }
  for (const Topic topic : {Topic::kChannel, Topic::kPattern, Topic::kShard}) {
    for (const std::string& channel : node.pubsub.names(info.id, topic)) {
      if (!acl::may_use_channel(limited->rights, channel, topic == Topic::kPattern)) {
        return false;
      }
    }
  }
  return true;
}

// Of a user who is gone nothing more is taken; what it asked before is answered, and refused where
// it is applied. Local commands of a block that is under way are refused, too: from now on it may
// do nothing, by the name and number that it had.
void Session::State::lose_user() {
  log_verbose("Closing client " + info.peer_address + ": its user was deleted.");
  belong_to(
      std::make_shared<const acl::NamedUser>(acl::NamedUser{user->name, user->id, acl::User()}));
  CHECK_INVARIANT(limited != nullptr && !user_gone);
  user_gone = true;
  authenticated = false;
  close_after_replies = true;
  self->end_wait();
  node.close_connection(info.id);
}

// The users changed.
void Session::State::users_changed() {
  if (user_gone) {
    return;
  }
  const acl::Users& users = node.accounts.users();
  // Those that only options named go by their names, into the state too.
  const bool by_name = Accounts::is_own(user->id);
  acl::Users::Ptr now = by_name ? users.named(user->name) : users.with_id(user->id);
  if (now == nullptr) {
    return lose_user();
  }
  const bool learned = node.status.service != Service::kUp;  // what was so before it came
  if (std::exchange(let_in_early, let_in_early && learned)) {
    authenticated = !learned || (now->rights.on() && now->rights.needs_no_password());
  }
  if (now == user) {
    return;
  }
  belong_to(std::move(now));
  if (!subscriptions_allowed()) {
    log_verbose("Closing client " + info.peer_address +
                ": its user may not use a channel any more that it subscribed to.");
    kill();
  }
}

// ---------------------------------------------------------------- the audit log

acl::Doer Session::State::doer() const {
  return {node.wall_microseconds(), user->name, info.peer_address, info.id};
}

void Session::State::write_outcome(uint16_t row, std::string_view error) const {
  if (row == Measures::kNoRow || (all_commands()[row].acl_categories & kAclAdmin) == 0) {
    return;
  }
  node.trail(acl::outcome_line(doer(), all_commands()[row], error));
}

// ---------------------------------------------------------------- ACL SETUSER, DELUSER

// The error's text; empty: `words`, if there are any, are said instead.
std::string Session::State::changes_users(const CommandSpec& row,
                                          Args args,
                                          std::vector<std::string>& words) const {
  // Else the state would have users, and what the options say of the default one would be lost.
  if (!node.accounts.seeded() && node.accounts.says_something()) {
    return std::string(texts::kUsersComing);
  }
  return row.name == "acl|setuser" ? hide_passwords(args, words) : std::string();
}

// ACL SETUSER as it may leave the session: no password is in any of it. What is no rule is refused
// here, and never sent: a password may stand in it. Which of several errors is named the user as it
// is known here decides.
std::string Session::State::hide_passwords(Args args, std::vector<std::string>& words) const {
  if (acl::has_blanks(args[2])) {
    return "ERR Usernames can't contain spaces or null characters";
  }
  size_t open = 0;
  const auto rules = acl::merged_rules(args.subspan(3), open);
  if (!rules) {
    return "ERR Unmatched parenthesis in acl selector starting at '" + std::string(args[3 + open]) +
           "'.";
  }
  words.assign(args.begin(), args.begin() + 3);
  const acl::RuleContext how{
      .cluster_version = node.cluster_version,
      .all_channels = node.options.acl_pubsub_default == config::PubSubDefault::kAllChannels};
  const acl::Users::Ptr known = node.accounts.users().named(args[2]);
  acl::User there = known != nullptr ? known->rights : acl::User(how);
  acl::User tried;
  std::string first;
  for (const std::string& rule : *rules) {
    std::string& sent = words.emplace_back(acl::without_password(rule));
    if (const auto error = there.set(rule, how); error && first.empty()) {
      first =
          "ERR Error in ACL SETUSER modifier '" + sent + "': " + std::string(acl::text_of(*error));
    }
    // Which passwords there are the state knows.
    const auto error = tried.set(rule, {.cluster_version = how.cluster_version});
    if (error && *error != acl::RuleError::kNoSuchPassword) {
      CHECK_INVARIANT(!first.empty());
      return first;
    }
  }
  return {};
}

// ---------------------------------------------------------------- the node

void NodeContext::take_users(Accounts::Users users, bool seeded) {
  accounts.set_state(std::move(users), seeded);
  sessions.each([](Session& session) {
    if (!session.killed()) {
      session.state().users_changed();
    }
  });
}

void NodeContext::note_denial(const Session& by,
                              acl::Denied denied,
                              acl::Where where,
                              std::string_view object,
                              std::string_view user) {
  acl::Denial denial;
  denial.reason = denied;
  denial.where = where;
  denial.object = object.substr(0, acl::DenialLog::kObjectBytes);
  denial.user = user;
  denial.at_ms = monotonic_ms();
  denial.client = describe_client(by.state(), by.state().now_ms);
  ++metrics.denials;
  if (trail) {
    acl::Doer doer = by.state().doer();
    doer.user = denial.user;
    trail(acl::refusal_line(doer, denial));
  }
  denials.add(std::move(denial), static_cast<size_t>(options.acllog_max_len));
}

void NodeContext::note_denial(const acl::Refusal& refusal) {
  sessions.with(refusal.connection, [&](const Session& by) {
    note_denial(by, refusal.denied, refusal.where, refusal.object, by.state().user->name);
  });
}

}  // namespace kiwi::resp
