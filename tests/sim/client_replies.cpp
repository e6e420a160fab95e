// What clients are told: replies, and what they say of an operation.
#include <string>
#include <utility>

#include "tests/sim/clients.hpp"
#include "tests/sim/world.hpp"

namespace kiwi::sim {

namespace {

struct Reply {
  char type = '?';
  std::string text;
  std::vector<std::string> list;
  bool nil = false;
};

// Without what made it long.
std::string bare(const Reply& reply) {
  return reply.nil ? "" : reply.text.substr(0, reply.text.find(':'));
}

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
      reply.list.push_back(bare(parse(in)));
    }
  }
  return reply;
}

}  // namespace

void Clients::finish(Op& op, std::string_view encoded) {
  Reply reply = parse(encoded);
  op.returned_us = world_.timeline.now_us();
  if (op.kind == OpKind::kGetExpiring) {
    op.clock_ms = world_.highest_clock_ms();
  }
  if (reply.type == '-') {
    bool timeout = reply.text.rfind("TIMEOUT", 0) == 0;
    op.fate = timeout && !is_read(op.kind) ? Fate::kUnknown : Fate::kFailed;
    bool expected = timeout || reply.text.rfind("CLUSTERDOWN", 0) == 0 ||
                    reply.text.rfind("LOADING", 0) == 0 || reply.text.rfind("NOCLUSTER", 0) == 0 ||
                    reply.text.rfind("OOM", 0) == 0 || reply.text.rfind("MOVED", 0) == 0 ||
                    reply.text.rfind("UNBLOCKED", 0) == 0 ||
                    reply.text.rfind("ERR the reply is larger", 0) == 0 ||
                    (op.kind == OpKind::kTake && reply.text.rfind("ERR ", 0) == 0);
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
    case OpKind::kLook:
      op.value = bare(reply);
      break;
    case OpKind::kExchange:
    case OpKind::kTouch:
    case OpKind::kTouchKeep:
      op.expected = bare(reply);
      break;
    case OpKind::kReplace:
    case OpKind::kReplaceFor:
      op.number = reply.nil ? 0 : 1;
      break;
    case OpKind::kLookExists:
      op.number = static_cast<int64_t>(reply.list.size());
      break;
    case OpKind::kPersist:
    case OpKind::kProlong:
    case OpKind::kLookTtl:
    case OpKind::kIncrement:
    case OpKind::kPush:
      op.number = std::stoll(reply.text);
      break;
    case OpKind::kRange:
    case OpKind::kTake:
      op.list = reply.list;
      break;
    case OpKind::kDequeue:
      op.value = reply.nil ? "" : reply.list.at(1);
      break;
    case OpKind::kSwap:
      op.fate = reply.nil ? Fate::kFailed : Fate::kOk;  // EXEC's nil: somebody was faster
      break;
    default:
      break;
  }
}

// What no answer settled is asked again, of any node; and of what one settled some is asked again,
// too: the answer must be the same, or say that it is not known any more.
void Clients::finish_once(Client& client, size_t index, std::string_view encoded) {
  constexpr uint64_t kRepeatsMax = 3;
  Op& op = history_.ops[index];
  const Reply reply = parse(encoded);
  const bool settled = op.fate != Fate::kPending;
  client.refused = reply.type == '-' && !settled ? client.refused : client.refused / 2;
  if (reply.type == ':') {
    const int64_t number = std::stoll(reply.text);
    if (settled && op.number != 0 && op.number != number) {
      throw Violation{"once", op.key + ": " + op.value + " was answered " +
                                  std::to_string(op.number) + ", and when it was repeated " +
                                  std::to_string(number)};
    }
    if (settled && op.fate == Fate::kUnknown && !op.maybe) {
      throw Violation{"once", op.key + ": " + op.value + " counts after it was refused"};
    }
    op.number = number;
    op.fate = Fate::kOk;
    op.returned_us = settled ? op.returned_us : world_.timeline.now_us();
    world_.coverage.hit(settled ? Mark::kOnceReplayed : Mark::kOnceCounted);
  } else if (reply.text.starts_with("ONCEEXPIRED")) {
    // What is forgotten is never executed again, so its fate is what it was.
    op.fate = settled ? op.fate : op.maybe ? Fate::kUnknown : Fate::kFailed;
    world_.coverage.hit(Mark::kOnceForgotten);
    return;
  } else if (reply.type == '-' && !settled) {
    op.maybe = op.maybe || reply.text.starts_with("TIMEOUT");
    client.repeats.push_back(index);
    ++client.refused;
    return;
  } else if (reply.type != '-') {
    throw Violation{"harness", op.key + ": a push with a token answers " + reply.text};
  }
  if (!stopping_ && op.repeats < kRepeatsMax && world_.prng.chance(1, 3)) {
    ++op.repeats;
    client.repeats.push_back(index);
  }
}

