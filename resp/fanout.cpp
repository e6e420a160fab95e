#include "resp/fanout.hpp"

#include <algorithm>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/limits.hpp"

namespace kiwi::resp {

namespace {

enum Kind : uint8_t { kBatch = 1, kCounts = 2, kInterest = 3, kInterestHeard = 4 };

constexpr size_t kBatchBytes = config::limits::kPublicationBytes;
// Of the shortest ones; the answer to a batch has to fit, too.
constexpr size_t kBatchPublications = 1 << 16;
static_assert(kBatchPublications * 10 + kFanoutOverhead <= kBatchBytes, "a count is a varint");

std::string head(Kind kind, uint64_t number) {
  std::string out;
  put_u8(out, kind);
  put_le(out, number);
  return out;
}

void put_publication(std::string& out, const Publication& publication) {
  put_varint(out, publication.channel.size() * 2 + (publication.sharded ? 1 : 0));
  out.append(publication.channel);
  put_sized(out, publication.message);
}

bool read_batch(ByteReader& reader, FanoutBatch& batch) {
  while (reader.ok() && !reader.rest().empty()) {
    const uint64_t word = reader.varint();
    Publication publication;
    publication.sharded = word % 2 != 0;
    publication.channel = reader.take(word / 2);
    publication.message = reader.sized();
    batch.publications.push_back(std::move(publication));
  }
  return reader.ok() && !batch.publications.empty();
}

}  // namespace

// ---------------------------------------------------------------- links

void Fanout::link_up(NodeId peer) {
  CHECK_INVARIANT(peer);
  answered_by(peer);  // of the link before, which may have ended unnoticed
  peers_[peer] = {};
  say_interest(peer);
}

void Fanout::link_down(NodeId peer) {
  peers_.erase(peer);
  answered_by(peer);
  look_at_waiting(0);
}

bool Fanout::receive(NodeId peer, std::string_view bytes, std::optional<FanoutBatch>& batch) {
  ByteReader reader(bytes);
  const auto kind = reader.le<uint8_t>();
  const auto number = reader.le<uint64_t>();
  const auto known = peers_.find(peer);
  if (!reader.ok()) {
    return false;
  }
  switch (kind) {
    case kBatch: {
      FanoutBatch arrived{number, {}};
      if (!read_batch(reader, arrived)) {
        return false;
      }
      if (known != peers_.end() &&
          number <= std::exchange(known->second.batches, std::max(known->second.batches, number))) {
        return true;  // it came before: at most once
      }
      batch = std::move(arrived);
      return true;
    }
    case kCounts:
      return receive_counts(peer, bytes);
    case kInterest: {
      const bool interested = reader.le<uint8_t>() != 0;
      if (!reader.done()) {
        return false;
      }
      if (known != peers_.end()) {
        known->second.interested = interested;
      }
      effects_.send.push_back({peer, head(kInterestHeard, number)});
      return true;
    }
    case kInterestHeard:
      if (!reader.done()) {
        return false;
      }
      if (known != peers_.end()) {
        known->second.heard = std::max(known->second.heard, std::min(number, interests_));
        look_at_waiting(0);
      }
      return true;
    default:
      return false;
  }
}

bool Fanout::receive_counts(NodeId peer, std::string_view bytes) {
  ByteReader reader(bytes);
  reader.le<uint8_t>();
  const auto found = batches_out_.find(reader.le<uint64_t>());
  if (found == batches_out_.end() || !found->second.peers.contains(peer)) {
    return true;  // it came too late
  }
  Batch& batch = found->second;
  std::vector<uint64_t> receivers;
  for (size_t i = 0; i < batch.tickets.size(); ++i) {
    receivers.push_back(reader.varint());
  }
  if (!reader.done()) {
    return false;
  }
  for (size_t i = 0; i < receivers.size(); ++i) {
    batch.tickets[i].receivers += receivers[i];
  }
  batch.peers.erase(peer);
  if (batch.peers.empty()) {
    answer(batch);
    batches_out_.erase(found);
  }
  return true;
}

void Fanout::delivered(NodeId peer, uint64_t batch, const std::vector<uint64_t>& receivers) {
  std::string bytes = head(kCounts, batch);
  for (const uint64_t count : receivers) {
    put_varint(bytes, count);
  }
  effects_.send.push_back({peer, std::move(bytes)});
}

// ---------------------------------------------------------------- publications

bool Fanout::anyone_else() const {
  return std::ranges::any_of(peers_, [](const auto& item) { return item.second.interested; });
}

bool Fanout::too_large(const Publication& publication) {
  return publication.bytes() + 2 * kFanoutOverhead > kBatchBytes;
}

void Fanout::publish(const Publication& publication, PublishTicket ticket) {
  CHECK_INVARIANT(anyone_else() && !too_large(publication));
  if (draft_.size() + publication.bytes() + 2 * kFanoutOverhead > kBatchBytes ||
      draft_tickets_.size() == kBatchPublications) {
    full_.emplace_back(std::exchange(draft_, {}), std::exchange(draft_tickets_, {}));
  }
  put_publication(draft_, publication);
  draft_tickets_.push_back(ticket);
}

void Fanout::flush(int64_t now_ms) {
  if (!draft_.empty()) {
    full_.emplace_back(std::exchange(draft_, {}), std::exchange(draft_tickets_, {}));
  }
  for (auto& [bytes, tickets] : full_) {
    Batch batch;
    batch.tickets = std::move(tickets);
    batch.deadline_ms = now_ms + kFanoutWaitMs;
    const std::string message = head(kBatch, ++batches_) + bytes;
    for (const auto& [id, peer] : peers_) {
      if (peer.interested) {
        batch.peers.insert(id);
        effects_.send.push_back({id, message});
      }
    }
    if (batch.peers.empty()) {
      answer(batch);
    } else {
      batches_out_.emplace(batches_, std::move(batch));
    }
  }
  full_.clear();
}

void Fanout::answer(Batch& batch) {
  effects_.answer.insert(effects_.answer.end(), batch.tickets.begin(), batch.tickets.end());
}

void Fanout::answered_by(NodeId peer) {
  for (auto at = batches_out_.begin(); at != batches_out_.end();) {
    at->second.peers.erase(peer);
    if (at->second.peers.empty()) {
      answer(at->second);
      at = batches_out_.erase(at);
    } else {
      ++at;
    }
  }
}

// ---------------------------------------------------------------- interest

void Fanout::say_interest(NodeId peer) {
  std::string bytes = head(kInterest, interests_);
  put_u8(bytes, interested_ ? 1 : 0);
  effects_.send.push_back({peer, std::move(bytes)});
}

void Fanout::say_interest_to_all() {
  ++interests_;
  for (const auto& [id, peer] : peers_) {
    say_interest(id);
  }
}

bool Fanout::all_heard() const {
  return interested_ && std::ranges::all_of(peers_, [this](const auto& item) {
           return item.second.heard == interests_;
         });
}

void Fanout::set_subscribed(bool subscribed) {
  subscribed_ = subscribed;
  if (subscribed && !std::exchange(interested_, true)) {
    say_interest_to_all();
  }
}

bool Fanout::want_interest(const ReplySlot& waits, int64_t now_ms) {
  if (!std::exchange(interested_, true)) {
    say_interest_to_all();
  }
  if (all_heard()) {
    about_to_ = true;
    return true;
  }
  waiting_.push_back({waits, now_ms + kFanoutWaitMs});
  return false;
}

void Fanout::look_at_waiting(int64_t now_ms) {
  const bool all = all_heard();
  std::erase_if(waiting_, [&](const Waiting& one) {
    const bool over = all || one.deadline_ms <= now_ms;
    if (over) {
      effects_.heard.push_back(one.to);
      about_to_ = true;
    }
    return over;
  });
}

// ---------------------------------------------------------------- turns

// Interest is given up here only, so that who subscribes and unsubscribes in turn tells nobody.
// What a link lost of it is said again.
void Fanout::tick(int64_t now_ms) {
  look_at_waiting(now_ms);
  while (!batches_out_.empty() && batches_out_.begin()->second.deadline_ms <= now_ms) {
    answer(batches_out_.begin()->second);
    batches_out_.erase(batches_out_.begin());
  }
  const bool keeps = std::exchange(about_to_, false) || !waiting_.empty();
  if (interested_ != subscribed_ && !(interested_ && keeps)) {
    interested_ = subscribed_;
    say_interest_to_all();
    return;
  }
  for (const auto& [id, peer] : peers_) {
    if (peer.heard != interests_) {
      say_interest(id);
    }
  }
}

FanoutEffects Fanout::take_effects() { return std::exchange(effects_, {}); }

}  // namespace kiwi::resp
