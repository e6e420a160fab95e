// What clients ask: operations, their keys and their commands.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/batch.hpp"
#include "resp/once_token.hpp"
#include "tests/sim/clients.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

// The checker's search remembers configurations in 64 bits; a key is left before it is full.
constexpr uint64_t kUsesOfRegister = 40;
constexpr uint64_t kUsesOfList = 120;
constexpr uint64_t kUsesOfExpiring = 30;
constexpr uint64_t kUsesOfQueue = 120;
constexpr uint64_t kUsesOfHeap = 8;  // few, so that one lost answer leaves others to be checked

std::string pack(const std::vector<std::string>& argv) {
  std::vector<std::string_view> views(argv.begin(), argv.end());
  std::string packed;
  resp::pack_command(packed, 0, views);
  return packed;
}

constexpr size_t kElementPadding = 600;

// The command of an operation that is not a swap.
std::vector<std::string> argv_of(const Op& op, const std::string& value, const std::string& ms) {
  switch (op.kind) {
    case OpKind::kGet:
    case OpKind::kGetExpiring:
    case OpKind::kLook:
      return {"GET", op.key};
    case OpKind::kIncrement:
      return {"INCR", op.key};
    case OpKind::kPush:
      return {"RPUSH", op.key, value};
    case OpKind::kRange:
      return {"LRANGE", op.key, "0", "-1"};
    case OpKind::kStore: {
      std::vector<std::string> argv = {"RPUSH", op.key};
      for (int n = 0; n < kStoredAtOnce; ++n) {
        argv.push_back(stored_element(op, n) + ":" + std::string(kElementPadding, 'x'));
      }
      return argv;
    }
    case OpKind::kTake:
      return {"LPOP", op.key, "30"};
    case OpKind::kEnqueue:
      return {"RPUSH", op.key, value};
    case OpKind::kDequeue:
      return {"BLPOP", op.key, "0." + ms};
    case OpKind::kSetExpiring:
    case OpKind::kLend:
      return {"SET", op.key, value, "PX", ms};
    case OpKind::kLookExists:
      return {"KEYS", op.key};
    case OpKind::kLookTtl:
      return {"PTTL", op.key};
    case OpKind::kPersist:
      return {"PERSIST", op.key};
    case OpKind::kProlong:
      return {"PEXPIRE", op.key, ms};
    case OpKind::kReplace:
      return {"SET", op.key, value, "XX"};
    case OpKind::kReplaceFor:
      return {"SET", op.key, value, "XX", "PX", ms};
    case OpKind::kExchange:
      return {"SET", op.key, value, "GET"};
    case OpKind::kTouch:
      return {"GETEX", op.key, "PX", ms};
    case OpKind::kTouchKeep:
      return {"GETEX", op.key, "PERSIST"};
    default:
      return {"SET", op.key, value};
  }
}

bool gives_deadline(OpKind kind) {
  return kind == OpKind::kLend || kind == OpKind::kProlong || kind == OpKind::kReplaceFor ||
         kind == OpKind::kTouch;
}

}  // namespace

