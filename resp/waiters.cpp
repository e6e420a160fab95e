#include "resp/waiters.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/base/check.hpp"
#include "resp/batch.hpp"
#include "resp/mutants.hpp"

namespace kiwi::resp {

namespace {

// Timeouts end together in steps of so much: one wake-up for many.
constexpr int64_t kStepMs = 10;
// After a serve that could not be proposed none is asked for so long.
constexpr int64_t kAgainMs = 100;

int64_t step_up(int64_t ms) { return (ms + kStepMs - 1) / kStepMs * kStepMs; }

}  // namespace

// ---------------------------------------------------------------- lanes

Waiters::LaneName Waiters::lane_of(const Waiter& waiter, size_t key) {
  return {waiter.keys[key], waiter.database, waiter.type, waiter.reads, waiter.lane};
}

void Waiters::enter_lanes(uint64_t id, const Waiter& waiter) {
  for (size_t key = 0; key < waiter.keys.size(); ++key) {
    const bool is_new = lanes_[lane_of(waiter, key)].waiting.insert(id).second;
    CHECK_INVARIANT(is_new);
  }
}

void Waiters::leave_lanes(uint64_t id, const Waiter& waiter) {
  for (size_t key = 0; key < waiter.keys.size(); ++key) {
    const auto lane = lanes_.find(lane_of(waiter, key));
    CHECK_INVARIANT(lane != lanes_.end() && lane->second.waiting.contains(id));
    lane->second.waiting.erase(id);
    if (lane->second.waiting.empty() && lane->second.in_flight == 0) {
      lanes_.erase(lane);
    }
  }
}

void Waiters::mark(LaneName name) {
  const auto [mark, is_new] = marked_.try_emplace(std::move(name));
  mark->second.anew = !is_new && mark->second.from != 0;
}

void Waiters::mark_all_of(const Waiter& waiter) {
  for (size_t key = 0; key < waiter.keys.size(); ++key) {
    mark(lane_of(waiter, key));
  }
}

void Waiters::mark_changes() {
  const WaitedKeys::Changes changes = waited_keys_.take();
  if (changes.all) {
    look_at_all();
    return;
  }
  for (const std::string& name : changes.names) {
    LaneName first;
    first.key = name;
    first.type = rocks::Type{};  // before any
    for (auto lane = lanes_.lower_bound(first); lane != lanes_.end() && lane->first.key == name;
         ++lane) {
      mark(lane->first);
    }
  }
}

void Waiters::look_at_all() {
  for (const auto& [name, lane] : lanes_) {
    mark(name);
  }
}

// ---------------------------------------------------------------- coming and going

void Waiters::add(Waiter waiter) {
  CHECK_INVARIANT(!waiter.keys.empty() && waiter.count != 0 && waiter.to.connection != 0);
  // It asks no second time before it was answered: nobody can be left that no end would find.
  connection_closed(waiter.to.connection);
  const uint64_t id = ++last_id_;
  if (waiter.until_ms != 0) {
    waiter.until_ms = step_up(waiter.until_ms);
    deadlines_.emplace(waiter.until_ms, id);
  }
  for (const std::string& key : waiter.keys) {
    waited_keys_.want(key);
  }
  of_connection_.insert_or_assign(waiter.to.connection, id);
  enter_lanes(id, waiter);
  if (!waiter.token.empty()) {
    of_token_.emplace(waiter.token, id);
    if (waiter.decided) {
      decided_.insert(id);
    }
  }
  if (!waiter.saw_nothing) {
    mark_all_of(waiter);
  }
  blocked_.emplace(id, Blocked{std::move(waiter), {}, {}, {}, false});
}

void Waiters::erase(BlockedMap::iterator it) {
  const auto& [id, blocked] = *it;
  CHECK_INVARIANT(!blocked.aim && !blocked.unblocker);
  deadlines_.erase({blocked.waiter.until_ms, id});
  for (const std::string& key : blocked.waiter.keys) {
    waited_keys_.forget(key);
  }
  if (!blocked.waiter.token.empty()) {
    of_token_.erase({blocked.waiter.token, id});
    decided_.erase(id);
  }
  const auto of = of_connection_.find(blocked.waiter.to.connection);
  if (of != of_connection_.end() && of->second == id) {
    of_connection_.erase(of);
  }
  blocked_.erase(it);
}

void Waiters::answer_unblocker(Blocked& blocked, bool unblocked) {
  if (blocked.unblocker) {
    blocked.unblocker->unblocked = unblocked;
    effects_.answers.push_back(*std::exchange(blocked.unblocker, std::nullopt));
  }
}

// Not in any lane, and no serve under way.
void Waiters::end(BlockedMap::iterator it, WaitEnd how) {
  Blocked& blocked = it->second;
  CHECK_INVARIANT(!blocked.aim && !blocked.gone);
  effects_.ended.push_back({blocked.waiter.to, blocked.waiter.resp_version, how});
  answer_unblocker(blocked, true);
  erase(it);
}

void Waiters::connection_closed(ConnectionId connection) {
  const auto of = of_connection_.find(connection);
  if (of == of_connection_.end()) {
    return;
  }
  const auto it = blocked_.find(of->second);
  CHECK_INVARIANT(it != blocked_.end());
  it->second.gone = true;
  if (!it->second.aim) {
    leave_lanes(it->first, it->second.waiter);
    answer_unblocker(it->second, false);
    erase(it);
  }
}

void Waiters::client_answered(const ReplySlot& to) {
  const auto of = of_connection_.find(to.connection);
  if (of == of_connection_.end()) {
    return;
  }
  const auto it = blocked_.find(of->second);
  CHECK_INVARIANT(it != blocked_.end());
  if (it->second.waiter.to == to) {  // else it asked again meanwhile
    connection_closed(to.connection);
  }
}

void Waiters::unblock(ConnectionId connection, WaitEnd how, const Answer& by) {
  const auto of = of_connection_.find(connection);
  const auto it = of == of_connection_.end() ? blocked_.end() : blocked_.find(of->second);
  if (it == blocked_.end() || it->second.gone || it->second.ending) {
    effects_.answers.push_back({by.to, by.resp_version, false});
    return;
  }
  CHECK_INVARIANT(!it->second.unblocker);
  it->second.unblocker = by;
  if (it->second.aim) {
    it->second.ending = how;
    return;
  }
  leave_lanes(it->first, it->second.waiter);
  end(it, how);
}

void Waiters::end_all(WaitEnd how) {
  std::vector<uint64_t> ids;
  for (const auto& [id, blocked] : blocked_) {
    ids.push_back(id);
  }
  std::ranges::sort(ids);
  for (const uint64_t id : ids) {
    const auto it = blocked_.find(id);
    if (it->second.aim) {
      it->second.ending = it->second.ending.value_or(how);
    } else {
      leave_lanes(id, it->second.waiter);
      end(it, how);
    }
  }
}

void Waiters::set_clock(int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms_) {
    const uint64_t id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    const auto it = blocked_.find(id);
    CHECK_INVARIANT(it != blocked_.end());
    time_over(it);
  }
}

