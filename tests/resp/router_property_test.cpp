// The router against a model of everything around it: three logs with elections, a leader that
// refuses, links that lose and delay, an executor with the session rule. Random inputs; whatever
// happens, what clients were told must be true.
#include <deque>
#include <optional>
#include <set>

#include "config/base/prng.hpp"
#include "tests/resp/router_harness.hpp"
#include "tests/resp/router_model.hpp"

namespace kiwi::resp {

namespace {

constexpr int kNodes = 3;
constexpr ConnectionId kClients = 5;

class World {
 public:
  explicit World(uint64_t seed) : prng_(seed), h_(options(seed)) {
    h_.router.set_service(Service::kUp, h_.now);
  }

  void run() {
    for (int i = 0; i < 3000; ++i) {
      step();
    }
    heal();
  }

 private:
  static RouterOptions options(uint64_t seed) {
    RouterOptions options = RouterHarness::default_options();
    options.group_commit_us = seed % 2 == 0 ? 0 : 200;
    options.read_gather_us = seed % 3 == 0 ? 0 : 100;
    options.batch_commands_max = seed % 2 == 0 ? 3 : 8;
    options.inflight_batches_max = 6;
    options.response_timeout_ms = 3000;
    return options;
  }

  void step() {
    switch (prng_.below(16)) {
      case 0:
      case 1:
      case 2:
        ask();
        break;
      case 3:
      case 4:
      case 5:
        deliver(false);
        break;
      case 6:
        replicate(static_cast<int>(prng_.below(kNodes)));
        break;
      case 7:
        replicate(0);
        break;
      case 8:
      case 9:
        apply();
        break;
      case 10:
        answer_rounds();
        break;
      case 11:
      case 12:
        run_reads();
        break;
      case 13:
        tick(static_cast<int64_t>(prng_.below(120)));
        break;
      case 14:
        if (prng_.chance(1, 6)) {
          elect(static_cast<int>(prng_.below(kNodes)));
        }
        break;
      default:
        rare();
        break;
    }
    absorb();
  }

  void rare() {
    switch (prng_.below(12)) {
      case 0:
        overloaded_ = !overloaded_;
        break;
      case 1:
        lead_none();
        break;
      case 4:
        h_.router.end_delay(Router::Waiting::kWrites, h_.now);
        h_.router.end_delay(Router::Waiting::kReads, h_.now);
        break;
      case 2:
        h_.router.link_up(NodeId{static_cast<uint64_t>(leader_ + 1)}, h_.now);
        break;
      case 3:
        tick(static_cast<int64_t>(prng_.below(4000)));
        break;
      default:
        h_.turn_needed = true;
        break;
    }
  }

  // ---- clients
  void ask() {
    ConnectionId c = 1 + prng_.below(kClients);
    std::vector<std::string> texts;
    for (uint64_t n = 1 + prng_.below(5); n > 0; --n) {
      uint64_t slot = h_.harness.slots[c] + texts.size() + 1;
      Asked asked;
      if (prng_.chance(1, 2)) {
        asked.kind = 'w';
        texts.push_back("w" + std::to_string(c) + " " + std::to_string(slot));
      } else {
        asked.kind = 'r';
        asked.subject = prng_.chance(1, 2) ? c : 1 + prng_.below(kClients);
        asked.must_see = acked_[asked.subject];
        texts.push_back("r" + std::to_string(asked.subject));
      }
      asked_[{c, slot}] = asked;
    }
    h_.harness.pipeline(c, texts);
  }

  void answered(ConnectionId c, uint64_t slot, const std::string& text) {
    Asked& asked = asked_.at({c, slot});
    CHECK_MESSAGE(asked.answer.empty(), "answered twice");
    asked.answer = text;
    if (asked.kind == 'w' && text == "+OK") {
      CHECK(applied_[c].count(slot) == 1);
      acked_[c].insert(slot);
    }
    if (text[0] == '-' && text.rfind("-TIMEOUT", 0) != 0) {
      CHECK_MESSAGE(applied_[c].count(slot) == 0, "refused but applied: ", text);
      refused_.insert({c, slot});
    }
  }