std::string Clients::key_for(OpKind kind) {
  const bool is_list = kind == OpKind::kPush || kind == OpKind::kRange;
  const bool expires =
      kind == OpKind::kSetExpiring || kind == OpKind::kGetExpiring || kind == OpKind::kSetForGood;
  const bool is_heap = kind == OpKind::kStore || kind == OpKind::kTake;
  const bool is_queue = kind == OpKind::kEnqueue || kind == OpKind::kDequeue;
  std::string base = kind == OpKind::kOncePush    ? "o"
                     : is_heap                    ? "h"
                     : is_queue                   ? "q"
                     : has_deadlines(kind)        ? "d"
                     : is_list                    ? "l"
                     : expires                    ? "t"
                     : kind == OpKind::kIncrement ? "c"
                                                  : "r";
  base += std::to_string(world_.prng.below(2));
  uint64_t most = is_heap                                ? kUsesOfHeap
                  : is_queue                             ? kUsesOfQueue
                  : is_list || kind == OpKind::kOncePush ? kUsesOfList
                  : expires                              ? kUsesOfExpiring
                                                         : kUsesOfRegister;
  // An expiring key is set once.
  if (kind == OpKind::kSetExpiring || (kind != OpKind::kIncrement && ++uses_[base] > most)) {
    uses_[base] = 1;
    ++generations_[base];
    due_us_.erase(base);
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
  op.value = is_read(kind) ? "" : value;
  uint64_t ms = 100 + world_.prng.below(1500);
  if (gives_deadline(kind)) {
    ms = world_.prng.chance(1, 2) ? 10 + world_.prng.below(120) : 100 + world_.prng.below(500);
    ms = mood.lasts_ms != 0 ? mood.lasts_ms : ms;
    due_us_[key.substr(0, 2)] = op.invoked_us + static_cast<int64_t>(ms) * 1000;
  }
  if (kind == OpKind::kSetExpiring) {
    ms += world_.prng.chance(1, 3) ? 3000 + world_.prng.below(4000) : 0;
    op.clock_ms = world_.lowest_stamp_ms() + static_cast<int64_t>(ms);
  }
  if (kind == OpKind::kSet && world_.prng.chance(mood.long_values_percent, 100)) {
    value += ":" + std::string(kLongValue, 'x');
  }
  resp::RequestKind route = resp::RequestKind::kWrite;
  if (is_read(kind)) {
    op.stale = world_.prng.chance(1, 20);
    route = op.stale ? resp::RequestKind::kStaleRead : resp::RequestKind::kRead;
  }
  if (kind == OpKind::kDequeue) {
    route = resp::RequestKind::kBlocking;
    ms = 100 + world_.prng.below(400);  // three digits behind the point
  }
  add(client, batch, route, argv_of(op, value, std::to_string(ms)));
  if (kind == OpKind::kDequeue) {
    const Node* node = world_.find(client.node);
    batch.requests.back().wait_until_ms =
        (node != nullptr ? node->monotonic_ms() : 0) + static_cast<int64_t>(ms);
    op.value.clear();
    op.number = static_cast<int64_t>(ms);
  }
  history_.ops.push_back(std::move(op));
  client.waiting[client.slot] = history_.ops.size() - 1;
  return history_.ops.size() - 1;
}

// By the cluster's clock, some of them made a while ago; now and then with other bounds on how many
// are remembered.
void Clients::ask_once(Client& client, resp::RequestBatch& batch) {
  Op op;
  op.client = client.id;
  op.invoked_us = world_.timeline.now_us();
  if (world_.prng.chance(1, 30)) {
    op.kind = OpKind::kOnceBounds;
    op.key = "g";
    const std::string most = std::to_string(1 + world_.prng.below(30));
    add(client, batch, resp::RequestKind::kWrite, {"kiwi.setting", "once-max-records", most});
    history_.ops.push_back(std::move(op));
    client.waiting[client.slot] = history_.ops.size() - 1;
    return;
  }
  op.kind = OpKind::kOncePush;
  op.key = key_for(OpKind::kOncePush);
  op.value = std::to_string(++last_value_);
  const int64_t made_ms = world_.lowest_stamp_ms() - static_cast<int64_t>(world_.prng.below(3'000));
  const auto token =
      resp::read_once_token(std::to_string(std::max<int64_t>(1, made_ms)) + "-" + op.value);
  CHECK_INVARIANT(token.has_value());
  op.token = *token;
  history_.ops.push_back(std::move(op));
  repeat(client, batch, history_.ops.size() - 1);
}

void Clients::repeat(Client& client, resp::RequestBatch& batch, size_t op) {
  const Op& asked = history_.ops[op];
  std::string packed;
  resp::pack_once(packed, {resp::OnceMark::Form::kToken, asked.token, 0, 0, 2, false});
  packed += pack({"RPUSH", asked.key, asked.value});
  batch.requests.push_back({++client.slot, resp::RequestKind::kWrite, 2, 0,
                            static_cast<uint32_t>(batch.buffer.size()),
                            static_cast<uint32_t>(packed.size())});
  batch.buffer += packed;
  client.waiting[client.slot] = op;
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

}  // namespace kiwi::sim
