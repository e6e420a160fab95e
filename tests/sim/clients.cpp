#include "tests/sim/clients.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

constexpr int64_t kPatienceUs = 6'000'000;

constexpr OpKind kPlain[] = {OpKind::kSet,         OpKind::kGet,         OpKind::kGet,
                             OpKind::kIncrement,   OpKind::kIncrement,   OpKind::kPush,
                             OpKind::kPush,        OpKind::kRange,       OpKind::kSetExpiring,
                             OpKind::kGetExpiring, OpKind::kGetExpiring, OpKind::kSetForGood};
constexpr OpKind kHeaps[] = {OpKind::kStore, OpKind::kStore, OpKind::kStore, OpKind::kTake};
constexpr OpKind kQueues[] = {OpKind::kEnqueue, OpKind::kDequeue};
constexpr OpKind kLooks[] = {OpKind::kGet, OpKind::kGet, OpKind::kLook, OpKind::kRange};
constexpr OpKind kDeadlines[] = {OpKind::kLend,     OpKind::kLend,       OpKind::kLend,
                                 OpKind::kKeep,     OpKind::kLook,       OpKind::kLook,
                                 OpKind::kLook,     OpKind::kLookExists, OpKind::kLookTtl,
                                 OpKind::kPersist,  OpKind::kPersist,    OpKind::kProlong,
                                 OpKind::kReplace,  OpKind::kTouch,      OpKind::kReplaceFor,
                                 OpKind::kExchange, OpKind::kTouchKeep};

}  // namespace