  // ---- what the router says
  void absorb() {
    if (h_.turn_needed || prng_.chance(1, 3)) {
      h_.harness.router.end_of_turn(h_.now);
      h_.turn_needed = false;
    }
    RouterEffects effects = h_.harness.take();
    for (auto& batch : effects.expect) {
      CHECK(batch->sequence == ++last_number_);  // contiguous
      expected_[batch->sequence] = batch;
    }
    for (raft::Proposal& proposal : effects.propose) {
      check_binding(proposal);
      if (leader_ >= 0 && !prng_.chance(1, 12)) {
        wire_.push_back({leader_, proposal});
      }
    }
    for (const ReadIndexAsk& asked : effects.read_index) {
      if (!prng_.chance(1, 8)) {
        rounds_.push_back({asked.id, leader_, term_, asked.with_tick});
      }
    }
    for (ReadBatch& batch : effects.run_reads) {
      reads_.push_back({std::move(batch), 0, {}, {}});
    }
    for (uint64_t sequence : effects.forget) {
      expected_.erase(sequence);
    }
    for (uint64_t id : effects.cancel_reads) {
      cancel(id);
    }
    for (const ReplyBatch& batch : effects.replies) {
      for (const ReplyPart& part : batch.parts) {
        std::string text = batch.bytes.substr(part.offset, part.size - 2);
        answered(batch.connection, part.slot, text);
      }
    }
  }

  void check_binding(const raft::Proposal& proposal) {
    auto [it, fresh] = content_.try_emplace(proposal.number.sequence, proposal.payload);
    bool is_void_now = proposal.kind == raft::EntryKind::kVoid;
    CHECK(proposal.number.sequence <= last_number_);
    if (voided_.count(proposal.number.sequence) != 0) {
      CHECK_MESSAGE(is_void_now, "sent again with content after void");
    }
    if (is_void_now) {
      CHECK(!fresh);
      voided_.insert(proposal.number.sequence);
    } else {
      CHECK_MESSAGE(it->second == proposal.payload, "a number's bytes changed");
    }
  }

  // ---- the leader: F3, F23
  void deliver(bool safely) {
    if (wire_.empty()) {
      return;
    }
    // A link keeps order, but two links do not know of each other.
    size_t pick = 0;
    if (!safely && prng_.chance(1, 4)) {
      pick = prng_.below(wire_.size());
      while (pick > 0 && wire_[pick - 1].first == wire_[pick].first) {
        --pick;
      }
    }
    auto [to, proposal] = wire_[pick];
    wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(pick));
    if (to != leader_) {
      return;
    }
    uint64_t n = proposal.number.sequence;
    if (!leader_ready()) {
      nack(raft::RefusalReason::kGap, n, 0);
      return;
    }
    bool is_void = proposal.kind == raft::EntryKind::kVoid;
    uint64_t tail = tail_of(logs_[leader_]);
    if (n <= tail) {
      return;
    }
    if (n > tail + 1) {
      nack(raft::RefusalReason::kGap, n, tail + 1);
      return;
    }
    if (!is_void && overloaded_ && !safely) {
      nack(raft::RefusalReason::kOverloaded, n, 0);
      return;
    }
    logs_[leader_].push_back(
        {term_, n, is_void, is_void ? std::vector<std::string>{} : commands_of(proposal.payload)});
  }
  void nack(raft::RefusalReason reason, uint64_t n, uint64_t expect) {
    if (!prng_.chance(1, 10)) {
      h_.harness.refuse(n, reason, expect);
    }
  }
  static uint64_t tail_of(const std::vector<LogEntry>& log) {
    uint64_t tail = 0;
    for (const LogEntry& entry : log) {
      tail = std::max(tail, entry.sequence);
    }
    return tail;
  }
  bool leader_ready() const {
    return leader_ >= 0 && commit_ > 0 && logs_[leader_][commit_ - 1].term == term_;
  }

