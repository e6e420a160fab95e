// What ten clients say when they connect, on each face, and the signs in the answers by which they
// go on or give up: tests/resp/handshakes/CLIENT.FACE.txt, whose README says how to read them. Each
// runs as it is, and a byte at a time.
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/resp/three_nodes.hpp"

namespace kiwi::resp {
namespace {

namespace fs = std::filesystem;

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char escaped = text[++i];
    out += escaped == 'r' ? '\r' : escaped == 'n' ? '\n' : escaped;
  }
  return out;
}

struct Step {
  std::string sent;
  std::string begins;  // how the answer does
  bool data = false;   // it is asked of the data, which answers `begins`
  std::vector<std::string> has;
  std::vector<std::string> lacks;
};
struct Talk {
  std::string name;
  std::string face;
  bool other = false;  // another node is announced
  std::vector<Step> steps;
};

std::vector<Talk> read_talks(const fs::path& path) {
  constexpr std::string_view kData = "(data) ";
  std::ifstream in(path);
  REQUIRE(in.good());
  std::vector<Talk> talks;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') {
      continue;
    }
    const std::string_view rest = std::string_view(line).substr(2);
    if (line[0] == '-') {
      const size_t blank = rest.find(' ');
      REQUIRE(blank != rest.npos);
      const std::string_view words = rest.substr(blank + 1);
      talks.push_back({std::string(rest.substr(0, blank)),
                       std::string(words.substr(0, words.find(' '))),
                       words.ends_with(" other"),
                       {}});
      continue;
    }
    REQUIRE_FALSE(talks.empty());
    std::vector<Step>& steps = talks.back().steps;
    if (line[0] == '>') {
      steps.push_back({unescape(rest), "", false, {}, {}});
    } else if (line[0] == '<') {
      steps.back().data = rest.starts_with(kData);
      steps.back().begins = unescape(steps.back().data ? rest.substr(kData.size()) : rest);
    } else {
      (line[0] == '?' ? steps.back().has : steps.back().lacks).push_back(unescape(rest));
    }
  }
  return talks;
}

Face face_named(std::string_view name) {
  return name == "cluster"    ? Face::kCluster
         : name == "sentinel" ? Face::kSentinel
                              : Face::kStandalone;
}

// Node 2 of three that are well; node 1 leads. With a Sentinel, node 2 is announced.
struct Well : ThreeNodes {
  explicit Well(bool sentinel) {
    options.port = 7002;
    options.cluster_client_port = 8002;
    options.sentinel_port = sentinel ? 27002 : 0;
    context.status.raft.ready = true;
    for (const uint64_t id : {1, 3}) {
      LinkStatus& link = context.status.links[NodeId{id}];
      link.up = true;
      link.down_since_ms = -1;
      link.cluster_port = static_cast<uint16_t>(8000 + id);
      link.sentinel_port = sentinel ? static_cast<uint16_t>(27000 + id) : uint16_t{0};
    }
    context.master_names.configure("mymaster");
    context.advice = advise(context, context.status.raft);
  }
};

std::string say(TestClient& client, const std::string& bytes, bool byte_by_byte) {
  if (!byte_by_byte) {
    return client.send(bytes);
  }
  std::string answered;
  for (const char c : bytes) {
    answered += client.send(std::string(1, c));
  }
  return answered;
}

void check(TestClient& client, const Step& step, bool byte_by_byte) {
  CAPTURE(step.sent);
  std::string answered = say(client, step.sent, byte_by_byte);
  const std::vector<Request> forwarded = client.forwarded();
  if (step.data) {
    CHECK(answered.empty());
    REQUIRE(forwarded.size() == 1);
    CHECK(client.answer(forwarded[0].slot, step.begins) == step.begins);
    return;
  }
  CHECK(forwarded.empty());
  CHECK_FALSE(step.begins.empty());
  CHECK_MESSAGE(answered.starts_with(step.begins), answered);
  for (const std::string& sign : step.has) {
    CHECK_MESSAGE(answered.find(sign) != answered.npos, sign);
  }
  for (const std::string& sign : step.lacks) {
    CHECK_MESSAGE(answered.find(sign) == answered.npos, sign);
  }
}

void replay(const std::vector<Talk>& talks, bool sentinel, bool byte_by_byte) {
  Well node(sentinel);
  ConnectionId id = 10;
  for (const Talk& talk : talks) {
    CAPTURE(talk.name);
    node.context.announced = {talk.other ? NodeId{1} : NodeId{2}, 1, 0};
    TestClient client(node, ++id, face_named(talk.face));
    for (const Step& step : talk.steps) {
      check(client, step, byte_by_byte);
    }
  }
}

}  // namespace

TEST_SUITE("resp") {
  TEST_CASE("ten clients connect to each face and find the signs that they look for [P11]") {
    std::map<std::string, std::set<std::string>> faces;
    for (const fs::directory_entry& entry :
         fs::directory_iterator(std::string(KIWI_SOURCE_DIR) + "/tests/resp/handshakes")) {
      if (entry.path().extension() != ".txt") {
        continue;
      }
      const std::string stem = entry.path().stem().string();  // CLIENT.FACE
      CAPTURE(stem);
      const std::string face = stem.substr(stem.rfind('.') + 1);
      faces[stem.substr(0, stem.rfind('.'))].insert(face);
      const std::vector<Talk> talks = read_talks(entry.path());
      REQUIRE_FALSE(talks.empty());
      CHECK(talks.front().face == face);
      replay(talks, face == "sentinel", false);
      replay(talks, face == "sentinel", true);
    }
    CHECK(faces.size() == 10);
    for (const auto& [client, shown] : faces) {
      CAPTURE(client);
      CHECK(shown == std::set<std::string>{"cluster", "sentinel", "standalone"});
    }
  }
}

}  // namespace kiwi::resp
