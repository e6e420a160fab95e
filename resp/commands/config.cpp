// CONFIG GET, SET, REWRITE, RESETSTAT, HELP; the options themselves: config/options.def.
#include "config/cluster_settings.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

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
  auto found = config::get(session.state().node.options, args.subspan(2));
  reply.map(found.size());
  for (const auto& [name, value] : found) {
    reply.bulk(name);
    reply.bulk(value);
  }
}

void config_set(Session& session, Args args, ReplyWriter& reply) {
  NodeContext& node = session.state().node;
  const Args words = args.subspan(2);
  const config::Whose whose = config::whose_options(words);
  if (whose == config::Whose::kCluster) {
    return set_for_the_cluster(session, words, reply);
  }
  config::Options changed = node.options;
  if (Result<void> done = config::set(changed, words); !done) {
    return reply.error("ERR " + done.error().text);
  }
  if (whose == config::Whose::kBoth) {
    return reply.error(texts::kMixedSettings);
  }
  if (const std::string_view name = first_of_links(words); !name.empty()) {
    if (Result<void> secured = node.secure_links(changed); !secured) {
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
