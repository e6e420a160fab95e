// ACL: what is asked of the users of the state, and what changes them. What concerns this node
// alone: acl_session.cpp.
#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "config/base/check.hpp"
#include "config/setting.hpp"
#include "resp/acl/file.hpp"
#include "resp/acl/permission.hpp"
#include "resp/context.hpp"

namespace kiwi::resp::commands {

namespace {

using acl::NamedUser;
using acl::Selector;
using acl::User;

acl::RuleContext rule_context(Context& context) {
  const Settings& settings = context.state().settings();
  return {.cluster_version = settings.cluster_version(),
          .all_channels = settings.value(config::kAclPubSubDefaultSetting) == "allchannels"};
}

void write_selector(const Selector& selector, ReplyWriter& reply) {
  reply.bulk("commands");
  reply.bulk(selector.commands().describe());
  reply.bulk("keys");
  reply.bulk(selector.key_rules());
  reply.bulk("channels");
  reply.bulk(selector.channel_rules());
}

// The root among them. A selector is a few bytes in the record and hundreds in memory, and each may
// be asked for each command. A part of what entries mean.
constexpr size_t kSelectorsMax = 64;
constexpr size_t kNameBytesMax = 4096;  // of a user: it is the key of its record

// False: there is no room, which was answered.
bool keep(Context& context, std::string_view name, const User& user, ReplyWriter& reply) {
  if (name.size() > kNameBytesMax) {
    reply.error("ERR the name of a user has at most " + std::to_string(kNameBytesMax) + " bytes");
    return false;
  }
  if (user.selectors().size() > kSelectorsMax) {
    reply.error("ERR a user has at most " + std::to_string(kSelectorsMax - 1) + " selectors");
    return false;
  }
  std::string record;
  user.encode(record);
  if (context.state().users().put(name, record)) {
    return true;
  }
  reply.error("ERR more than " + std::to_string(UserRecords::kCount) + " users, or more than " +
              std::to_string(UserRecords::kBytes) + " bytes of them, have no room");
  return false;
}

// Pairs of name and rights, all of them readable. nullopt: something else.
std::optional<acl::Rights> rights_in(Args pairs) {
  acl::Rights rights;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    std::optional<User> user = User::decode(pairs[i + 1]);
    if (!user || acl::has_blanks(pairs[i]) || !rights.emplace(pairs[i], std::move(*user)).second) {
      return std::nullopt;
    }
  }
  rights.emplace(acl::kDefaultName, User::unrestricted());
  return pairs.size() % 2 == 0 ? std::optional(std::move(rights)) : std::nullopt;
}

constexpr std::string_view kNoUsers = "ERR these are no users";

// `rules` of the user `default`, whatever it was.
void set_default(Context& context, Args rules, ReplyWriter& reply) {
  User user = context.users().default_user()->rights;
  for (std::string_view rule : rules) {
    if (const auto error = user.set(rule, rule_context(context))) {
      return reply.error("ERR " + std::string(text_of(*error)));
    }
  }
  if (keep(context, acl::kDefaultName, user, reply)) {
    reply.ok();
  }
}

}  // namespace

// ---------------------------------------------------------------- what is asked

void acl_list(Context& context, Args, ReplyWriter& reply) {
  reply.array(context.users().by_name().size());
  for (const auto& [name, user] : context.users().by_name()) {
    constexpr uint64_t kSteps = 32;  // about as long as it takes to put one into words
    context.state().steps().step(kSteps);
    reply.bulk(acl::describe(*user));
  }
}

void acl_users(Context& context, Args, ReplyWriter& reply) {
  reply.array(context.users().by_name().size());
  for (const auto& [name, user] : context.users().by_name()) {
    reply.bulk(name);
  }
}

void acl_getuser(Context& context, Args args, ReplyWriter& reply) {
  const acl::Users::Ptr found = context.users().named(args[2]);
  if (found == nullptr) {
    return reply.null();
  }
  const User& user = found->rights;
  const std::vector<std::string_view> flags = user.flags();
  reply.map(6);
  reply.bulk("flags");
  reply.set(flags.size());
  for (std::string_view flag : flags) {
    reply.bulk(flag);
  }
  reply.bulk("passwords");
  reply.array(user.passwords().size());
  for (const std::string& hash : user.passwords()) {
    reply.bulk(hash);
  }
  write_selector(user.selectors().front(), reply);
  reply.bulk("selectors");
  reply.array(user.selectors().size() - 1);
  for (size_t i = 1; i < user.selectors().size(); ++i) {
    reply.map(3);
    write_selector(user.selectors()[i], reply);
  }
}

