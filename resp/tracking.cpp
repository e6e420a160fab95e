#include "resp/tracking.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/resp_writer.hpp"

namespace kiwi::resp {

namespace {

void write_keys(const Tracking::Notice& notice, RespWriter& writer) {
  if (notice.everything) {
    return writer.null();
  }
  writer.array(notice.keys.size());
  for (const std::string& key : notice.keys) {
    writer.bulk(key);
  }
}

}  // namespace

std::string invalidation_push(const Tracking::Notice& notice) {
  std::string out;
  RespWriter writer(&out, 3);
  writer.push(2);
  writer.bulk("invalidate");
  write_keys(notice, writer);
  return out;
}

std::string invalidation_message(const Tracking::Notice& notice) {
  std::string out;
  RespWriter writer(&out, 2);
  writer.push(3);
  writer.bulk("message");
  writer.bulk("__redis__:invalidate");
  write_keys(notice, writer);
  return out;
}

// ---------------------------------------------------------------- clients

void Tracking::turn_on(ConnectionId connection,
                       const Mode& mode,
                       const std::vector<std::string>& prefixes) {
  CHECK_INVARIANT(connection != 0 && (mode.broadcast || prefixes.empty()));
  CHECK_INVARIANT(!mode.opt_in || (!mode.opt_out && !mode.broadcast));
  Client& client = clients_[connection];
  client.mode = mode;
  client.broken = false;
  if (!mode.broadcast) {
    return;
  }
  client.prefixes.insert(prefixes.begin(), prefixes.end());
  if (prefixes.empty()) {
    client.prefixes.insert("");
  }
  for (const std::string& prefix : client.prefixes) {
    prefixes_[prefix].insert(connection);
  }
}

// What it remembered stays in the table until the key changes, or goes for others.
void Tracking::turn_off(ConnectionId connection) {
  const auto found = clients_.find(connection);
  if (found == clients_.end()) {
    return;
  }
  for (const std::string& prefix : found->second.prefixes) {
    const auto at = prefixes_.find(prefix);
    CHECK_INVARIANT(at != prefixes_.end() && at->second.contains(connection));
    at->second.erase(connection);
    if (at->second.empty()) {
      touched_.erase(prefix);
      prefixes_.erase(at);
    }
  }
  clients_.erase(found);
  for (auto at = aside_.begin(); at != aside_.end();) {
    const auto aside = at++;
    if (aside->second.connection == connection) {
      forget_aside(aside);
    }
  }
  if (clients_.empty()) {
    table_.clear();
    items_ = bytes_ = 0;
    notices_.clear();
  }
}

Tracking::Client* Tracking::find(ConnectionId connection) {
  const auto found = clients_.find(connection);
  return found != clients_.end() ? &found->second : nullptr;
}

void Tracking::mark(ConnectionId connection, uint64_t slot, uint64_t oldest) {
  CHECK_INVARIANT(oldest <= slot);
  if (Client* client = find(connection)) {
    client->marked.erase(client->marked.begin(), client->marked.lower_bound(oldest));
    client->marked.insert(slot);
  }
}

// ---------------------------------------------------------------- reads

bool Tracking::follows(uint64_t connection, uint64_t slot) {
  const Client* client = find(connection);
  if (client == nullptr || client->mode.broadcast) {
    return false;
  }
  if (client->mode.opt_in || client->mode.opt_out) {
    return client->marked.contains(slot) == client->mode.opt_in;
  }
  return true;
}

void Tracking::remember(uint64_t connection, std::string_view key) {
  if (key.size() > config::limits::kKeyNameBytes) {
    return;  // there is no such key and never will be
  }
  auto found = table_.lower_bound(key);
  if (found == table_.end() || found->first != key) {
    found = table_.emplace_hint(found, std::string(key), Remembered{});
    bytes_ += key.size();
  }
  Remembered& remembered = found->second;
  items_ += remembered.insert(connection).second ? 1 : 0;
  drop_dead(remembered);
  make_room();
}

// Connections that ended are not looked for when they do. A key that is read by many and never
// changed keeps no more of them than there are clients.
void Tracking::drop_dead(Remembered& remembered) {
  constexpr size_t kSlack = 16;
  if (remembered.size() <= 2 * clients_.size() + kSlack) {
    return;
  }
  items_ -= std::erase_if(remembered, [this](ConnectionId id) { return !clients_.contains(id); });
}

// What a client remembers of a key is an item of about 50 bytes: a key that many read is as many.
constexpr size_t kItemsPerKey = 8;

// In place of a random one the next by name goes, round and round: which it is does not matter.
void Tracking::make_room() {
  const auto most = static_cast<size_t>(options_.tracking_table_max_keys);
  while (most != 0 && (table_.size() > most || bytes_ / kUsualNameBytes >= most ||
                       items_ / kItemsPerKey > most)) {
    auto victim = table_.upper_bound(evicted_);
    victim = victim != table_.end() ? victim : table_.begin();
    evicted_ = victim->first;
    modified_aside(evicted_);  // nobody would be told of it behind the reply that is to come
    invalidate(victim, 0);
  }
}

// It stands aside before its keys are remembered: any of these may be what goes to make room, which
// is then to be told of behind its reply.
void Tracking::put_aside(uint64_t read, uint64_t connection, std::vector<std::string> keys) {
  const auto [aside, is_new] = aside_.emplace(read, Aside{connection, std::move(keys), {}});
  CHECK_INVARIANT(is_new);
  for (const std::string& key : aside->second.keys) {
    aside_keys_[key].insert(read);
  }
  for (const std::string& key : aside->second.keys) {
    remember(connection, key);
  }
}

void Tracking::answered(uint64_t read) {
  const auto found = aside_.find(read);
  if (found == aside_.end()) {
    return;
  }
  Aside& aside = found->second;
  if (!aside.changed.empty()) {
    notices_.push_back({{aside.connection}, false, {aside.changed.begin(), aside.changed.end()}});
  }
  forget_aside(found);
}

void Tracking::forget_aside(std::map<uint64_t, Aside>::iterator aside) {
  for (const std::string& key : aside->second.keys) {
    const auto at = aside_keys_.find(key);
    if (at != aside_keys_.end()) {  // a key may stand in a command twice
      at->second.erase(aside->first);
      if (at->second.empty()) {
        aside_keys_.erase(at);
      }
    }
  }
  aside_.erase(aside);
}

// ---------------------------------------------------------------- changes

void Tracking::modified(std::string_view key, uint64_t by) {
  touch_prefixes(key, by);
  modified_aside(key);
  if (const auto found = table_.find(key); found != table_.end()) {
    invalidate(found, by);
  }
}

void Tracking::invalidate(Table::iterator found, uint64_t by) {
  Notice notice;
  for (const ConnectionId id : found->second) {
    const Client* client = find(id);
    if (client != nullptr && !client->mode.broadcast && !(client->mode.no_loop && id == by)) {
      notice.clients.push_back(id);
    }
  }
  if (!notice.clients.empty()) {
    notice.keys.push_back(found->first);
    notices_.push_back(std::move(notice));
  }
  CHECK_INVARIANT(items_ >= found->second.size());
  items_ -= found->second.size();
  CHECK_INVARIANT(bytes_ >= found->first.size());
  bytes_ -= found->first.size();
  table_.erase(found);
}

// Also by the client itself: the reply that is to come is older than what it wrote.
void Tracking::modified_aside(std::string_view key) {
  if (aside_keys_.empty()) {
    return;
  }
  const auto found = aside_keys_.find(key);
  if (found == aside_keys_.end()) {
    return;
  }
  for (const uint64_t read : found->second) {
    const auto aside = aside_.find(read);
    CHECK_INVARIANT(aside != aside_.end());
    aside->second.changed.insert(found->first);
  }
}

// From the longest one on: the last name that is not behind the key begins it, or else every prefix
// of the key that is left is no longer than what the two have in common.
void Tracking::touch_prefixes(std::string_view key, uint64_t by) {
  if (prefixes_.empty()) {
    return;
  }
  std::string begin(key);  // those that are left begin this
  for (auto at = prefixes_.upper_bound(begin); at != prefixes_.begin();
       at = prefixes_.upper_bound(begin)) {
    const std::string& prefix = (--at)->first;
    if (!key.starts_with(prefix)) {
      const auto differs = std::ranges::mismatch(begin, prefix).in1;
      begin.resize(static_cast<size_t>(differs - begin.begin()));
      continue;
    }
    auto& keys = touched_[prefix];
    const auto found = keys.find(key);
    if (found == keys.end()) {
      keys.emplace(key, by);
    } else if (found->second != by) {
      found->second = 0;
    }
    if (prefix.empty()) {
      return;
    }
    begin.resize(prefix.size() - 1);
  }
}

void Tracking::flushed() {
  table_.clear();
  items_ = bytes_ = 0;
  touched_.clear();
  notices_.clear();
  for (auto& [read, aside] : aside_) {
    aside.changed.insert(aside.keys.begin(), aside.keys.end());
  }
  if (clients_.empty()) {
    return;
  }
  Notice notice;
  notice.everything = true;
  for (const auto& [id, client] : clients_) {
    notice.clients.push_back(id);
  }
  notices_.push_back(std::move(notice));
}

bool Tracking::look(const Sight& sight, int64_t now_ms) {
  if (sight.applied >= awaited_) {
    awaited_ = sight.commit;
    awaited_since_ms_ = now_ms;
  }
  const bool lags =
      sight.applied < awaited_ && now_ms - awaited_since_ms_ >= sight.election_timeout_ms;
  const bool blind = !sight.serves || !sight.knows_leader || lags;
  if (!blind || clients_.empty()) {
    flushed_ms_ = -1;
  } else if (flushed_ms_ < 0 || now_ms - flushed_ms_ >= sight.election_timeout_ms) {
    flushed_ms_ = now_ms;
    flushed();
    flush_again_ = flush_again_ || sight.rests;
    return true;
  }
  return !sight.rests;
}

// What the turn read before it rested nobody remembers any more, and the replies come only now.
void Tracking::end_turn() {
  if (std::exchange(flush_again_, false)) {
    flushed();
  }
}

// ---------------------------------------------------------------- what is told

// One notice a prefix and turn; those who do not want to hear of their own changes get their own.
void Tracking::take_broadcasts() {
  for (const auto& [prefix, keys] : touched_) {
    Notice all;
    for (const auto& [key, by] : keys) {
      all.keys.push_back(key);
    }
    for (const ConnectionId id : prefixes_.at(prefix)) {
      const Client& client = clients_.at(id);
      if (!client.mode.no_loop) {
        all.clients.push_back(id);
        continue;
      }
      Notice others{{id}, false, {}};
      for (const auto& [key, by] : keys) {
        if (by != id) {
          others.keys.push_back(key);
        }
      }
      if (!others.keys.empty()) {
        notices_.push_back(std::move(others));
      }
    }
    if (!all.clients.empty()) {
      notices_.push_back(std::move(all));
    }
  }
  touched_.clear();
}

std::vector<Tracking::Notice> Tracking::take_notices() {
  take_broadcasts();
  return std::exchange(notices_, {});
}

}  // namespace kiwi::resp
