// CONFIG GET, SET, REWRITE, RESETSTAT, HELP; the options themselves: config/options.def.
#include <array>

#include "config/base/sha256.hpp"
#include "config/cluster_settings.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

// It is the password of the cluster's default user.
bool names_password(Args names_and_values) {
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    if (same_word(names_and_values[i], "requirepass")) {
      return true;
    }
  }
  return false;
}

}  // namespace kiwi::resp

namespace kiwi::resp::commands {

namespace {

constexpr std::string_view kPasswordOption = "requirepass";

// Checked here for the sake of the texts, and again where it is applied. The answer is the write's.
void set_for_the_cluster(Session& session, Args words, ReplyWriter& reply) {
  const NodeContext& node = session.state().node;
  const auto settings = config::settings_to_propose(node.options, words, node.cluster_version);
  if (!settings) {
    return reply.error("ERR " + settings.error().text);
  }
  std::vector<std::string_view> argv{"kiwi.setting"};
  for (const config::Setting& setting : *settings) {
    argv.push_back(setting.name);
    argv.push_back(setting.value);
  }
  session.state().forward_write(argv);
}

// The first name of a tls option; empty: there is none.
std::string_view first_tls_option(Args names_and_values) {
  constexpr std::string_view kPrefix = "tls-";
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    if (same_word(names_and_values[i].substr(0, kPrefix.size()), kPrefix)) {
      return names_and_values[i];
    }
  }
  return {};
}

// Of the default user, and so the whole cluster's. No plain password leaves this node.
void set_password(Session& session, std::string_view password, ReplyWriter& reply) {
  Session::State& s = session.state();
  if (!s.node.accounts.seeded() && s.node.accounts.says_something()) {
    return reply.error(texts::kUsersComing);
  }
  if (password.empty()) {
    return s.forward_write(std::array<std::string_view, 1>{"kiwi.password"});
  }
  const std::string hash = sha256_hex(password);
  s.forward_write(std::array<std::string_view, 2>{"kiwi.password", hash});
}

// The first name of an option that protects the links to other nodes; empty: there is none.
std::string_view first_of_links(Args names_and_values) {
  for (size_t i = 0; i < names_and_values.size(); i += 2) {
    for (const std::string_view prefix : {"raft.tls-", "raft.cluster-secret"}) {
      if (same_word(names_and_values[i].substr(0, prefix.size()), prefix)) {
        return names_and_values[i];
      }
    }
  }
  return {};
}

}  // namespace

void config_get(Session& session, Args args, ReplyWriter& reply) {
  const Session::State& s = session.state();
  auto found = config::get(s.node.options, args.subspan(2));
  reply.map(found.size());
  for (const auto& [name, value] : found) {
    reply.bulk(name);
    if (name == "cluster-enabled") {  // as this connection sees it
      reply.bulk(s.info.face == Face::kCluster ? "yes" : "no");
    } else {
      reply.bulk(value);
    }
  }
}

void config_set(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  const Args words = args.subspan(2);
  if (words.size() == 2 && same_word(words[0], kPasswordOption)) {
    return set_password(session, words[1], reply);
  }
  const config::Whose whose = config::whose_options(words);
  if (whose == config::Whose::kCluster) {
    return set_for_the_cluster(session, words, reply);
  }
  config::Options changed = node.options;
  if (Result<void> done = config::set(changed, words); !done) {
    return reply.error("ERR " + done.error().text);
  }
  const bool password = names_password(words);
  if (whose == config::Whose::kBoth || password) {
    return reply.error(texts::kMixedSettings);
  }
  if (const std::string_view name = config::protected_option(words);
      !name.empty() && !session.state().is_let(node.options.enable_protected_configs)) {
    return reply.error("ERR CONFIG SET failed (possibly related to argument '" + std::string(name) +
                       "') - can't set protected config");
  }
  if (const std::string_view name = first_tls_option(words); !name.empty()) {
    if (Result<void> loaded = node.reload_tls(changed); !loaded) {
      return reply.error("ERR CONFIG SET failed (possibly related to argument '" +
                         std::string(name) +
                         "') - Unable to update TLS configuration: " + loaded.error().text);
    }
  }
  if (const std::string_view name = first_of_links(words); !name.empty()) {
    if (Result<void> secured = node.secure_links(changed); !secured) {
      static_cast<void>(node.reload_tls(node.options));  // it goes on as before, too
      return reply.error("ERR CONFIG SET failed (possibly related to argument '" +
                         std::string(name) + "') - " + secured.error().text);
    }
  }
  node.options = std::move(changed);
  node.options_changed();
  reply.ok();
}

void config_rewrite(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  if (node.options.config_file.empty()) {
    return reply.error("ERR The server is running without a config file");
  }
  node.admin.rewrite_config([later = session.state().defer()](const AdminAnswer& answer) {
    later.answer([&answer](ReplyWriter& writer) {
      answer.error.empty() ? writer.ok() : writer.error(answer.error);
    });
  });
}

void config_resetstat(Session& session, Args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  node.metrics.reset();
  node.measures.reset();
  reply.ok();
}

void config_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "GET <pattern>",
      "    Return parameters matching the glob-like <pattern> and their values.",
      "SET <directive> <value>",
      "    Set the configuration <directive> to <value>.",
      "RESETSTAT",
      "    Reset statistics reported by the INFO command.",
      "REWRITE",
      "    Rewrite the configuration file.",
  };
  reply_help(reply, "CONFIG", kLines);
}

}  // namespace kiwi::resp::commands
