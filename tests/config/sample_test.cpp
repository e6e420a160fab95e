#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include "config/options.hpp"

namespace kiwi::config {
namespace {

const std::string kConfigDir = std::string(KIWI_SOURCE_DIR) + "/config/";

TEST_SUITE("config") {
  TEST_CASE("config/kiwi.conf is what --print-config prints; if not, print it again") {
    std::ifstream file(kConfigDir + "kiwi.conf", std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    CHECK(text.str() == sample_config());
  }

  TEST_CASE("the sample file reads back as the defaults") {
    std::string path = kConfigDir + "kiwi.conf";
    const char* argv[] = {"kiwi-server", path.c_str()};
    auto options = parse_command_line(2, argv);
    REQUIRE_MESSAGE(options, (options ? "" : options.error().text));
    options->config_file.clear();
    CHECK(*options == Options{});
  }

  TEST_CASE("the three-node samples agree on the members and differ in who they are") {
    std::vector<Options> nodes;
    for (const char* name : {"three-nodes-1.conf", "three-nodes-2.conf", "three-nodes-3.conf"}) {
      std::string path = kConfigDir + name;
      const char* argv[] = {"kiwi-server", path.c_str()};
      auto options = parse_command_line(2, argv);
      REQUIRE_MESSAGE(options, (options ? "" : options.error().text));
      nodes.push_back(*options);
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      CHECK(nodes[i].raft_peers == nodes[0].raft_peers);
      CHECK(nodes[i].raft_peers.size() == 3);
      CHECK(nodes[i].node_id() == NodeId{i + 1});
      CHECK(nodes[i].client_address().port == nodes[i].port);
      CHECK(nodes[i].peer_address().port == nodes[i].peer_port());
      CHECK(nodes[i].raft_cluster_secret == nodes[0].raft_cluster_secret);
      CHECK(nodes[i].dir != nodes[(i + 1) % 3].dir);
    }
  }
}

}  // namespace
}  // namespace kiwi::config