  void replicate(int to) {
    if (leader_ < 0) {
      return;
    }
    logs_[to] = logs_[leader_];
    int copies = 0;
    for (const auto& log : logs_) {
      copies += log == logs_[leader_] ? 1 : 0;
    }
    if (copies * 2 > kNodes && logs_[leader_].back().term == term_) {
      bool was_ready = leader_ready();
      commit_ = logs_[leader_].size();
      CHECK(std::equal(committed_.begin(), committed_.end(), logs_[leader_].begin()));
      committed_ = logs_[leader_];
      if (!was_ready) {
        tell();
      }
    }
  }
  bool may_lead(int node) const {
    int votes = 0;
    for (const auto& log : logs_) {
      uint64_t theirs = log.empty() ? 0 : log.back().term;
      uint64_t own = logs_[node].empty() ? 0 : logs_[node].back().term;
      votes += own > theirs || (own == theirs && logs_[node].size() >= log.size()) ? 1 : 0;
    }
    return votes * 2 > kNodes;
  }
  void elect(int node) {
    if (!may_lead(node)) {
      return;
    }
    ++term_;
    leader_ = node;
    logs_[node].push_back({term_, 0, false, {}});
    tell();
  }
  void lead_none() {
    leader_ = -1;
    ++term_;
    tell();
  }
  void tell() {
    // A follower cannot see whether its leader is ready, only hear from it.
    bool ready = leader_ == 0 ? leader_ready() : leader_ > 0;
    h_.harness.lead(NodeId{static_cast<uint64_t>(leader_ + 1)}, term_, ready);
  }

  // ---- this node's state machine: the session rule and the reads between writes
  void apply() {
    if (applied_index_ >= commit_) {
      return;
    }
    const LogEntry entry = committed_[applied_index_++];
    if (entry.sequence == 0 || entry.sequence != row_ + 1) {
      return;
    }
    row_ = entry.sequence;
    std::shared_ptr<const PendingBatch> batch;
    if (auto it = expected_.find(entry.sequence); it != expected_.end()) {
      batch = std::move(it->second);
      expected_.erase(it);
    }
    if (entry.is_void) {
      h_.harness.settle(entry.sequence, false);
      absorb();  // its writes are answered now
    }
    size_t next = 0;
    for (const PendingOp& op : batch ? batch->ops : std::vector<PendingOp>{}) {
      if (op.kind != RequestKind::kWrite) {
        answer_read({op.to, op.kind, 2, op.packed});
      } else if (!entry.is_void) {
        execute(entry.commands.at(next++));
        answered(op.to.connection, op.to.slot, "+OK");
      }
    }
    for (; next < entry.commands.size(); ++next) {  // forgotten: silently
      execute(entry.commands[next]);
    }
    if (!entry.is_void) {
      h_.harness.settle(entry.sequence, true);
    }
  }
  void execute(const std::string& command) {
    size_t space = command.find(' ');
    ConnectionId c = std::stoull(command.substr(1, space - 1));
    uint64_t slot = std::stoull(command.substr(space + 1));
    CHECK_MESSAGE(applied_[c].insert(slot).second, "applied twice");
    CHECK_MESSAGE(refused_.count({c, slot}) == 0, "applied after a certain refusal");
  }
  void answer_read(const ReadOp& op) {
    ConnectionId c = op.to.connection;
    const Asked& asked = asked_.at({c, op.to.slot});
    const std::set<uint64_t>& seen = applied_[asked.subject];
    for (uint64_t slot : asked.must_see) {
      CHECK_MESSAGE(seen.count(slot) == 1, "a stale read");
    }
    if (asked.subject == c) {  // program order
      CHECK_MESSAGE((seen.empty() || *seen.rbegin() < op.to.slot), "a read of the future");
      for (uint64_t slot = 1; slot < op.to.slot; ++slot) {
        const Asked& earlier = asked_.at({c, slot});
        if (earlier.kind == 'w' && earlier.answer == "+OK") {
          CHECK(seen.count(slot) == 1);
        }
        CHECK_MESSAGE((earlier.kind != 'w' || !earlier.answer.empty() || seen.count(slot) == 1),
                      "a read before an earlier write was settled");
      }
    }
    CHECK_MESSAGE(in_order(asked_, c, op.to.slot, seen.size()), "reads overtook each other");
    answered(c, op.to.slot, ":" + std::to_string(seen.size()));
  }

