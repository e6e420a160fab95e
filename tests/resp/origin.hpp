// A node whose clients wait in blocking commands, over a keyspace and a log of the test's choice.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/resp/keyspaces.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

// A node whose clients wait, and what they were answered.
class Origin {
 public:
  explicit Origin(rocks::Keyspace& keyspace) : node(keyspace) { node.start(); }

  Node node;
  std::map<ConnectionId, std::string> replies;
  std::vector<Serve> serves;  // asked for, not proposed

  static std::vector<std::string> words(const std::string& line) {
    std::vector<std::string> argv(1);
    for (char c : line) {
      if (c == ' ') {
        argv.emplace_back();
      } else {
        argv.back().push_back(c);
      }
    }
    return argv;
  }
  void take(ExecutorEffects effects) {
    for (const ReplyBatch& batch : effects.replies) {
      for (const ReplyPart& part : batch.parts) {
        replies[batch.connection] += batch.bytes.substr(part.offset, part.size);
      }
    }
    serves.insert(serves.end(), effects.serves.begin(), effects.serves.end());
  }
  void ask(ConnectionId connection,
           const std::string& packed_command,
           RequestKind kind,
           int64_t until_ms = 0) {
    ReadBatch batch;
    batch.id = ++reads_;
    batch.index = node.executor().applied();
    batch.now_ms = node.clock();
    batch.ops.push_back({{connection, 1}, kind, 2, packed_command, until_ms});
    node.executor().run_reads(std::move(batch));
    take(node.deliver());
  }
  void block(ConnectionId connection, const std::string& line, int64_t until_ms = 0) {
    ask(connection, packed(words(line)), RequestKind::kBlocking, until_ms);
  }
  // As a client of another node.
  void elsewhere(const std::string& line) { elsewhere_as(words(line)); }
  void elsewhere_as(const std::vector<std::string>& argv) { elsewhere_packed(packed(argv)); }
  void elsewhere_in_block(const std::vector<std::vector<std::string>>& commands) {
    std::vector<std::string> inner;
    for (const auto& argv : commands) {
      inner.push_back(packed(argv));
    }
    std::string block;
    pack_transaction(block, 0, {}, inner);
    elsewhere_packed(block);
  }
  void elsewhere_packed(const std::string& command) {
    node.log().batch({NodeId{2}, incarnation_of(2), 1, ++elsewhere_}, {command});
    take(node.deliver());
  }
  // All serves that were asked for, as one batch of this node. Its number.
  raft::ProposalNumber expect_serves() {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = node.next_number();
    batch->sequence = number.sequence;
    commands_.clear();
    for (const Serve& serve : std::exchange(serves, {})) {
      batch->ops.push_back(
          {serve.to, RequestKind::kWrite, serve.resp_version, {}, 0, serve.waiter});
      commands_.push_back(serve.packed);
    }
    node.executor().expect(batch);
    return number;
  }
  void apply_serves(const raft::ProposalNumber& number,
                    raft::EntryKind kind = raft::EntryKind::kBatch) {
    node.log().batch(
        number, kind == raft::EntryKind::kBatch ? commands_ : std::vector<std::string>{}, kind);
    take(node.deliver());
  }
  void serve_all() { apply_serves(expect_serves()); }
  void clock(int64_t now_ms) {
    node.executor().set_clock(now_ms);
    take(node.deliver());
  }

 private:
  std::vector<std::string> commands_;
  uint64_t elsewhere_ = 0;
  uint64_t reads_ = 0;
};

struct Held {
  InMemory fixture;
  Origin origin{fixture.keyspace()};
};

inline std::string popped(const std::string& key, const std::string& element) {
  return "*2\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n$" +
         std::to_string(element.size()) + "\r\n" + element + "\r\n";
}

}  // namespace kiwi::resp
