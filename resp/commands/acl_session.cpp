// ACL: what concerns this node alone, its log of refusals, its file, its connections.
#include <algorithm>
#include <string>

#include "resp/acl/command_set.hpp"
#include "resp/acl/file.hpp"
#include "resp/command_docs.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/types/user_records.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr int64_t kPasswordBitsMax = 4096;
constexpr int64_t kLogEntries = 10;  // shown unless a number is said

constexpr std::string_view kNoFile =
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users "
    "via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis "
    "configuration file set) in order to store users in the Redis configuration.";

// Redis' words for one that has optional arguments.
std::string too_many(Args args) {
  return "ERR unknown subcommand or wrong number of arguments for '" +
         std::string(quoted_word(args[1])) + "'. Try ACL HELP.";
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(byte) >> 4]);
    hex.push_back("0123456789abcdef"[byte & 0xf]);
  }
  return hex;
}

}  // namespace

void acl_cat(Session&, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(too_many(args));
  }
  if (args.size() == 2) {
    reply.array(acl_names().size());
    for (std::string_view name : acl_names()) {
      reply.bulk(name);
    }
    return;
  }
  const uint32_t category = acl::category_named(args[2]);
  if (category == 0) {
    constexpr size_t kQuoted = 128;
    return reply.error("ERR Unknown category '" +
                       std::string(quoted_word(args[2].substr(0, kQuoted))) + "'");
  }
  const auto is_in = [category](const CommandSpec& row) {
    return !row.is_internal() && (row.acl_categories & category) != 0;
  };
  reply.array(static_cast<size_t>(std::ranges::count_if(all_commands(), is_in)));
  for (const CommandSpec& row : all_commands()) {
    if (is_in(row)) {
      reply.bulk(row.name);
    }
  }
}

void acl_genpass(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(too_many(args));
  }
  constexpr int64_t kUsualBits = 256;
  const std::optional<int64_t> bits = args.size() == 2 ? kUsualBits : parse_integer(args[2]);
  if (!bits) {
    return reply.error(texts::kNotInteger);
  }
  if (*bits <= 0 || *bits > kPasswordBitsMax) {
    return reply.error(
        "ERR ACL GENPASS argument must be the number of bits for the output "
        "password, a positive number up to " +
        std::to_string(kPasswordBitsMax));
  }
  const auto digits = static_cast<size_t>((*bits + 3) / 4);
  reply.bulk(hex_of(session.state().node.random_bytes((digits + 1) / 2)).substr(0, digits));
}

void acl_whoami(Session& session, Args, ReplyWriter& reply) {
  reply.bulk(session.state().user->name);
}

void acl_log(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(too_many(args));
  }
  NodeContext& node = session.state().node;
  if (args.size() == 3 && same_word(args[2], "reset")) {
    node.denials.clear();
    return reply.ok();
  }
  const std::optional<int64_t> asked = args.size() == 2 ? kLogEntries : parse_integer(args[2]);
  if (!asked) {
    return reply.error(texts::kNotInteger);
  }
  const auto& entries = node.denials.newest_first();
  const size_t count = std::min(entries.size(), static_cast<size_t>(std::max<int64_t>(*asked, 0)));
  reply.array(count);
  for (size_t i = 0; i < count; ++i) {
    const acl::Denial& entry = entries[i];
    reply.map(7);
    reply.bulk("count");
    reply.integer(static_cast<int64_t>(entry.count));
    reply.bulk("reason");
    reply.bulk(entry.reason_name());
    reply.bulk("context");
    reply.bulk(entry.where_name());
    reply.bulk("object");
    reply.bulk(entry.object);
    reply.bulk("username");
    reply.bulk(entry.user);
    reply.bulk("age-seconds");
    reply.number(static_cast<double>(node.monotonic_ms() - entry.at_ms) / 1000);
    reply.bulk("client-info");
    reply.bulk(entry.client);
  }
}

// Exactly the users of this node's file, for the whole cluster. Its answer is the write's.
void acl_load(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  const std::string& path = s.node.options.aclfile;
  if (path.empty()) {
    return reply.error(kNoFile);
  }
  const Result<std::string> text = s.node.read_acl_file();
  if (!text) {
    return reply.error("ERR " + text.error().text);
  }
  const acl::RuleContext how{
      .cluster_version = s.node.cluster_version,
      .all_channels = s.node.options.acl_pubsub_default == config::PubSubDefault::kAllChannels};
  const Result<acl::Rights> rights = acl::parse_file(*text, path, how);
  if (!rights) {
    return reply.error("ERR " + rights.error().text);
  }
  std::vector<std::string> words{"kiwi.users"};
  uint64_t bytes = 0;
  for (const auto& [name, user] : *rights) {
    words.push_back(name);
    user.encode(words.emplace_back());
    bytes += name.size() + words.back().size();
  }
  // F50: neither the state nor the log would take them.
  const auto entry_max = static_cast<uint64_t>(s.node.options.raft_max_entry_size);
  if (rights->size() > UserRecords::kCount || bytes > std::min(UserRecords::kBytes, entry_max)) {
    return reply.error("ERR the users of the file have no room");
  }
  s.forward_write(std::vector<std::string_view>(words.begin(), words.end()));
}

void acl_save(Session& session, Args, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (s.node.options.aclfile.empty()) {
    return reply.error(kNoFile);
  }
  s.node.admin.save_acl_file(
      acl::file_text(s.node.accounts.users()), [later = s.defer()](const AdminAnswer& answer) {
        later.answer([&answer](ReplyWriter& writer) {
          answer.error.empty() ? writer.ok()
                               : writer.error(
                                     "ERR There was an error trying to save the ACLs. "
                                     "Please check the server logs for more information");
        });
      });
}

void acl_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "CAT [<category>]",
      "    List all commands that belong to <category>, or all command categories",
      "    when no category is specified.",
      "DELUSER <username> [<username> ...]",
      "    Delete a list of users.",
      "DRYRUN <username> <command> [<arg> ...]",
      "    Returns whether the user can execute the given command without executing the command.",
      "GETUSER <username>",
      "    Get the user's details.",
      "GENPASS [<bits>]",
      "    Generate a secure 256-bit user password. The optional `bits` argument can",
      "    be used to specify a different size.",
      "LIST",
      "    Show users details in config file format.",
      "LOAD",
      "    Reload users from the ACL file.",
      "LOG [<count> | RESET]",
      "    Show the ACL log entries.",
      "SAVE",
      "    Save the current config to the ACL file.",
      "SETUSER <username> <attribute> [<attribute> ...]",
      "    Create or modify a user with the specified attributes.",
      "USERS",
      "    List all the registered usernames.",
      "WHOAMI",
      "    Return the current connection username.",
  };
  reply_help(reply, "ACL", kLines);
}

}  // namespace kiwi::resp::commands
