// Which options are the cluster's, and what their texts mean (C2).
#include "config/cluster_settings.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "config/limits.hpp"

namespace kiwi::config {
namespace {

using Words = std::vector<std::string_view>;

std::string proposed(const Words& words, uint32_t version = 1) {
  const Options options;
  const auto settings = settings_to_propose(options, words, version);
  if (!settings) {
    return settings.error().text;
  }
  std::string text;
  for (const Setting& setting : *settings) {
    text += setting.name + "=" + setting.value + ";";
  }
  return text;
}

TEST_SUITE("config") {
  TEST_CASE("options are told apart by whose they are, in any case of their names") {
    CHECK(is_cluster_setting("raft.auto-upgrade"));
    CHECK(is_cluster_setting("RAFT.AUTO-UPGRADE"));
    CHECK(is_cluster_setting("cluster-version"));
    CHECK_FALSE(is_cluster_setting("timeout"));
    CHECK_FALSE(is_cluster_setting("no-such-option"));
    CHECK(whose_options(Words{"timeout", "1", "loglevel", "debug"}) == Whose::kNode);
    CHECK(whose_options(Words{"active-expire", "no"}) == Whose::kCluster);
    CHECK(whose_options(Words{"timeout", "1", "active-expire", "no"}) == Whose::kBoth);
    CHECK(whose_options(Words{"active-expire", "no", "timeout", "1"}) == Whose::kBoth);
    CHECK(whose_options(Words{"nonsense", "1"}) == Whose::kNode);
  }

  TEST_CASE("what is proposed is checked in Redis' words and has one form") {
    CHECK(proposed({"Raft.Auto-Upgrade", "NO"}) == "raft.auto-upgrade=no;");
    CHECK(proposed({"raft.auto-upgrade", "no", "active-expire", "yes"}) ==
          "raft.auto-upgrade=no;active-expire=yes;");
    const std::string failed = "CONFIG SET failed (possibly related to argument '";
    CHECK(proposed({"active-expire", "maybe"}) ==
          failed + "active-expire') - argument must be 'yes' or 'no'");
    CHECK(proposed({"cluster-version", "2"}) ==
          failed + "cluster-version') - can't set immutable config");
    CHECK(proposed({"active-expire", "no", "ACTIVE-EXPIRE", "no"}) ==
          failed + "ACTIVE-EXPIRE') - duplicate parameter");
    CHECK(proposed({"active-expire"}) == "syntax error");
    CHECK(proposed({"active-expire", "no"}, 0) ==
          failed + "active-expire') - it needs cluster version 1, and this cluster is at 0");
  }

  TEST_CASE("apply takes a setting only in a version that has it [F35]") {
    CHECK(setting_of("active-expire", "No", 1) == Setting{"active-expire", "no"});
    CHECK(setting_of("active-expire", "no", 7).has_value());
    CHECK_FALSE(setting_of("active-expire", "no", 0).has_value());
    CHECK_FALSE(setting_of("active-expire", "2", 1).has_value());
    CHECK_FALSE(setting_of("timeout", "2", 1).has_value());
    CHECK_FALSE(setting_of("cluster-version", "2", 1).has_value());
    CHECK_FALSE(
        setting_of("active-expire", std::string(limits::kSettingBytes + 1, ' '), 1).has_value());
  }

  TEST_CASE("a cluster is seeded with every setting but its version") {
    Options options;
    options.raft_auto_upgrade = false;
    options.cluster_version = 9;
    const std::vector<Setting> seeds = settings_to_seed(options, 1);
    CHECK(std::ranges::count(seeds, Setting{"raft.auto-upgrade", "no"}) == 1);
    CHECK(std::ranges::count(seeds, Setting{"active-expire", "yes"}) == 1);
    CHECK(std::ranges::count(seeds, Setting{"lua-steps-max", "1000000000"}) == 1);
    CHECK(std::ranges::count(seeds, Setting{"sentinel-master-names", "mymaster"}) == 1);
    CHECK(std::ranges::count(seeds, Setting{"once-max-bytes", "268435456"}) == 1);
    CHECK(std::ranges::count(seeds, Setting{"acl-pubsub-default", "resetchannels"}) == 1);
    CHECK(seeds.size() == 10);
    for (const Setting& seed : seeds) {
      CHECK(setting_of(seed.name, seed.value, 1) == seed);
    }
    CHECK(settings_to_seed(options, 0).empty());
  }

  TEST_CASE("what the state says is what CONFIG GET shows") {
    Options options;
    CHECK(take_setting(options, {"active-expire", "no"}));
    CHECK(take_setting(options, {"cluster-version", "2"}));
    CHECK_FALSE(take_setting(options, {"of-a-later-build", "2"}));
    CHECK_FALSE(take_setting(options, {"timeout", "2"}));
    CHECK_FALSE(options.active_expire);
    CHECK(get(options, Words{"cluster-version"}).front().second == "2");
  }
}

}  // namespace
}  // namespace kiwi::config
