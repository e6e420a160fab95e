#include "resp/migration.hpp"

#include <algorithm>
#include <initializer_list>
#include <span>
#include <utility>

#include "config/base/check.hpp"
#include "resp/reply_size.hpp"
#include "resp/texts.hpp"
#include "resp/types/printable.hpp"

namespace kiwi::resp {

namespace {

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kNoKey = "+NOKEY\r\n";

std::string error(std::string_view text) { return "-" + std::string(text) + "\r\n"; }

void add_command(std::string& out, std::initializer_list<std::string_view> words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out.append(word);
    out += "\r\n";
  }
}

// The first reply of `bytes`, which goes from there; empty: there is no whole one.
std::string_view take_reply(std::string_view& bytes) {
  const std::string_view reply = bytes.substr(0, reply_size(bytes));
  bytes.remove_prefix(reply.size());
  return reply;
}

// For an answer; of very many the first ones.
std::string named(std::string_view how, const std::vector<std::string_view>& keys) {
  constexpr size_t kNamed = 100;
  std::string out;
  for (const std::string_view key : std::span(keys).first(std::min(keys.size(), kNamed))) {
    out += out.empty() ? how : ", ";
    out += printable(key);
  }
  return keys.size() > kNamed ? out + " and " + std::to_string(keys.size() - kNamed) + " more"
                              : out;
}

// Of a bulk string; nullopt: null, or no bulk string.
std::optional<std::string_view> bulk_of(std::string_view reply) {
  const size_t end = reply.find("\r\n");
  if (!reply.starts_with('$') || end == std::string_view::npos || reply[1] == '-') {
    return std::nullopt;
  }
  return reply.substr(end + 2, reply.size() - end - 4);
}

}  // namespace

Migration::Migration(MigrateOrder order) : order_(std::move(order)) {
  // Twice as a name, twice as a token; once for all, since a session counts itself often.
  for (const std::string& key : order_.keys) {
    names_bytes_ += 2 * (sizeof(std::string) + sizeof(WatchToken)) + 4 * key.size();
  }
}

Migration::Step Migration::say(std::string reply) {
  answer_ = std::move(reply);
  std::string().swap(request_);
  return Step::kAnswer;
}

Migration::Step Migration::watched(std::string_view reply, std::vector<WatchToken> tokens) {
  if (reply.starts_with('-')) {
    return say(std::string(reply));
  }
  CHECK_INVARIANT(tokens.size() <= order_.keys.size());
  watched_ = std::move(tokens);
  return Step::kRead;
}

std::string Migration::io_error(std::string_view where) {
  return error("IOERR error or timeout " + std::string(where));
}

void Migration::add_preface() {
  replies_ = 1;
  if (order_.password && order_.user) {
    add_command(request_, {"AUTH", *order_.user, *order_.password});
    ++replies_;
  } else if (order_.password) {
    add_command(request_, {"AUTH", *order_.password});
    ++replies_;
  }
  add_command(request_, {"SELECT", std::to_string(order_.database)});
}

void Migration::add_restore(std::string_view key, std::string_view ttl, std::string_view payload) {
  // What an earlier attempt left there is older than this.
  if (order_.replace || !copies_.empty()) {
    add_command(request_, {"RESTORE", key, ttl, payload, "REPLACE"});
  } else {
    add_command(request_, {"RESTORE", key, ttl, payload});
  }
  ++replies_;
}

// kiwi.migrate answers two for each key: its time to live (0: none) and its payload, null without
// such a key.
Migration::Step Migration::read(std::string_view reply) {
  if (!reply.starts_with('*')) {
    return say(std::string(reply));
  }
  CHECK_INVARIANT(copies_.empty() || copies_.size() == order_.keys.size());
  reply.remove_prefix(reply.find("\r\n") + 2);
  request_.clear();
  here_.clear();
  add_preface();
  const size_t replies_of_preface = replies_;
  Names went;     // since the target has a copy
  Names changed;  // since then
  for (size_t i = 0; i < order_.keys.size(); ++i) {
    const std::string& key = order_.keys[i];
    const std::string_view ttl = take_reply(reply);
    const std::optional<std::string_view> payload = bulk_of(take_reply(reply));
    if (!payload) {
      went.push_back(key);
      continue;
    }
    here_.push_back(key);
    if (!copies_.empty() && i < watched_.size() && watched_[i] == copies_[i]) {
      continue;  // the copy is what the key is; what the target made of it since then stays
    }
    changed.push_back(key);
    add_restore(key, ttl.substr(1, ttl.size() - 3), *payload);
  }
  if (!copies_.empty() && (!went.empty() || attempt_ > kAttempts)) {
    return stay(went, changed);
  }
  if (here_.empty()) {
    return say(std::string(kNoKey));
  }
  if (!order_.copy && !keep_tokens_of_what_is_here()) {
    return say("-ERR not every key could be watched, nothing was sent or deleted: try again\r\n");
  }
  return replies_ > replies_of_preface ? Step::kExchange : Step::kDelete;
}

// All keys stay here, and the target keeps copies. A copy of a key that went would bring back what
// a client deleted, if nobody heard of it.
Migration::Step Migration::stay(const Names& went, const Names& changed) {
  return say(
      error("ERR a key changed or went while it was migrated: the target has a copy of what it "
            "was, and nothing was deleted here" +
            named("; went: ", went) + named("; changed: ", changed)));
}

// One pass over both, which are in the order of order_.keys: a command may name a million.
bool Migration::keep_tokens_of_what_is_here() {
  std::vector<WatchToken> kept;
  kept.reserve(here_.size());
  for (WatchToken& token : watched_) {
    if (kept.size() < here_.size() && token.key == here_[kept.size()]) {
      kept.push_back(std::move(token));
    }
  }
  // Safety: a key without a token would be deleted whatever became of it.
  if (kept.size() != here_.size()) {
    return false;
  }
  watched_ = std::move(kept);
  return true;
}

Migration::Step Migration::exchanged(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != '+') {
    return say(std::string(bytes));
  }
  CHECK_INVARIANT(!here_.empty() && replies_ > 1);
  bytes.remove_prefix(1);
  std::string().swap(request_);
  for (size_t i = 0; i < replies_; ++i) {
    const std::string_view reply = take_reply(bytes);
    if (!reply.starts_with('+')) {
      const std::string_view said = reply.substr(std::min<size_t>(1, reply.size()));
      return say(error("ERR Target instance replied with error: " +
                       std::string(said.substr(0, said.find('\r')))));
    }
  }
  if (order_.copy) {
    return say(std::string(kOk));
  }
  return Step::kDelete;
}

Migration::Step Migration::deleted(std::string_view reply) {
  if (reply.starts_with('-')) {
    return say(std::string(reply));
  }
  CHECK_INVARIANT(!order_.copy && attempt_ <= kAttempts);
  const bool changed = reply.starts_with("*-") || reply.starts_with('_');
  if (!changed) {
    const std::string_view of_del = reply.substr(reply.find("\r\n") + 2);
    return say(std::string(of_del.starts_with('-') ? of_del : kOk));
  }
  // After the last attempt, too: the client is told which keys they are.
  ++attempt_;
  order_.keys = std::move(here_);
  copies_ = std::move(watched_);
  return Step::kRead;
}

}  // namespace kiwi::resp
