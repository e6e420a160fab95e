#include "actors/node/homecoming.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kLookAgainMs = 300;

bool answers(const raft::Member& newcomer, const VisitOutcome& outcome) {
  return outcome.reply && outcome.reply->yes() && outcome.reply->empty_node &&
         outcome.reply->member.id == newcomer.id &&
         outcome.reply->member.incarnation == newcomer.incarnation;
}

}  // namespace

uint64_t Homecoming::look(const raft::Member& newcomer) {
  const uint64_t id = next_++;
  if (const auto home = home_of(newcomer.id)) {
    visit(id, *home, {newcomer, false});
  } else {
    effects_.judged.push_back({id, false});
  }
  return id;
}

void Homecoming::returned(const std::vector<raft::Member>& newcomers, int64_t now_ms) {
  if (!cluster_.leads()) {
    return;
  }
  for (const raft::Member& newcomer : newcomers) {
    const auto home = home_of(newcomer.id);
    const auto looked = looked_at_ms_.find(newcomer.id);
    if (!home || (looked != looked_at_ms_.end() && now_ms - looked->second < kLookAgainMs)) {
      continue;
    }
    looked_at_ms_[newcomer.id] = now_ms;
    visit(next_++, *home, {newcomer, true});
  }
}

void Homecoming::visited(uint64_t visit, const VisitOutcome& outcome) {
  const auto found = visits_.extract(visit);
  if (!found) {
    return;
  }
  const bool is_there = answers(found.mapped().newcomer, outcome);
  if (!found.mapped().returned) {
    effects_.judged.push_back({visit, is_there});
  } else if (is_there) {
    effects_.requests.emplace_back(MemberReturned{std::move(found.mapped().newcomer)});
  }
}

std::optional<config::HostPort> Homecoming::home_of(NodeId member) const {
  const raft::Member* known = cluster_.committed.find(member);
  const auto home = config::parse_host_port(known == nullptr ? "" : known->peer_address);
  return home ? std::optional(*home) : std::nullopt;
}

void Homecoming::visit(uint64_t id, const config::HostPort& home, Visit visit) {
  visits_.emplace(id, std::move(visit));
  effects_.calls.push_back({id, home});
}

}  // namespace kiwi::actors
