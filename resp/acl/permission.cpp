#include "resp/acl/permission.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "config/base/check.hpp"
#include "resp/command_keys.hpp"

namespace kiwi::resp::acl {

namespace {

uint8_t access_of(uint16_t key_flags) {
  constexpr uint16_t kChanges = kKeyInsert | kKeyDelete | kKeyUpdate;
  return static_cast<uint8_t>(((key_flags & kKeyAccess) != 0 ? kReads : 0) |
                              ((key_flags & kChanges) != 0 ? kWrites : 0));
}

bool subscribes(const CommandSpec& row) {
  return row.role == SessionRole::kSubscribe &&
         row.name.find("unsubscribe") == std::string_view::npos;
}

Verdict check_keys(const Selector& selector, const CommandSpec& row, Args argv) {
  if (selector.all_keys() || row.keys.empty()) {
    return {};
  }
  for (const FoundKey& key : keys_of(row, argv)) {
    if ((key.flags & kKeyNotKey) == 0 && !selector.may_use_key(key.name, access_of(key.flags))) {
      return {Denied::kKey, key.position};
    }
  }
  return {};
}

Verdict check_channels(const Selector& selector, const CommandSpec& row, Args argv) {
  const bool publishes = row.role == SessionRole::kPublish;
  if (selector.all_channels() || (!publishes && !subscribes(row))) {
    return {};
  }
  // A pattern must be one of the patterns that are allowed.
  const bool literal = !publishes && row.name.starts_with('p');
  const size_t end = publishes ? std::min<size_t>(2, argv.size()) : argv.size();
  for (size_t i = 1; i < end; ++i) {
    if (!selector.may_use_channel(argv[i], literal)) {
      return {Denied::kChannel, i};
    }
  }
  return {};
}

// What a client said that a session made an internal command of. Any of them.
std::span<const std::string_view> said_for(const CommandSpec& row) {
  struct Made {
    std::string_view name;
    std::array<std::string_view, 3> of;
  };
  static constexpr Made kMade[] = {
      {"kiwi.audit", {"raft.debug"}},
      {"kiwi.fcall", {"fcall"}},
      {"kiwi.migrate", {"migrate"}},
      {"kiwi.migrated", {"migrate"}},
      {"kiwi.object", {"debug"}},
      {"kiwi.password", {"config|set"}},
      {"kiwi.setting", {"config|set", "raft.upgrade", "debug"}},
      {"kiwi.settled", {"auth"}},
      {"kiwi.users", {"acl|load"}},
  };
  const auto made =
      std::ranges::find_if(kMade, [&](const Made& each) { return each.name == row.name; });
  return made == std::end(kMade) ? std::span<const std::string_view>() : made->of;
}

bool may_run(const Selector& selector, const CommandSpec& row, Args argv) {
  if ((row.flags & kNoAuth) != 0) {
    return true;
  }
  if (!row.is_internal()) {
    return selector.commands().may_run(row, argv);
  }
  return std::ranges::any_of(said_for(row), [&](std::string_view name) {
    const CommandSpec* said = name.empty() ? nullptr : command_named(name, kAnyVersion);
    // Which of its first words it was nobody knows here: one that is allowed is enough.
    return said != nullptr &&
           ((said->flags & kNoAuth) != 0 || selector.commands().may_run_some(*said));
  });
}

Verdict check_selector(const Selector& selector, const CommandSpec& row, Args argv) {
  if (!may_run(selector, row, argv)) {
    return {Denied::kCommand, 0};
  }
  const size_t in_front = words_in_front(row);
  if (in_front != 0 && argv.size() > in_front) {  // what it is about must be allowed, too
    const Args inside = argv.subspan(in_front);
    const CommandSpec* about = resolve_command(inside, kAnyVersion).row;
    if (about == nullptr || words_in_front(*about) != 0) {
      return {};  // refused for that, whoever asks
    }
    Verdict verdict = check_selector(selector, *about, inside);
    verdict.position += verdict.allowed() ? 0 : in_front;
    return verdict;
  }
  const Verdict keys = check_keys(selector, row, argv);
  return keys.allowed() ? check_channels(selector, row, argv) : keys;
}

}  // namespace

Verdict check(const User& user, const CommandSpec& row, Args argv) {
  CHECK_INVARIANT(!argv.empty() && !user.selectors().empty());
  Verdict worst{Denied::kCommand, 0};
  for (const Selector& selector : user.selectors()) {
    const Verdict now = check_selector(selector, row, argv);
    if (now.allowed()) {
      return now;
    }
    if (now.denied > worst.denied ||
        (now.denied == worst.denied && now.position > worst.position)) {
      worst = now;
    }
  }
  return worst;
}

bool may_read_any_key(const User& user, const CommandSpec& row, Args argv) {
  return std::ranges::any_of(user.selectors(), [&](const Selector& selector) {
    return selector.may_use_any_key(kReads) && check_selector(selector, row, argv).allowed();
  });
}

bool may_use_channel(const User& user, std::string_view name, bool literal) {
  return std::ranges::any_of(user.selectors(), [&](const Selector& selector) {
    return selector.may_use_channel(name, literal);
  });
}

std::string refusal_text(Denied denied, const CommandSpec& row) {
  switch (denied) {
    case Denied::kCommand:
      return texts::no_permission_to_run(row.name);
    case Denied::kKey:
      return std::string(texts::kNoPermissionKeys);
    case Denied::kChannel:
      return std::string(texts::kNoPermissionChannels);
    case Denied::kNothing:
    case Denied::kLogin:
      break;
  }
  CHECK_INVARIANT(false);
  return {};
}

std::string refusal_in_block(Denied denied) {
  return texts::rules_changed(
      denied == Denied::kCommand ? "no permission to execute the command or subcommand"
      : denied == Denied::kKey   ? "no permission to touch the specified keys"
                                 : "no permission to access one of the channels used as "
                                   "arguments");
}

std::string_view refusal_in_script(Denied denied) {
  return denied == Denied::kCommand
             ? "ERR The user executing the script can't run this command or subcommand"
         : denied == Denied::kKey ? "ERR The user executing the script can't access at least one "
                                    "of the keys mentioned in the command arguments"
                                  : "ERR The user executing the script can't publish to the "
                                    "channel mentioned in the command";
}

}  // namespace kiwi::resp::acl
