// A router on its own: what a client connection, the executor and Raft would say to it, and what it
// said, collected. Replies are checked to be given once per slot.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "resp/resp_writer.hpp"
#include "resp/router.hpp"

namespace kiwi::resp {

inline Incarnation incarnation_of(uint8_t n) {
  Incarnation incarnation;
  incarnation.bytes[0] = n;
  return incarnation;
}

class RouterHarness {
 public:
  static constexpr NodeId kSelf{1};
  static constexpr NodeId kOther{2};
  static constexpr NodeId kThird{3};

  static RouterOptions default_options() {
    RouterOptions options;
    options.node = kSelf;
    options.incarnation = incarnation_of(1);
    options.epoch = 7;
    return options;
  }

  explicit RouterHarness(const RouterOptions& options = default_options()) : router(options) {}

  // Serving, with `leader` ready in `term`.
  void up(NodeId leader = kSelf, uint64_t term = 1) {
    router.set_service(Service::kUp, now);
    lead(leader, term);
  }
  void lead(NodeId leader, uint64_t term, bool ready = true) {
    router.leader_changed(
        {Term{term}, leader, leader == kSelf ? raft::Role::kLeader : raft::Role::kFollower, ready},
        leader ? "127.0.0.1:" + std::to_string(7000 + leader.value) : "", now);
  }

  // One socket read: "w.." is a write, "r.." a read, "l.." one that may be long, "s.." a stale
  // read, "t.." a WATCH, "a<index>" a read at that index or later, "m<ms>" one of at most that age.
  void pipeline(ConnectionId connection, const std::vector<std::string>& commands) {
    RequestBatch batch;
    batch.connection = connection;
    batch.face = face;
    for (const std::string& text : commands) {
      Request request;
      request.slot = ++slots[connection];
      request.kind = text[0] == 'w'   ? RequestKind::kWrite
                     : text[0] == 'r' ? RequestKind::kRead
                     : text[0] == 'l' ? RequestKind::kRead
                     : text[0] == 's' ? RequestKind::kStaleRead
                     : text[0] == 'a' ? RequestKind::kAtLeast
                     : text[0] == 'm' ? RequestKind::kMaxLag
                                      : RequestKind::kWatch;
      if (text[0] == 'a' || text[0] == 'm') {
        request.wait_until_ms = std::stoll(text.substr(1));
      }
      request.may_be_long = text[0] == 'l';
      request.offset = static_cast<uint32_t>(batch.buffer.size());
      request.size = static_cast<uint32_t>(text.size());
      batch.buffer += text;
      batch.requests.push_back(request);
    }
    router.requests(std::move(batch), now);
  }

  // Ends the turn and gives what it produced; replies also go to `replies`.
  RouterEffects turn() {
    router.end_of_turn(now);
    return take();
  }
  RouterEffects tick(int64_t later_ms) {
    now += later_ms;
    router.tick(now);
    return take();
  }
  RouterEffects take() {
    RouterEffects effects = router.take_effects();
    for (const ReplyBatch& batch : effects.replies) {
      for (const ReplyPart& part : batch.parts) {
        auto [it, fresh] = replies.try_emplace({batch.connection, part.slot},
                                               batch.bytes.substr(part.offset, part.size));
        CHECK_MESSAGE(fresh, "slot ", part.slot, " answered twice");
      }
    }
    return effects;
  }
  std::string reply(ConnectionId connection, uint64_t slot) const {
    auto it = replies.find({connection, slot});
    return it == replies.end() ? "" : it->second;
  }

  void settle(uint64_t sequence, bool applied = true) {
    router.settled({sequence, applied, {}}, now);
  }
  void refuse(uint64_t sequence, raft::RefusalReason reason, uint64_t expect = 0) {
    router.refused({reason, number(sequence), expect}, now);
  }
  raft::ProposalNumber number(uint64_t sequence) const {
    return {kSelf, incarnation_of(1), 7, sequence};
  }

  Router router;
  Face face = Face::kRedisRaft;  // of the connections
  int64_t now = 1'000'000;
  std::map<ConnectionId, uint64_t> slots;
  std::map<std::pair<ConnectionId, uint64_t>, std::string> replies;
};

inline std::string error_line(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

// The commands of a payload.
inline std::vector<std::string> commands_of(const SharedBytes& payload) {
  std::vector<std::string> commands;
  BatchReader reader(payload.view());
  while (auto command = reader.next()) {
    commands.emplace_back(*command);
  }
  CHECK(reader.ok());
  return commands;
}

inline std::vector<uint64_t> sequences_of(const RouterEffects& effects) {
  std::vector<uint64_t> sequences;
  for (const raft::Proposal& proposal : effects.propose) {
    sequences.push_back(proposal.number.sequence);
  }
  return sequences;
}

inline bool is_void(const raft::Proposal& proposal) {
  return proposal.kind == raft::EntryKind::kVoid && proposal.payload.empty();
}

}  // namespace kiwi::resp