void Clients::start(size_t count) {
  clients_.resize(count + 1);  // the last one asks everything in the end
  for (size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].id = i + 1;
    if (i < count) {
      again(clients_[i], static_cast<int64_t>(world_.prng.below(600'000)));
    }
  }
}

bool Clients::idle() const {
  for (const Client& client : clients_) {
    if (!client.waiting.empty() || client.swapping || !client.repeats.empty()) {
      return false;
    }
  }
  return true;
}

// Whoever was refused for long has many operations to repeat. An overloaded cluster answers each of
// them with a refusal, and each refusal costs its leader an empty entry: it would come to rest, but
// late. So most are given up.
void Clients::stop() {
  constexpr size_t kRepeatsAtRest = 8;
  stopping_ = true;
  for (Client& client : clients_) {
    while (client.repeats.size() > kRepeatsAtRest) {
      Op& op = history_.ops[client.repeats.back()];
      client.repeats.pop_back();
      if (op.fate == Fate::kPending) {
        op.fate = op.maybe ? Fate::kUnknown : Fate::kFailed;
        op.returned_us = op.maybe ? kNever : world_.timeline.now_us();
      }
    }
  }
}

size_t Clients::count(Fate fate) const {
  size_t n = 0;
  for (const Op& op : history_.ops) {
    n += op.fate == fate ? 1 : 0;
  }
  return n;
}

// ---------------------------------------------------------------- connections

void Clients::connect(Client& client) {
  std::vector<Node*> up;
  for (auto& node : world_.nodes) {
    if (node->running() && node->id() != mood.avoid) {
      up.push_back(node.get());
    }
  }
  if (up.empty()) {
    return;
  }
  if (const NodeId visits = std::exchange(client.visits, {}); visits) {
    const Node* node = world_.find(visits);
    if (node != nullptr && node->running()) {
      client.node = visits;
      open(client);
      client.visiting = true;
      return;
    }
  }
  client.node = up[world_.prng.below(up.size())]->id();
  const Node* focus = world_.find(mood.focus);
  if (focus != nullptr && focus->running() && world_.prng.chance(mood.focus_percent, 100)) {
    client.node = mood.focus;
  }
  open(client);
}

void Clients::open(Client& client) {
  client.connection = ++last_connection_;
  client.slot = 0;
  by_connection_[client.connection] = client.id - 1;
}

void Clients::hang_up(Client& client) {
  by_connection_.erase(client.connection);
  if (Node* node = world_.find(client.node); node != nullptr && node->running()) {
    node->close(client.connection);
  }
  client.connection = 0;
  client.visiting = false;
  client.swapping = false;
  client.watch_slot = 0;
  client.timed_out.clear();
  for (const auto& [slot, op] : std::exchange(client.waiting, {})) {
    if (history_.ops[op].kind == OpKind::kOncePush) {
      history_.ops[op].maybe = true;
      client.repeats.push_back(op);
      continue;
    }
    // Cut off: nobody knows. A read certainly changed nothing.
    history_.ops[op].fate = is_read(history_.ops[op].kind) ? Fate::kFailed : Fate::kUnknown;
  }
  final_waiting_ -= std::exchange(client.final_waiting, {}).size();
}

void Clients::node_crashed(NodeId node) {
  for (Client& client : clients_) {
    if (client.connection != 0 && client.node == node) {
      hang_up(client);
      again(client, static_cast<int64_t>(world_.prng.below(100'000)));
    }
  }
}

void Clients::visit(NodeId node, size_t count) {
  for (Client& client : clients_) {
    if (count == 0 || client.id == clients_.size() || stopping_) {
      return;
    }
    --count;
    if (client.connection != 0) {
      hang_up(client);
    }
    client.visits = node;
    again(client, static_cast<int64_t>(world_.prng.below(2'000)));
  }
}

void Clients::leave(NodeId node) {
  for (Client& client : clients_) {
    if (client.connection != 0 && client.node == node && client.id != clients_.size()) {
      hang_up(client);
      again(client, static_cast<int64_t>(world_.prng.below(2'000)));
    }
  }
}

void Clients::again(Client& client, int64_t delay_us) {
  uint64_t turn = ++client.turn;
  world_.timeline.after(delay_us, [this, id = client.id, turn] {
    Client& self = clients_[id - 1];
    if (self.turn == turn) {
      next(self);
    }
  });
}

void Clients::submit(Client& client, resp::RequestBatch batch, int64_t patience_us) {
  batch.connection = client.connection;
  uint64_t turn = ++client.turn;
  if (Node* node = world_.find(client.node); node != nullptr && node->running()) {
    node->submit(std::move(batch));
  }
  world_.timeline.after(patience_us, [this, id = client.id, turn, patience_us] {
    Client& self = clients_[id - 1];
    if (self.turn != turn || self.connection == 0) {
      return;
    }
    if (patience_us == kPatienceUs) {
      throw Violation{"hang", client_name(self) + " gets no answer"};
    }
    hang_up(self);
    again(self, 1'000);
  });
}

std::string Clients::client_name(const Client& client) {
  return "client " + std::to_string(client.id) + " of node " + std::to_string(client.node.value);
}

void Clients::next(Client& client) {
  if (stopping_ && !client.swapping && client.repeats.empty()) {
    return;
  }
  if (mood.quiet && !client.swapping) {
    again(client, 1'000 + static_cast<int64_t>(world_.prng.below(10'000)));
    return;
  }
  if (client.connection == 0) {
    connect(client);
    if (client.connection == 0) {
      again(client, 50'000);
      return;
    }
  }
  resp::RequestBatch batch;
  if (client.swapping) {
    finish_swap(client, batch);
  } else if (!client.repeats.empty() && (stopping_ || world_.prng.chance(1, 2))) {
    const size_t op = client.repeats.front();
    client.repeats.pop_front();
    repeat(client, batch, op);
  } else if (mood.once_percent != 0 && !client.visiting &&
             world_.prng.chance(mood.once_percent, 100)) {
    ask_once(client, batch);
  } else if (mood.kinds.empty() && !client.visiting && world_.prng.chance(1, 10)) {
    start_swap(client, batch);
  } else {
    size_t before = SIZE_MAX;
    const bool heaps = world_.prng.chance(mood.heaps_percent, 100);
    const bool deadlines = world_.prng.chance(mood.deadlines_percent, 100);
    const bool queues = mood.queues_percent != 0 && world_.prng.chance(mood.queues_percent, 100);
    const uint64_t several = 1 + world_.prng.below(mood.pipeline_max);
    for (uint64_t n = world_.prng.chance(1, 2) ? 1 : several; n > 0; --n) {
      const OpKind kind = draw_kind(client, deadlines, heaps, queues);
      before = ask(client, batch, kind, key_for(kind), before);
      if (kind == OpKind::kDequeue) {
        break;  // a session parses nothing behind it
      }
    }
  }
  // Some do not wait for the answer: the connection is closed.
  bool leaves = world_.prng.chance(1, 200);
  submit(client, std::move(batch),
         leaves ? static_cast<int64_t>(world_.prng.below(20'000)) : kPatienceUs);
}

OpKind Clients::draw_kind(const Client& client, bool deadlines, bool heaps, bool queues) {
  const auto one_of = [this](std::span<const OpKind> kinds) {
    return kinds[world_.prng.below(kinds.size())];
  };
  return !mood.kinds.empty() ? one_of(mood.kinds)
         : client.visiting   ? one_of(kLooks)
         : queues            ? one_of(kQueues)
         : heaps             ? one_of(kHeaps)
         : deadlines         ? one_of(kDeadlines)
                             : one_of(kPlain);
}

// Mostly after a while, and often just when a deadline is about to pass.
int64_t Clients::think_us() {
  const auto most = static_cast<uint64_t>(mood.think_us_max);
  auto us = 1'000 + static_cast<int64_t>(world_.prng.below(most));
  const bool hurries = mood.think_us_max < 5'000;
  if (!hurries && world_.prng.chance(1, 2) && !due_us_.empty()) {
    auto due =
        std::next(due_us_.begin(), static_cast<ptrdiff_t>(world_.prng.below(due_us_.size())));
    const int64_t until = due->second - world_.timeline.now_us() - 15'000 +
                          static_cast<int64_t>(world_.prng.below(30'000));
    us = until > 0 && until < 500'000 ? until : us;
  }
  return us;
}

void Clients::ask_everything(NodeId node) {
  Client& client = clients_.back();
  client.node = node;
  open(client);
  for (const auto& [key, of_key] : history_.by_key()) {
    if (key[0] == 't' || key[0] == 'd') {
      continue;  // may expire between one node's answer and another's
    }
    if (key[0] == 'g') {
      continue;  // no key
    }
    if (key[0] == 'h') {  // in pieces that a reply may hold
      constexpr size_t kPiece = 4;
      for (size_t from = 0; from < of_key.size() * kStoredAtOnce; from += kPiece) {
        final_asks_.push_back(
            {key, {"LRANGE", key, std::to_string(from), std::to_string(from + kPiece - 1)}});
      }
    } else if (key[0] == 'l' || key[0] == 'q' || key[0] == 'o') {
      final_asks_.push_back({key, {"LRANGE", key, "0", "-1"}});
    } else if (key[0] == 'r') {  // some are long
      final_asks_.push_back({key, {"GETRANGE", key, "0", "99"}});
    } else {
      final_asks_.push_back({key, {"GET", key}});
    }
  }
  ask_finally(client);
}

// Many at once, unless all of them together would be more than a turn may answer (F45).
void Clients::ask_finally(Client& client) {
  if (final_asks_.empty()) {
    return;
  }
  size_t most = world_.options.node.reply_bytes_max == 0 ? 1'000 : 1;
  resp::RequestBatch batch;
  for (; most > 0 && !final_asks_.empty(); --most) {
    add(client, batch, resp::RequestKind::kRead, final_asks_.front().argv);
    client.final_waiting[client.slot] = std::move(final_asks_.front().key);
    final_asks_.pop_front();
    ++final_waiting_;
  }
  submit(client, std::move(batch), kPatienceUs);
}

}  // namespace kiwi::sim
