// COMMAND and its sub-commands; what they say comes from the table.
#include <functional>
#include <optional>
#include <unordered_set>
#include <vector>

#include "config/base/glob.hpp"
#include "resp/command_docs.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

using Rows = std::vector<const CommandSpec*>;

// What clients may know of: not the internal ones, nor those of later cluster versions.
bool is_shown(Session& session, const CommandSpec& row) {
  const Session::State& s = session.state();
  return !row.is_internal() && row.cluster_version <= s.node.cluster_version &&
         is_known_to(row, s.info.face);
}

Rows shown_rows(Session& session, const std::function<bool(const CommandSpec&)>& taken) {
  Rows rows;
  for (const CommandSpec& row : all_commands()) {
    if (is_shown(session, row) && taken(row)) {
      rows.push_back(&row);
    }
  }
  return rows;
}

Rows top_rows(Session& session) {
  return shown_rows(session, [](const CommandSpec& row) { return !row.is_subcommand(); });
}

// A command, or "container|sub"; nullptr = unknown.
const CommandSpec* find_shown(Session& session, std::string_view name) {
  size_t bar = name.find('|');
  const CommandSpec* row = find_command(name.substr(0, bar));
  if (row != nullptr && bar != name.npos) {
    row = find_subcommand(*row, name.substr(bar + 1));
  }
  return row != nullptr && is_shown(session, *row) ? row : nullptr;
}

// The keys in the command that `args` names from its third word on. Answers errors itself.
std::optional<std::vector<FoundKey>> find_keys(Session& session, Args args, ReplyWriter& reply) {
  Args words = args.subspan(2);
  Resolved found = resolve_for_client(session.state().node, words, session.state().info.face);
  while (found.row != nullptr && words_in_front(*found.row) != 0 &&
         words.size() > words_in_front(*found.row)) {
    words = words.subspan(words_in_front(*found.row));
    found = resolve_for_client(session.state().node, words, session.state().info.face);
  }
  if (found.row == nullptr || found.unknown_subcommand) {
    reply.error("ERR Invalid command specified");
    return std::nullopt;
  }
  if (found.row->keys.empty()) {
    reply.error("ERR The command has no key arguments");
    return std::nullopt;
  }
  const Keys keys = keys_of(*found.row, words);
  if (!arity_fits(*found.row, words.size())) {
    reply.error("ERR Invalid number of arguments specified for command");
    return std::nullopt;
  }
  if (!keys.fit()) {
    if ((found.row->flags & kNoMandatoryKeys) != 0) {  // as in Redis: EVAL with a wrong count
      return std::vector<FoundKey>();
    }
    reply.error("ERR Invalid arguments specified for command");
    return std::nullopt;
  }
  std::vector<FoundKey> out;
  for (const FoundKey& key : keys) {
    out.push_back(key);
  }
  return out;
}

void write_names(ReplyWriter& reply, const Rows& rows) {
  reply.array(rows.size());
  for (const CommandSpec* row : rows) {
    reply.bulk(row->name);
  }
}

uint32_t acl_bit(std::string_view name) {
  std::span<const std::string_view> names = acl_names();
  for (size_t bit = 0; bit < names.size(); ++bit) {
    if (same_word(name, names[bit])) {
      return 1u << bit;
    }
  }
  return 0;
}

}  // namespace

void command(Session& session, Args, ReplyWriter& reply) {
  const Rows rows = top_rows(session);
  reply.array(rows.size());
  for (const CommandSpec* row : rows) {
    write_command_info(*row, reply);
  }
}

void command_count(Session& session, Args, ReplyWriter& reply) {
  reply.integer(static_cast<int64_t>(top_rows(session).size()));
}

void command_info(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() == 2) {
    return command(session, args, reply);
  }
  reply.array(args.size() - 2);
  for (std::string_view name : args.subspan(2)) {
    if (const CommandSpec* row = find_shown(session, name)) {
      write_command_info(*row, reply);
    } else {
      reply.null();
    }
  }
}

void command_docs(Session& session, Args args, ReplyWriter& reply) {
  Rows rows = args.size() == 2 ? top_rows(session) : Rows();
  std::unordered_set<const CommandSpec*> named;  // each once: the reply is a map
  for (std::string_view name : args.subspan(2)) {
    const CommandSpec* row = find_shown(session, name);
    if (row != nullptr && named.insert(row).second) {
      rows.push_back(row);
    }
  }
  reply.map(rows.size());
  for (const CommandSpec* row : rows) {
    write_command_docs(*row, reply);
  }
}

void command_list(Session& session, Args args, ReplyWriter& reply) {
  if (args.size() == 2) {
    return write_names(reply, top_rows(session));
  }
  if (args.size() != 5 || !same_word(args[2], "filterby")) {
    return reply.error(texts::kSyntax);
  }
  std::string_view word = args[4];
  if (same_word(args[3], "module")) {
    reply.array(0);
  } else if (same_word(args[3], "aclcat")) {
    const uint32_t bit = acl_bit(word);
    write_names(reply, shown_rows(session, [bit](const CommandSpec& row) {
                  return (row.acl_categories & bit) != 0;
                }));
  } else if (same_word(args[3], "pattern")) {
    write_names(reply, shown_rows(session, [word](const CommandSpec& row) {
                  return glob_match(word, row.name, /*ignore_case=*/true);
                }));
  } else {
    reply.error(texts::kSyntax);
  }
}

void command_getkeys(Session& session, Args args, ReplyWriter& reply) {
  if (auto keys = find_keys(session, args, reply)) {
    reply.array(keys->size());
    for (const FoundKey& found : *keys) {
      reply.bulk(found.name);
    }
  }
}

void command_getkeysandflags(Session& session, Args args, ReplyWriter& reply) {
  if (auto keys = find_keys(session, args, reply)) {
    reply.array(keys->size());
    for (const FoundKey& found : *keys) {
      reply.array(2);
      reply.bulk(found.name);
      write_key_flags(found.flags, reply);
    }
  }
}

void command_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    Return details about all Redis commands.",
      "COUNT",
      "    Return the total number of commands in this Redis server.",
      "LIST",
      "    Return a list of all commands in this Redis server.",
      "INFO [<command-name> ...]",
      "    Return details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "DOCS [<command-name> ...]",
      "    Return documentation details about multiple Redis commands.",
      "    If no command names are given, documentation details for all",
      "    commands are returned.",
      "GETKEYS <full-command>",
      "    Return the keys from a full Redis command.",
      "GETKEYSANDFLAGS <full-command>",
      "    Return the keys and the access flags from a full Redis command.",
  };
  reply_help(reply, "COMMAND", kLines);
}

}  // namespace kiwi::resp::commands
