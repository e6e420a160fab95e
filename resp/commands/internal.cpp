// Commands that no client may send.
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "config/setting.hpp"
#include "resp/context.hpp"
#include "resp/members_digest.hpp"
#include "resp/mutants.hpp"
#include "resp/numbers.hpp"
#include "resp/types/reclaim.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp::commands {

// kiwi.expire most: what is due at the entry's stamp goes, so many keys and fields at most
// (types/reclaim.hpp). Proposed by the leader while something is due (F8).
void expire_due(Context& context, Args args, ReplyWriter& reply) {
  const auto most = parse_integer(args[1]);
  if (!most || *most < 1) {
    return reply.error(texts::kNotInteger);
  }
  constexpr int64_t kAheadMs = 60'000;  // of a mutant: by a clock that is not the entry's
  const int64_t now_ms = context.now_ms() + (mutant(Mutant::kExpireUnconditional) ? kAheadMs : 0);
  context.count_expire_command();  // the leader waits for it, whatever becomes of it
  try {
    const Reclaimed done = reclaim(context.state(), now_ms, static_cast<uint64_t>(*most));
    context.count_expired(done.keys, done.fields);
  } catch (const TooMuchForOneEntry&) {  // no client hears of it, so it has to be in the log
    throw std::runtime_error("what is due is too much for one entry, and stays in the state");
  }
  reply.ok();
}

namespace {

// All of them or none. nullopt: one of them is none.
std::optional<std::vector<config::Setting>> settings_in(Context& context, Args args) {
  std::vector<config::Setting> settings;
  const uint32_t version = context.state().settings().cluster_version();
  for (size_t at = 1; at + 1 < args.size(); at += 2) {
    auto setting = config::setting_of(args[at], args[at + 1], version);
    if (!setting) {
      return std::nullopt;
    }
    settings.push_back(std::move(*setting));
  }
  return args.size() % 2 == 1 ? std::optional(std::move(settings)) : std::nullopt;
}

std::string members_now(Context& context) {
  std::string key;
  rocks::keys::configuration_record(key);
  rocks::Writer& state = context.state().effects().writer();
  return members_digest(state.get(rocks::Family::kSystem, key).value_or(std::string_view()));
}

// `members`: who was asked (members_digest.hpp). A raise may come twice, by hand and by itself.
void raise_cluster_version(Context& context,
                           std::string_view version,
                           std::string_view members,
                           ReplyWriter& reply) {
  Settings& settings = context.state().settings();
  const int64_t present = settings.cluster_version();
  const std::optional<int64_t> wanted = parse_integer(version);
  if (wanted == present) {
    return reply.ok();
  }
  if (wanted != present + 1) {
    return reply.error(texts::kVersionRefused);
  }
  if (members != members_now(context)) {
    return reply.error(texts::kMembersChanged);
  }
  settings.raise_cluster_version();
  reply.ok();
}

}  // namespace

// kiwi.setting (name value)+: what CONFIG SET of cluster settings becomes. Or, alone:
// kiwi.setting cluster-version N members. The session, or the leader, checked it against what it
// knew; here the state decides, on every node alike.
void set_cluster_setting(Context& context, Args args, ReplyWriter& reply) {
  Settings& settings = context.state().settings();
  if (args.size() == 4 && args[1] == config::kClusterVersionSetting) {
    return raise_cluster_version(context, args[2], args[3], reply);
  }
  const auto wanted = settings_in(context, args);
  if (!wanted) {
    return reply.error(texts::kSettingRefused);
  }
  for (const config::Setting& setting : *wanted) {
    settings.put(setting.name, setting.value);
  }
  context.state().choose_events();  // of the commands behind it in this entry, too
  reply.ok();
}

// kiwi.seed (name value)*: what the options of the first leader say. Only the first in the log
// counts.
void seed_cluster_settings(Context& context, Args args, ReplyWriter& reply) {
  Settings& settings = context.state().settings();
  if (settings.seeded()) {
    return reply.error(texts::kSeededBefore);
  }
  const auto wanted = settings_in(context, args);
  if (!wanted) {
    return reply.error(texts::kSettingRefused);
  }
  for (const config::Setting& setting : *wanted) {
    if (!settings.values().contains(setting.name)) {  // CONFIG SET may have been quicker
      settings.put(setting.name, setting.value);
    }
  }
  settings.seed();
  reply.ok();
}

#ifdef KIWI_TEST_COMMANDS
// Writes key, then fails like a command with a bug in it (F30).
void fail_after_write(Context& context, Args args, ReplyWriter& reply) {
  for (std::string_view name : args.subspan(1)) {
    Key key = context.find(name);
    context.set_string(key, "half a command", 1);
    context.state().flush(context.database());
    reply.integer(1);
  }
  throw std::logic_error("kiwi.test.fail");
}

Route test_store_route(Args args) { return args.size() > 2 ? Route::kWrite : Route::kRead; }

// kiwi.test.store key [STORE destination]
void test_store(Context& context, Args args, ReplyWriter& reply) {
  Key from = context.read(args[1]);
  const std::string value(from.live ? from.meta.value : "");
  if (args.size() == 2) {
    return reply.bulk(value);
  }
  Key to = context.find(args[3]);
  context.set_string(to, value, 0);
  reply.ok();
}
#endif

}  // namespace kiwi::resp::commands
