#include "tests/sim/clients.hpp"

#include <utility>

#include "resp/batch.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

// The checker's search remembers configurations in 64 bits; a key is left before it is full.
constexpr uint64_t kUsesOfRegister = 40;
constexpr uint64_t kUsesOfList = 120;
constexpr uint64_t kUsesOfExpiring = 30;
constexpr int64_t kPatienceUs = 6'000'000;

struct Reply {
  char type = '?';
  std::string text;
  std::vector<std::string> list;
  bool nil = false;
};

// RESP2, whole replies only.
Reply parse(std::string_view& in) {
  Reply reply;
  size_t end = in.find("\r\n");
  reply.type = in[0];
  reply.text = std::string(in.substr(1, end - 1));
  in.remove_prefix(end + 2);
  if (reply.type == '$' || reply.type == '*') {
    int64_t n = std::stoll(reply.text);
    reply.nil = n < 0;
    if (reply.type == '$' && n >= 0) {
      reply.text = std::string(in.substr(0, static_cast<size_t>(n)));
      in.remove_prefix(static_cast<size_t>(n) + 2);
    }
    for (int64_t i = 0; reply.type == '*' && i < n; ++i) {
      reply.list.push_back(parse(in).text);
    }
  }
  return reply;
}

std::string pack(const std::vector<std::string>& argv) {
  std::vector<std::string_view> views(argv.begin(), argv.end());
  std::string packed;
  resp::pack_command(packed, 0, views);
  return packed;
}

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
    if (!client.waiting.empty() || client.swapping) {
      return false;
    }
  }
  return true;
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
    if (node->running()) {
      up.push_back(node.get());
    }
  }
  if (up.empty()) {
    return;
  }
  client.node = up[world_.prng.below(up.size())]->id();
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
  client.swapping = false;
  client.watch_slot = 0;
  client.timed_out.clear();
  for (const auto& [slot, op] : std::exchange(client.waiting, {})) {
    // Cut off: nobody knows (DESIGN §1.5). A read certainly changed nothing.
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

void Clients::again(Client& client, int64_t delay_us) {
  uint64_t turn = ++client.turn;
  world_.timeline.after(delay_us, [this, id = client.id, turn] {
    Client& self = clients_[id - 1];
    if (self.turn == turn) {
      next(self);
    }
  });
}

// ---------------------------------------------------------------- asking

std::string Clients::key_for(OpKind kind) {
  static constexpr const char* kNames[] = {"r", "r", "r", "c", "l", "l", "t", "t", "t"};
  std::string base = kNames[static_cast<size_t>(kind)] + std::to_string(world_.prng.below(2));
  bool is_list = kind == OpKind::kPush || kind == OpKind::kRange;
  bool expires = base[0] == 't';
  uint64_t most = is_list ? kUsesOfList : expires ? kUsesOfExpiring : kUsesOfRegister;
  // An expiring key is set once.
  if (kind == OpKind::kSetExpiring || (kind != OpKind::kIncrement && ++uses_[base] > most)) {
    uses_[base] = 1;
    ++generations_[base];
  }
  return base + "." + std::to_string(generations_[base]);
}

void Clients::add(Client& client,
                  resp::RequestBatch& batch,
                  resp::RequestKind kind,
                  const std::vector<std::string>& argv) {
  std::string packed = pack(argv);
  batch.requests.push_back({++client.slot, kind, 2, 0, static_cast<uint32_t>(batch.buffer.size()),
                            static_cast<uint32_t>(packed.size())});
  batch.buffer += packed;
}

size_t Clients::ask(
    Client& client, resp::RequestBatch& batch, OpKind kind, const std::string& key, size_t before) {
  Op op;
  op.kind = kind;
  op.client = client.id;
  op.key = key;
  op.invoked_us = world_.timeline.now_us();
  op.before = before;
  std::string value = std::to_string(++last_value_);
  switch (kind) {
    case OpKind::kSet:
      op.value = value;
      add(client, batch, resp::RequestKind::kWrite, {"SET", key, value});
      break;
    case OpKind::kGet:
    case OpKind::kGetExpiring:
      op.stale = world_.prng.chance(1, 20);
      add(client, batch, op.stale ? resp::RequestKind::kStaleRead : resp::RequestKind::kRead,
          {"GET", key});
      break;
    case OpKind::kIncrement:
      add(client, batch, resp::RequestKind::kWrite, {"INCR", key});
      break;
    case OpKind::kPush:
      op.value = value;
      add(client, batch, resp::RequestKind::kWrite, {"RPUSH", key, value});
      break;
    case OpKind::kRange:
      add(client, batch, resp::RequestKind::kRead, {"LRANGE", key, "0", "-1"});
      break;
    case OpKind::kSetExpiring:
      add(client, batch, resp::RequestKind::kWrite,
          {"SET", key, value, "PX", std::to_string(100 + world_.prng.below(1500))});
      break;
    case OpKind::kSetForGood:
      op.value = value;
      add(client, batch, resp::RequestKind::kWrite, {"SET", key, value});
      break;
    case OpKind::kSwap:
      break;  // finish_swap()
  }
  history_.ops.push_back(std::move(op));
  client.waiting[client.slot] = history_.ops.size() - 1;
  return history_.ops.size() - 1;
}

void Clients::start_swap(Client& client, resp::RequestBatch& batch) {
  client.swapping = true;
  client.tokens.clear();
  client.swap_key = key_for(OpKind::kSwap);
  add(client, batch, resp::RequestKind::kWatch, {"WATCH", client.swap_key});
  client.watch_slot = client.slot;
  ask(client, batch, OpKind::kGet, client.swap_key, SIZE_MAX);
}

void Clients::finish_swap(Client& client, resp::RequestBatch& batch) {
  client.swapping = false;
  Op op;
  op.kind = OpKind::kSwap;
  op.client = client.id;
  op.key = client.swap_key;
  op.expected = client.swap_expected;
  op.value = std::to_string(++last_value_);
  op.invoked_us = world_.timeline.now_us();
  std::vector<std::string> commands = {pack({"SET", op.key, op.value})};
  resp::pack_transaction(batch.buffer, 0, client.tokens, commands);
  batch.requests.push_back({++client.slot, resp::RequestKind::kWrite, 2, 0, 0,
                            static_cast<uint32_t>(batch.buffer.size())});
  history_.ops.push_back(std::move(op));
  client.waiting[client.slot] = history_.ops.size() - 1;
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
  if (stopping_ && !client.swapping) {
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
  } else if (world_.prng.chance(1, 10)) {
    start_swap(client, batch);
  } else {
    static constexpr OpKind kKinds[] = {
        OpKind::kSet,         OpKind::kGet,         OpKind::kGet,        OpKind::kIncrement,
        OpKind::kIncrement,   OpKind::kPush,        OpKind::kPush,       OpKind::kRange,
        OpKind::kSetExpiring, OpKind::kGetExpiring, OpKind::kGetExpiring};
    size_t before = SIZE_MAX;
    for (uint64_t n = world_.prng.chance(1, 2) ? 1 : 1 + world_.prng.below(6); n > 0; --n) {
      OpKind kind = kKinds[world_.prng.below(std::size(kKinds))];
      before = ask(client, batch, kind, key_for(kind), before);
    }
  }
  // Some do not wait for the answer: the connection is closed.
  bool leaves = world_.prng.chance(1, 200);
  submit(client, std::move(batch),
         leaves ? static_cast<int64_t>(world_.prng.below(20'000)) : kPatienceUs);
}

// ---------------------------------------------------------------- being told

void Clients::finish(Op& op, std::string_view encoded) {
  Reply reply = parse(encoded);
  op.returned_us = world_.timeline.now_us();
  if (reply.type == '-') {
    bool timeout = reply.text.rfind("TIMEOUT", 0) == 0;
    op.fate = timeout && !is_read(op.kind) ? Fate::kUnknown : Fate::kFailed;
    bool expected = timeout || reply.text.rfind("CLUSTERDOWN", 0) == 0 ||
                    reply.text.rfind("LOADING", 0) == 0 || reply.text.rfind("NOCLUSTER", 0) == 0 ||
                    reply.text.rfind("OOM", 0) == 0 || reply.text.rfind("MOVED", 0) == 0;
    if (!expected) {
      throw Violation{"harness", op.key + ": unexpected error " + reply.text};
    }
    if (op.fate == Fate::kUnknown) {
      op.returned_us = kNever;
    }
    return;
  }
  op.fate = op.stale ? Fate::kFailed : Fate::kOk;
  switch (op.kind) {
    case OpKind::kGet:
    case OpKind::kGetExpiring:
      op.value = reply.nil ? "" : reply.text;
      break;
    case OpKind::kIncrement:
    case OpKind::kPush:
      op.number = std::stoll(reply.text);
      break;
    case OpKind::kRange:
      op.list = reply.list;
      break;
    case OpKind::kSwap:
      op.fate = reply.nil ? Fate::kFailed : Fate::kOk;  // EXEC's nil: somebody was faster
      break;
    default:
      break;
  }
}

void Clients::on_replies(const resp::ReplyBatch& batch) {
  auto found = by_connection_.find(batch.connection);
  if (found == by_connection_.end()) {
    return;
  }
  Client& client = clients_[found->second];
  bool leave = false;
  for (const resp::ReplyPart& part : batch.parts) {
    std::string_view text = std::string_view(batch.bytes).substr(part.offset, part.size);
    world_.trace("reply", client.node, batch.connection * 1000 + part.slot, text.size());
    leave = leave || text.starts_with("-NOCLUSTER") || text.starts_with("-LOADING") ||
            text.starts_with("-CLUSTERDOWN");
    if (auto it = client.final_waiting.find(part.slot); it != client.final_waiting.end()) {
      Reply reply = parse(text);
      if (reply.type == '-') {
        throw Violation{"heal", "a healed cluster answers " + reply.text};
      }
      if (!reply.nil) {
        final_[it->second] = reply.type == '*' ? reply.list : std::vector<std::string>{reply.text};
      }
      client.final_waiting.erase(it);
      --final_waiting_;
      continue;
    }
    auto it = client.waiting.find(part.slot);
    if (it == client.waiting.end()) {
      if (part.slot == client.watch_slot) {
        client.watch_slot = 0;
        client.tokens = batch.tokens;
        client.swapping = client.swapping && !batch.failed_watch && text[0] == '+';
        continue;
      }
      // TIMEOUT and the real answer may cross inside the node; the session takes the first.
      if (text.starts_with("-TIMEOUT") || client.timed_out.count(part.slot) != 0) {
        continue;
      }
      throw Violation{"answered once", client_name(client) + " got a second answer: " +
                                           std::string(text.substr(0, 40))};
    }
    Op& op = history_.ops[it->second];
    client.waiting.erase(it);
    if (text.starts_with("-TIMEOUT")) {
      client.timed_out.insert(part.slot);
    }
    finish(op, text);
    if (client.swapping) {
      client.swapping = op.fate == Fate::kOk;
      client.swap_expected = op.value;
    }
  }
  if (leave && client.final_waiting.empty()) {
    hang_up(client);  // this node cannot help: tries another
    again(client, 1'000 + static_cast<int64_t>(world_.prng.below(60'000)));
    return;
  }
  if (client.waiting.empty() && client.final_waiting.empty() && client.watch_slot == 0) {
    again(client, 1'000 + static_cast<int64_t>(world_.prng.below(60'000)));
  }
}

void Clients::ask_everything(NodeId node) {
  Client& client = clients_.back();
  client.node = node;
  client.connection = ++last_connection_;
  client.slot = 0;
  by_connection_[client.connection] = client.id - 1;
  resp::RequestBatch batch;
  for (const auto& [key, of_key] : history_.by_key()) {
    if (key[0] == 't') {
      continue;  // may expire between one node's answer and another's
    }
    if (key[0] == 'l') {
      add(client, batch, resp::RequestKind::kRead, {"LRANGE", key, "0", "-1"});
    } else {
      add(client, batch, resp::RequestKind::kRead, {"GET", key});
    }
    client.final_waiting[client.slot] = key;
    ++final_waiting_;
  }
  submit(client, std::move(batch), kPatienceUs);
}

}  // namespace kiwi::sim