// Who came when something was there and stood behind others cannot be told nil: a serve decides.
void Waiters::time_over(BlockedMap::iterator it) {
  Blocked& blocked = it->second;
  const Waiter& waiter = blocked.waiter;
  if (blocked.aim) {
    blocked.ending = blocked.ending.value_or(WaitEnd::kNil);
    if (mutant(Mutant::kTimeoutBesideServe)) {
      effects_.ended.push_back({waiter.to, waiter.resp_version, WaitEnd::kNil});
    }
    return;
  }
  ++counters_.timeouts;
  if (!waiter.saw_nothing && !waiter.reads) {
    blocked.ending = WaitEnd::kNil;
    return ask_serve(it->first, blocked, lane_of(waiter, 0));
  }
  leave_lanes(it->first, waiter);
  end(it, WaitEnd::kNil);
}

std::optional<int64_t> Waiters::wake_at_ms() const {
  std::optional<int64_t> at;
  if (!deadlines_.empty()) {
    at = deadlines_.begin()->first;
  }
  if ((!marked_.empty() || !decided_.empty()) && anybody()) {
    at = std::min(at.value_or(quiet_until_ms_), quiet_until_ms_);
  }
  return at;
}

// ---------------------------------------------------------------- serves

void Waiters::ask_serve(uint64_t id, Blocked& blocked, const LaneName& because) {
  Waiter& waiter = blocked.waiter;
  const auto key = std::ranges::find(waiter.keys, because.key);
  CHECK_INVARIANT(!blocked.aim && key != waiter.keys.end());
  // Before it leaves: the lane stays while something is in flight for it.
  lanes_.at(because).in_flight += waiter.count;
  leave_lanes(id, waiter);
  decided_.erase(id);
  blocked.aim = static_cast<size_t>(key - waiter.keys.begin());
  ++counters_.serves;
  ++counters_.in_flight;
  CHECK_INVARIANT(counters_.in_flight <= blocked_.size());
  Serve& serve = effects_.serves.emplace_back();
  serve.waiter = id;
  serve.to = waiter.to;
  serve.resp_version = waiter.resp_version;
  pack_serve(serve.packed, waiter.packed);
}