void acl_dryrun(Context& context, Args args, ReplyWriter& reply) {
  const acl::Users::Ptr user = context.users().named(args[2]);
  if (user == nullptr) {
    return reply.error("ERR User '" + std::string(args[2]) + "' not found");
  }
  const Args said = args.subspan(3);
  const auto [row, unknown_subcommand] =
      resolve_command(said, context.state().settings().cluster_version());
  if (row == nullptr || unknown_subcommand || row->is_internal()) {
    return reply.error("ERR Command '" + std::string(said[0]) + "' not found");
  }
  if (!arity_fits(*row, said.size())) {
    return reply.error("ERR wrong number of arguments for '" + std::string(row->name) +
                       "' command");
  }
  const acl::Verdict verdict = acl::check(user->rights, *row, said);
  CHECK_INVARIANT(verdict.position < said.size());
  const std::string at(said[verdict.position]);
  switch (verdict.denied) {
    case acl::Denied::kNothing:
      return reply.ok();
    case acl::Denied::kKey:
      return reply.bulk("This user has no permissions to access the '" + at + "' key");
    case acl::Denied::kChannel:
      return reply.bulk("This user has no permissions to access the '" + at + "' channel");
    default:
      return reply.bulk("This user has no permissions to run the '" + std::string(row->name) +
                        "' command");
  }
}

// ---------------------------------------------------------------- what changes them

// The session made hashes of the passwords: no log entry holds one.
void acl_setuser(Context& context, Args args, ReplyWriter& reply) {
  const std::string_view name = args[2];
  if (acl::has_blanks(name)) {
    return reply.error("ERR Usernames can't contain spaces or null characters");
  }
  size_t open = 0;
  const auto rules = acl::merged_rules(args.subspan(3), open);
  if (!rules) {
    return reply.error("ERR Unmatched parenthesis in acl selector starting at '" +
                       std::string(args[3 + open]) + "'.");
  }
  const acl::RuleContext how = rule_context(context);
  const acl::Users::Ptr known = context.users().named(name);
  User user = known != nullptr ? known->rights : User(how);
  for (const std::string& rule : *rules) {
    if (const auto error = user.set(rule, how)) {
      return reply.error("ERR Error in ACL SETUSER modifier '" + rule +
                         "': " + std::string(text_of(*error)));
    }
  }
  if (keep(context, name, user, reply)) {
    reply.ok();
  }
}

void acl_deluser(Context& context, Args args, ReplyWriter& reply) {
  const Args names = args.subspan(2);
  if (std::ranges::find(names, acl::kDefaultName) != names.end()) {
    return reply.error("ERR The 'default' user cannot be removed");
  }
  UserRecords& users = context.state().users();
  int64_t deleted = 0;
  for (std::string_view name : names) {
    if (users.find(name) != nullptr) {
      users.erase(name);
      ++deleted;
    }
  }
  reply.integer(deleted);
}

// kiwi.seedusers (name rights)*: what the options of a member say. Only the first in the log
// counts.
void seed_users(Context& context, Args args, ReplyWriter& reply) {
  if (context.state().users().seeded()) {
    return reply.error(texts::kUsersSeededBefore);
  }
  const auto rights = rights_in(args.subspan(1));
  if (!rights) {
    return reply.error(kNoUsers);
  }
  for (const auto& [name, user] : *rights) {
    // ACL SETUSER may have been quicker; then it is what counts.
    if (context.state().users().find(name) == nullptr && !keep(context, name, user, reply)) {
      throw Undone("ERR the users of this node's options have no room");  // all or none
    }
  }
  reply.ok();
}

// kiwi.users (name rights)*: exactly these from now on (ACL LOAD). Users other than the default one
// are new ones, as in Redis: their connections end.
void replace_users(Context& context, Args args, ReplyWriter& reply) {
  const auto rights = rights_in(args.subspan(1));
  if (!rights) {
    return reply.error(kNoUsers);
  }
  UserRecords& users = context.state().users();
  const UserRecords::ByName before = users.by_name();
  for (const auto& [name, record] : before) {
    if (name != acl::kDefaultName) {
      users.erase(name);
    }
  }
  for (const auto& [name, user] : *rights) {
    if (!keep(context, name, user, reply)) {
      throw Undone("ERR the users of the file have no room");
    }
  }
  reply.ok();
}

// kiwi.password [sha256]: what CONFIG SET requirepass becomes.
void set_default_password(Context& context, Args args, ReplyWriter& reply) {
  const std::string rule = args.size() > 1 ? "#" + std::string(args[1]) : "nopass";
  set_default(context, std::array<std::string_view, 2>{"resetpass", rule}, reply);
}

// kiwi.resetdefault sha256: an operator who has the data directory locked himself out.
void reset_default_user(Context& context, Args args, ReplyWriter& reply) {
  const std::string hash = "#" + std::string(args[1]);
  set_default(
      context,
      std::array<std::string_view, 6>{"reset", "on", hash, "+@all", "allkeys", "allchannels"},
      reply);
}

// kiwi.settled: nothing. It is answered at an index, so what was acknowledged before is applied
// here.
void settled(Context&, Args, ReplyWriter& reply) { reply.ok(); }

}  // namespace kiwi::resp::commands