  void answer_rounds() {
    if (rounds_.empty()) {
      return;
    }
    AskedRound round = rounds_.front();
    rounds_.pop_front();
    bool ok = round.leader == leader_ && round.term == term_ && leader_ready();
    if (!prng_.chance(1, 10)) {
      const bool clamped = !round.with_tick && prng_.chance(1, 2);
      h_.harness.router.read_ready({round.id, ok, false, LogIndex{ok ? commit_ : 0}, 0, clamped},
                                   h_.now);
    }
  }
  // A turn of the executor: the first batch that may run, or a part of it, as the executor does
  // when it is large. Of a clamped one a connection's reads may come back from some point on (F9).
  void run_reads() {
    for (auto it = reads_.begin(); it != reads_.end(); ++it) {
      ReadBatch& batch = it->batch;
      if (applied_index_ < batch.index.value) {
        continue;
      }
      while (it->next < batch.ops.size()) {
        if (prng_.chance(1, 4)) {
          return;  // the turn is full
        }
        ReadOp& op = batch.ops[it->next++];
        const ConnectionId c = op.to.connection;
        if (batch.clamped && (it->stopped.contains(c) || prng_.chance(1, 3))) {
          it->stopped.insert(c);
          it->again.push_back(std::move(op));
        } else {
          answer_read(op);
        }
      }
      const bool some_done = it->again.size() < batch.ops.size();
      ReadBatch again = std::move(batch);
      again.ops = std::move(it->again);
      const uint64_t id = again.id;
      reads_.erase(it);
      if (!again.ops.empty()) {
        h_.harness.router.reads_again(std::move(again), h_.now);
      }
      if (some_done) {
        h_.harness.router.reads_done(id, h_.now);
      }
      return;
    }
  }
  void cancel(uint64_t id) {
    for (auto it = reads_.begin(); it != reads_.end(); ++it) {
      if (it->batch.id == id && applied_index_ < it->batch.index.value) {
        for (const ReadOp& op : it->batch.ops) {
          answered(op.to.connection, op.to.slot, "-TIMEOUT no quorum for read");
        }
        reads_.erase(it);
        h_.harness.router.reads_done(id, h_.now);
        return;
      }
    }
  }
  void tick(int64_t ms) {
    h_.harness.now += ms;
    h_.harness.router.tick(h_.now);
  }

  // ---- the end: nothing fails any more; everybody must get an answer, and it must be true
  void heal() {
    overloaded_ = false;
    for (int node = 0; node < kNodes && (leader_ < 0 || !leader_ready()); ++node) {
      elect(node);
      replicate((node + 1) % kNodes);
    }
    for (int i = 0; i < 6000; ++i) {
      deliver(true);
      replicate((leader_ + 1) % kNodes);
      apply();
      answer_rounds();
      run_reads();
      if (i % 4 == 0) {
        tick(5);
      }
      h_.turn_needed = true;
      absorb();
    }
    size_t ok = 0;
    for (const auto& [who, asked] : asked_) {
      CHECK_MESSAGE(!asked.answer.empty(), "never answered: ", who.first, " slot ", who.second);
      ok += asked.answer[0] != '-' ? 1 : 0;
      if (asked.kind == 'w' && asked.answer == "+OK") {
        CHECK(applied_[who.first].count(who.second) == 1);
      }
    }
    CHECK(ok > 20);
    CHECK(h_.harness.router.status().pending_batches == 0);
    CHECK(h_.harness.router.status().waiting_reads == 0);
  }

  Prng prng_;
  Held h_;
  std::vector<LogEntry> logs_[kNodes];
  std::vector<LogEntry> committed_;
  int leader_ = -1;
  uint64_t term_ = 0;
  size_t commit_ = 0;
  size_t applied_index_ = 0;
  uint64_t row_ = 0;
  bool overloaded_ = false;
  std::deque<std::pair<int, raft::Proposal>> wire_;
  std::deque<AskedRound> rounds_;
  std::deque<StartedReads> reads_;
  std::map<uint64_t, std::shared_ptr<const PendingBatch>> expected_;
  uint64_t last_number_ = 0;
  std::map<uint64_t, SharedBytes> content_;
  std::set<uint64_t> voided_;
  AskedBySlot asked_;
  std::map<ConnectionId, std::set<uint64_t>> applied_;  // slots of writes, by connection
  std::map<ConnectionId, std::set<uint64_t>> acked_;
  std::set<std::pair<ConnectionId, uint64_t>> refused_;
};

}  // namespace

TEST_CASE("whatever happens, what clients were told is true [F3] [F5] [F6] [F23]") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    World(seed).run();
  }
}

}  // namespace kiwi::resp