Waiters::LaneName Waiters::take_back(Blocked& blocked) {
  CHECK_INVARIANT(blocked.aim.has_value() && counters_.in_flight != 0);
  --counters_.in_flight;
  LaneName name = lane_of(blocked.waiter, *std::exchange(blocked.aim, std::nullopt));
  const auto lane = lanes_.find(name);
  CHECK_INVARIANT(lane != lanes_.end() && lane->second.in_flight >= blocked.waiter.count);
  lane->second.in_flight -= blocked.waiter.count;
  if (lane->second.waiting.empty() && lane->second.in_flight == 0) {
    lanes_.erase(lane);
  }
  return name;
}

// It may have been served from another of its keys than the one that it was asked for.
void Waiters::served(uint64_t id) {
  const auto it = blocked_.find(id);
  CHECK_INVARIANT(it != blocked_.end());
  in_trouble_ = false;
  quiet_until_ms_ = 0;
  end_served(it);
}

void Waiters::lost(uint64_t id) {
  const auto it = blocked_.find(id);
  CHECK_INVARIANT(it != blocked_.end());
  end_served(it);
}

void Waiters::lost_if_asked(uint64_t id) {
  if (const auto it = blocked_.find(id); it != blocked_.end() && it->second.aim) {
    end_served(it);
  }
}

void Waiters::end_served(BlockedMap::iterator it) {
  mark(take_back(it->second));
  answer_unblocker(it->second, false);
  erase(it);
}

bool Waiters::go_on(BlockedMap::iterator it) {
  Blocked& blocked = it->second;
  if (blocked.gone) {
    answer_unblocker(blocked, false);
    erase(it);
    return false;
  }
  if (blocked.ending) {
    const bool says_nothing = *blocked.ending == WaitEnd::kNil && !blocked.waiter.saw_nothing;
    end(it, says_nothing ? WaitEnd::kUndecided : *blocked.ending);
    return false;
  }
  enter_lanes(it->first, blocked.waiter);
  if (blocked.waiter.decided) {
    decided_.insert(it->first);
  }
  return true;
}

void Waiters::not_served(uint64_t id) {
  const auto it = blocked_.find(id);
  CHECK_INVARIANT(it != blocked_.end());
  ++counters_.in_vain;
  in_trouble_ = false;
  quiet_until_ms_ = 0;
  it->second.waiter.saw_nothing = true;
  it->second.waiter.decided = false;  // else it would have been answered
  mark(take_back(it->second));
  if (go_on(it)) {
    mark_all_of(it->second.waiter);
  }
}

// Whoever asked next would be given back, too, and so on: the node has no leader, or no room. A
// client that left says nothing about that.
void Waiters::returned(uint64_t id) {
  const auto it = blocked_.find(id);
  CHECK_INVARIANT(it != blocked_.end());
  if (!it->second.gone) {
    in_trouble_ = true;
    quiet_until_ms_ = now_ms_ + kAgainMs;
  }
  mark(take_back(it->second));
  if (go_on(it)) {
    mark_all_of(it->second.waiter);
  }
}

// ---------------------------------------------------------------- looking

std::string Waiters::token_name(uint64_t user, std::string_view token) {
  std::string name;
  put_be(name, user);
  return name.append(token);
}

void Waiters::token_decided(const std::string& name) {
  for (auto it = of_token_.lower_bound({name, 0}); it != of_token_.end() && it->first == name;
       ++it) {
    const auto blocked = blocked_.find(it->second);
    CHECK_INVARIANT(blocked != blocked_.end());
    blocked->second.waiter.decided = true;
    if (!blocked->second.aim) {  // else its serve answers, or it is asked for again
      decided_.insert(it->second);
    }
  }
}

