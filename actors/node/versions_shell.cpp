#include "actors/node/versions_shell.hpp"

#include <algorithm>
#include <utility>

#include "actors/node/storage.hpp"
#include "config/base/log.hpp"
#include "config/version.hpp"
#include "raft/codec.hpp"
#include "resp/batch.hpp"
#include "resp/members_digest.hpp"
#include "resp/types/settings.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kProposeAgainMs = 2000;  // what was lost; a duplicate is refused by the state

}  // namespace

VersionsShell::VersionsShell(NodeParts& node, const PeersShell& peers)
    : node_(node),
      peers_(peers),
      own_(config::settings_to_seed(node.options, config::kClusterVersionMax)),
      own_version_(node.options.cluster_version),
      raise_(node.options.raft_upgrade_after, kProposeAgainMs) {}

void VersionsShell::fill(resp::Admin& admin) {
  admin.upgrade_refusal = [this] { return sentence(may_raise(facts())); };
  admin.members_digest = [this] { return members_digest(); };
}

std::string VersionsShell::members_digest() const {
  return resp::members_digest(raft::encode_configuration(node_.facts.latest));
}

RaiseFacts VersionsShell::facts() const {
  const Build& build = node_.facts.build;
  return {build.cluster_version, build.cluster_version_max, peers_.versions()};
}

void VersionsShell::settings_applied() {
  const resp::Settings& settings = node_.storage->executor().settings();
  for (const auto& [name, value] : settings.values()) {
    config::take_setting(node_.options, {name, value});  // what only the state knows stays there
  }
  const uint32_t version = settings.cluster_version();
  if (std::exchange(node_.facts.build.cluster_version, version) != version && version != 1) {
    log_notice("the cluster is at version " + std::to_string(version) +
               "; builds that do not support it can be members no more");
  }
  node_.options.cluster_version = version;
  node_.context.cluster_version = version;
  if (settings.seeded() && !std::exchange(said_ignored_, true)) {
    say_what_is_ignored();
  }
}

// A value that is the default may not have been written anywhere, so it goes without a word.
void VersionsShell::say_what_is_ignored() {
  const resp::Settings::Values& values = node_.storage->executor().settings().values();
  const std::vector<config::Setting> defaults =
      config::settings_to_seed(config::Options(), config::kClusterVersionMax);
  for (const config::Setting& own : own_) {
    const auto applied = values.find(own.name);
    const bool differs = applied != values.end() && applied->second != own.value;
    if (differs && std::ranges::find(defaults, own) == defaults.end()) {
      log_warning(own.name + " " + own.value + " of this node's options is ignored: the cluster " +
                  "has " + applied->second + " for all nodes; CONFIG SET changes it");
    }
  }
  if (own_version_ != 1 && own_version_ != node_.options.cluster_version) {
    log_warning("cluster-version " + std::to_string(own_version_) +
                " of this node's options is ignored: the cluster is at version " +
                std::to_string(node_.options.cluster_version) + "; RAFT.UPGRADE raises it");
  }
}

void VersionsShell::timer() {
  const bool leads = node_.facts.leads() && node_.facts.raft.ready &&
                     node_.context.status.service == resp::Service::kUp;
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (leads) {
    seed(now_ms);
  }
  const RaiseFacts now = leads ? facts() : RaiseFacts();
  if (leads && node_.options.raft_auto_upgrade) {
    say_what_it_waits_for(may_raise(now));
  }
  if (raise_.look(leads, node_.options.raft_auto_upgrade, now, now_ms)) {
    const std::string next = std::to_string(now.present + 1);
    log_notice("all members support cluster version " + next + ": it is taken");
    propose({"kiwi.setting", config::kClusterVersionSetting, next, members_digest()});
  }
}

// Once for each node in a row: a member that comes and goes is in the log anyway.
void VersionsShell::say_what_it_waits_for(const RaiseOutcome& outcome) {
  if (outcome.refusal == RaiseRefusal::kTooOld &&
      std::exchange(waits_for_, outcome.about) != outcome.about) {
    log_notice("cluster version " + std::to_string(outcome.present + 1) + " waits for node " +
               std::to_string(outcome.about.value) + ", whose build supports versions up to " +
               std::to_string(outcome.highest) + " only");
  }
}

void VersionsShell::seed(int64_t now_ms) {
  if (node_.storage->executor().settings().seeded() || now_ms < next_seed_ms_) {
    return;
  }
  next_seed_ms_ = now_ms + kProposeAgainMs;
  std::vector<std::string_view> argv{"kiwi.seed"};
  const auto settings =
      config::settings_to_seed(node_.options, node_.storage->executor().cluster_version());
  for (const config::Setting& setting : settings) {
    argv.push_back(setting.name);
    argv.push_back(setting.value);
  }
  propose(argv);
}

void VersionsShell::propose(const std::vector<std::string_view>& argv) const {
  InternalProposal proposal;
  resp::pack_command(proposal.packed_command, 0, argv);
  caf::anon_send(node_.router_actor, std::move(proposal));
}

}  // namespace kiwi::actors
