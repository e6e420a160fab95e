// Commands that count once, packed as sessions pack them; and two nodes of one log, of which the
// first is the origin of everything and the second of nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "resp/once_token.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

// `token`: as a client writes it.
inline std::string token_mark(const std::string& token, bool watched = false, uint8_t resp = 2) {
  const auto form = read_once_token(token);
  REQUIRE(form.has_value());
  std::string out;
  pack_once(out, {OnceMark::Form::kToken, *form, 0, 0, resp, watched});
  return out;
}

inline std::string once(const std::string& token,
                        const std::vector<std::string>& argv,
                        uint8_t resp = 2) {
  return token_mark(token, false, resp) + packed(argv);
}

inline std::string block_of(const std::vector<std::vector<std::string>>& commands,
                            const std::vector<WatchToken>& tokens = {}) {
  std::vector<std::string> inner;
  for (const auto& argv : commands) {
    inner.push_back(packed(argv));
  }
  std::string out;
  pack_transaction(out, 0, tokens, inner);
  return out;
}

inline std::string numbered(const std::string& producer,
                            uint64_t number,
                            uint64_t after,
                            const std::vector<std::string>& argv) {
  std::string out;
  pack_once(out, {OnceMark::Form::kProducer, producer, number, after, 2, false});
  return out + packed(argv);
}

class OnceNodes {
 public:
  explicit OnceNodes(const ExecutorOptions& options = {})
      : first(first_state, options), second(second_state, other(options)) {
    first.log().members({member(1), member(2)});
    deliver();
  }
  static ExecutorOptions other(const ExecutorOptions& options) {
    ExecutorOptions own = Node::own(options);
    own.node = NodeId{2};
    own.incarnation = incarnation_of(2);
    return own;
  }
  // As a client of the first node.
  std::string write(const std::string& command, uint8_t version = 2) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = first.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, 0}, RequestKind::kWrite, version, {}});
    first.executor().expect(batch);
    first.log().batch(number, {command});
    return Node::bytes_of(deliver());
  }
  std::string operator()(const std::string& token,
                         const std::vector<std::string>& argv,
                         uint8_t version = 2) {
    return write(once(token, argv, version), version);
  }
  std::string plain(const std::vector<std::string>& argv) { return write(packed(argv)); }
  std::string get(const std::string& key) { return first.run({"get", key}); }
  ExecutorEffects deliver() {
    second.apply(std::vector<raft::Entry>(first.log().entries));
    while (second.work()) {
    }
    second.take_effects();
    ExecutorEffects effects = first.deliver();
    CHECK(first.executor().state_checksum() == second.state_checksum());
    return effects;
  }

  rocks::MemoryKeyspace first_state;
  rocks::MemoryKeyspace second_state;
  Node first;
  Executor second;
};

}  // namespace kiwi::resp
