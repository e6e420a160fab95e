// One node's executor over a keyspace of the test's choice, with a log that the test writes entry
// by entry. run() says one command like a client of this node and gives back its RESP bytes.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raft/codec.hpp"
#include "resp/command.hpp"
#include "resp/executor.hpp"
#include "resp/members_digest.hpp"
#include "tests/support/memory_keyspace.hpp"

namespace kiwi::resp {

inline Incarnation incarnation_of(uint8_t n) {
  Incarnation incarnation;
  incarnation.bytes.fill(n);
  return incarnation;
}

inline std::string packed(const std::vector<std::string>& argv, uint32_t database = 0) {
  std::vector<std::string_view> views(argv.begin(), argv.end());
  std::string out;
  pack_command(out, database, views);
  return out;
}

inline SharedBytes payload_of(const std::vector<std::string>& packed_commands) {
  BatchBuilder builder;
  for (const std::string& command : packed_commands) {
    builder.add(command);
    if (static_cast<PackedKind>(command.front()) == PackedKind::kOfUser) {
      builder.set_acl_version(kUnchecked);
    }
  }
  return builder.take();
}

// What the leader would propose at that time; empty: nothing is due.
inline std::string due_expirations(Executor& executor, int64_t now_ms, uint64_t most) {
  return executor.due_since(now_ms) ? Executor::expire_command(most) : std::string();
}

// Entries as a leader would make them: contiguous, stamps that never go back.
struct Log {
  LogIndex last;
  Term term{1};
  int64_t stamp_ms = 1'000'000;
  uint64_t seed = 7;
  std::vector<raft::Entry> entries;
  std::string configuration;  // the last one, encoded

  // The command that raises the cluster's version, judged by the members of now.
  std::vector<std::string> raise_to(const std::string& version) const {
    return {"kiwi.setting", "cluster-version", version, members_digest(configuration)};
  }
  raft::Entry& add(raft::EntryKind kind, SharedBytes payload = {}) {
    raft::Entry entry;
    entry.index = ++last;
    entry.term = term;
    entry.kind = kind;
    entry.stamp_ms = stamp_ms;
    entry.seed = seed++;
    entry.payload = std::move(payload);
    return entries.emplace_back(std::move(entry));
  }
  raft::Entry& members(const std::vector<raft::Member>& members) {
    raft::Configuration now;
    now.members = members;
    for (const raft::Member& member : members) {
      now.voters.push_back(member.id);
    }
    configuration = raft::encode_configuration(now);
    return add(raft::EntryKind::kConfiguration, SharedBytes(configuration));
  }
  raft::Entry& batch(const raft::ProposalNumber& number,
                     const std::vector<std::string>& commands,
                     raft::EntryKind kind = raft::EntryKind::kBatch) {
    raft::Entry& entry = add(kind, payload_of(commands));
    entry.number = number;
    return entry;
  }
};

inline raft::Member member(uint64_t id, uint8_t life = 0) {
  return {NodeId{id}, incarnation_of(life != 0 ? life : static_cast<uint8_t>(id)), "", ""};
}

class Node {
 public:
  explicit Node(rocks::Keyspace& keyspace, ExecutorOptions options = {})
      : executor_(keyspace, own(options)) {}

  static ExecutorOptions own(ExecutorOptions options) {
    options.node = NodeId{1};
    options.incarnation = incarnation_of(1);
    options.epoch = options.epoch != 0 ? options.epoch : 1;
    return options;
  }

  Executor& executor() { return executor_; }
  Log& log() { return log_; }
  int64_t& clock() { return log_.stamp_ms; }
  int version = 2;
  uint32_t database = 0;

  void start() {  // a cluster of this node and node 2
    log_.members({member(1), member(2)});
    deliver();
  }
  raft::ProposalNumber next_number() { return {NodeId{1}, incarnation_of(1), epoch_, ++sequence_}; }
  // Hands over what the log gained and works until nothing is left.
  ExecutorEffects deliver() {
    executor_.apply(std::exchange(log_.entries, {}));
    while (executor_.work() || executor_.held()) {
    }
    return executor_.take_effects();
  }

  std::string write(const std::string& packed_command) {
    auto batch = std::make_shared<PendingBatch>();
    raft::ProposalNumber number = next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, 0}, RequestKind::kWrite, static_cast<uint8_t>(version), {}});
    executor_.expect(batch);
    log_.batch(number, {packed_command});
    return bytes_of(deliver());
  }
  ExecutorEffects read_effects(const std::string& packed_command,
                               RequestKind kind = RequestKind::kRead,
                               int64_t now_ms = 0,
                               bool clamped = false) {
    ReadBatch batch;
    batch.id = ++reads_;
    batch.index = executor_.applied();
    batch.now_ms = now_ms;
    batch.clamped = clamped;
    batch.ops.push_back({{1, 0}, kind, static_cast<uint8_t>(version), packed_command});
    executor_.run_reads(std::move(batch));
    return deliver();
  }
  static std::string bytes_of(const ExecutorEffects& effects) {
    return effects.replies.empty() ? std::string("(no reply)") : effects.replies[0].bytes;
  }

  // One command, the way its row says.
  std::string run(const std::vector<std::string>& argv) {
    const std::vector<std::string_view> words(argv.begin(), argv.end());
    const CommandSpec* row = resolve_command(words, kAnyVersion).row;
    const bool writes = row == nullptr || route_of(*row, words) == Route::kWrite;
    return writes ? write(packed(argv, database))
                  : bytes_of(read_effects(packed(argv, database), RequestKind::kRead, clock()));
  }
  // Words separated by one space.
  std::string operator()(const std::string& words) {
    std::vector<std::string> argv(1);
    for (char c : words) {
      if (c == ' ') {
        argv.emplace_back();
      } else {
        argv.back().push_back(c);
      }
    }
    return run(argv);
  }
  std::vector<WatchToken> watch(const std::vector<std::string>& keys) {
    std::vector<std::string> argv{"watch"};
    argv.insert(argv.end(), keys.begin(), keys.end());
    ExecutorEffects effects = read_effects(packed(argv, database), RequestKind::kWatch, clock());
    return effects.replies.at(0).tokens;
  }
  std::string exec(const std::vector<WatchToken>& tokens,
                   const std::vector<std::vector<std::string>>& commands) {
    std::vector<std::string> inner;
    for (const auto& argv : commands) {
      inner.push_back(packed(argv, database));
    }
    std::string transaction;
    pack_transaction(transaction, database, tokens, inner);
    return write(transaction);
  }

 private:
  Executor executor_;
  Log log_;
  uint64_t epoch_ = 1;
  uint64_t sequence_ = 0;
  uint64_t reads_ = 0;
};

}  // namespace kiwi::resp