void Clients::on_final_reply(Client& client, uint64_t slot, std::string_view text) {
  Reply reply = parse(text);
  if (reply.type == '-') {
    throw Violation{"heal", "a healed cluster answers " + reply.text};
  }
  const auto asked = client.final_waiting.find(slot);
  if (!reply.nil) {
    std::vector<std::string>& of_key = final_[asked->second];
    if (reply.type == '*') {
      of_key.insert(of_key.end(), reply.list.begin(), reply.list.end());
    } else {
      of_key = {reply.text};
    }
  }
  client.final_waiting.erase(asked);
  --final_waiting_;
}

// Of an operation that waits for it.
void Clients::on_answer(Client& client, uint64_t slot, std::string_view text) {
  const auto it = client.waiting.find(slot);
  const size_t index = it->second;
  Op& op = history_.ops[index];
  client.waiting.erase(it);
  if (text.starts_with("-TIMEOUT")) {
    client.timed_out.insert(slot);
  }
  if (op.kind == OpKind::kOncePush) {
    return finish_once(client, index, text);
  }
  finish(op, text);
  if (client.swapping) {
    client.swapping = op.fate == Fate::kOk;
    client.swap_expected = op.value;
  }
}

void Clients::on_replies(const resp::ReplyBatch& batch) {
  auto found = by_connection_.find(batch.connection);
  if (found == by_connection_.end()) {
    return;
  }
  Client& client = clients_[found->second];
  if (batch.lost) {  // F45: the connection ends, the fate of what was asked is not known
    world_.coverage.hit(Mark::kReplyLost);
    if (client.id == clients_.size()) {
      throw Violation{"heal", "a healed cluster loses the answer to a small question"};
    }
    hang_up(client);
    again(client, think_us());
    return;
  }
  bool leave = false;
  for (const resp::ReplyPart& part : batch.parts) {
    std::string_view text = std::string_view(batch.bytes).substr(part.offset, part.size);
    world_.trace("reply", client.node, batch.connection * 1000 + part.slot, text.size());
    leave = leave || text.starts_with("-NOCLUSTER") || text.starts_with("-LOADING") ||
            text.starts_with("-CLUSTERDOWN");
    if (client.final_waiting.contains(part.slot)) {
      on_final_reply(client, part.slot, text);
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
    on_answer(client, it->first, text);
  }
  if (client.id == clients_.size()) {
    if (client.final_waiting.empty()) {
      ++client.turn;  // it waits for nothing
      ask_finally(client);
    }
    return;
  }
  if (leave) {
    hang_up(client);  // this node cannot help: tries another
    again(client, think_us());
    return;
  }
  if (client.waiting.empty() && client.watch_slot == 0) {
    // At rest, whoever is refused leaves the cluster time to get on with what it took.
    constexpr unsigned kDoublingsMax = 3;
    again(client, think_us() << (stopping_ ? std::min(client.refused, kDoublingsMax) : 0));
  }
}

}  // namespace kiwi::sim