std::vector<std::string> Waiters::tokens() const {
  std::vector<std::string> names;
  for (const auto& [name, id] : of_token_) {
    if (names.empty() || names.back() != name) {
      names.push_back(name);
    }
  }
  return names;
}

bool Waiters::serve_decided(Room& room) {
  while (!decided_.empty()) {
    if (room.over() || now_ms_ < quiet_until_ms_) {
      return false;
    }
    --room.left;
    const auto it = blocked_.find(*decided_.begin());
    CHECK_INVARIANT(it != blocked_.end());
    ask_serve(it->first, it->second, lane_of(it->second.waiter, 0));
    quiet_until_ms_ = in_trouble_ ? now_ms_ + kAgainMs : 0;
  }
  return true;
}

// Each one that reads, once: what is there is there for all of them. False: there are more.
bool Waiters::serve_readers(Marks::iterator mark, const ServeHere& serve_here, Room& room) {
  for (;;) {
    const auto lane = lanes_.find(mark->first);
    if (lane == lanes_.end()) {
      return true;
    }
    const auto next = lane->second.waiting.lower_bound(mark->second.from);
    if (next == lane->second.waiting.end()) {
      if (!std::exchange(mark->second, Mark{}).anew) {
        return true;
      }
      continue;
    }
    if (room.over()) {
      return false;
    }
    --room.left;
    const auto it = blocked_.find(*next);
    CHECK_INVARIANT(it != blocked_.end());
    mark->second.from = *next + 1;
    if (serve_here(it->second.waiter)) {
      leave_lanes(it->first, it->second.waiter);
      answer_unblocker(it->second, false);
      erase(it);
    }
  }
}

// Afterwards what is under way is at least what is there, or nobody waits any more: nobody stands
// beside elements that nobody takes, and of many who wait for one element one asks for it. False:
// there is more to do for this lane.
bool Waiters::look_at(Marks::iterator mark,
                      const Supply& supply,
                      const ServeHere& serve_here,
                      Room& room) {
  const LaneName& name = mark->first;
  if (name.reads) {
    return serve_readers(mark, serve_here, room);
  }
  auto lane = lanes_.find(name);
  if (lane == lanes_.end() || lane->second.waiting.empty()) {
    return true;
  }
  if (now_ms_ < quiet_until_ms_) {
    return false;
  }
  const auto first = blocked_.find(*lane->second.waiting.begin());
  CHECK_INVARIANT(first != blocked_.end());
  const uint64_t there = supply(first->second.waiter, name.key);
  while (lane != lanes_.end() && !lane->second.waiting.empty() && lane->second.in_flight < there) {
    if (room.over() || now_ms_ < quiet_until_ms_) {
      return false;
    }
    --room.left;
    const auto it = blocked_.find(*lane->second.waiting.begin());
    CHECK_INVARIANT(it != blocked_.end());
    ask_serve(it->first, it->second, name);
    quiet_until_ms_ = in_trouble_ ? now_ms_ + kAgainMs : 0;
    lane = lanes_.find(name);
  }
  return true;
}

bool Waiters::look(const Supply& supply, const ServeHere& serve_here, Room room) {
  mark_changes();
  auto mark = marked_.lower_bound(look_from_);
  for (size_t lanes = marked_.size(); lanes != 0 && !room.over(); --lanes) {
    if (mark == marked_.end()) {
      mark = marked_.begin();
    }
    --room.left;
    mark = look_at(mark, supply, serve_here, room) ? marked_.erase(mark) : std::next(mark);
  }
  look_from_ = mark == marked_.end() ? LaneName{} : mark->first;
  const bool all_decided = decided_.empty() || serve_decided(room);
  return room.over() && (!marked_.empty() || !all_decided);
}

Waiters::Effects Waiters::take_effects() { return std::exchange(effects_, {}); }

WaiterStatus Waiters::status() const {
  WaiterStatus status = counters_;
  status.waiting = blocked_.size();
  CHECK_INVARIANT(status.in_flight <= status.waiting);
  return status;
}

}  // namespace kiwi::resp
