// What a data command works on: the database at one moment, with the clock, the seed and the
// command it runs for. One Context serves an executor for life; begin() points it at the next
// command. It holds nothing that depends on the node (F35).
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "config/base/prng.hpp"
#include "resp/acl/denial_log.hpp"
#include "resp/acl/users.hpp"
#include "resp/command.hpp"
#include "resp/executor_status.hpp"
#include "resp/reply.hpp"
#include "resp/types/handles.hpp"
#include "resp/user_view.hpp"

namespace kiwi::resp {

// When and as what a command runs.
struct Moment {
  int64_t now_ms = 0;  // the entry's stamp, or a reader's clock (F9)
  uint64_t seed = 0;   // of the entry; F10: commands of one entry draw different numbers
  uint64_t ordinal = 0;
  bool may_write = false;
  bool serve = false;  // for a client that waits (F31)
  uint64_t user = 0;   // who asks; 0: the default user, with a number or without
  // The reply is kept in the state: nothing in it may be what only this node knows.
  bool kept_reply = false;
  bool quiet = false;  // the reply is made, and nobody here waits for it
};

class ScriptEngine;
class Stopwatch;

// A command ends by it to take back whatever it did, and to answer this text, which has its first
// word: the same on every node.
struct Undone : std::exception {
  explicit Undone(std::string answer) : text(std::move(answer)) {}
  const char* what() const noexcept override { return text.c_str(); }
  std::string text;
};

class Context {
 public:
  Context(Database& database, ScriptEngine& scripts, Stopwatch& stopwatch)
      : state_(database),
        users_(database.users()),
        handles_(database),
        scripts_(scripts),
        stopwatch_(stopwatch) {}

  // ---- for the executor
  void begin(const CommandSpec& command, uint32_t database, const Moment& moment);
  void end() const { handles_.close(); }     // it succeeded
  bool met_ttl() const { return met_ttl_; }  // it saw a live key that has a deadline (F9)
  void forget_ttl() { met_ttl_ = false; }
  using Stats = CommandStats;
  const Stats& stats() const { return stats_; }
  void add(const Stats& stats) {
    stats_.hits += stats.hits;
    stats_.misses += stats.misses;
    stats_.expired += stats.expired;
    stats_.expired_fields += stats.expired_fields;
  }

  // It looked for something to take and there was nothing; so it did nothing (F31).
  bool found_nothing() const { return found_nothing_; }
  // What it was to run is not there; so it did nothing, and may be asked for again.
  bool found_no_script() const { return found_no_script_; }
  void forget_found() { found_nothing_ = found_no_script_ = false; }

  // ---- for a command that runs others inside itself (script_host.hpp); it has no handle open
  struct Frame {
    const CommandSpec* command = nullptr;
    uint32_t database = 0;
    Moment moment;
  };
  Frame frame() const { return {command_, database_, moment_}; }
  // The next one; or the command itself again. What an inner one left open is forgotten.
  void enter(const Frame& frame);

  // Who asks; nullptr: nobody who could be refused anything. Until the next call.
  void asked_by(acl::Users::Ptr user) { user_ = std::move(user); }
  UserView& user_view() { return users_; }
  // Something was refused to whoever asks; on the node of its client somebody keeps that.
  using Refused = std::function<void(acl::Denied, acl::Where, std::string_view object)>;
  void on_refusal(Refused told) { refused_ = std::move(told); }

  uint64_t take_expire_commands() { return std::exchange(expire_commands_, 0); }

  // ---- for commands
  const acl::Users& users() { return *users_.get(); }  // of the state
  const acl::NamedUser* user() const { return user_.get(); }
  void refused(acl::Denied denied, acl::Where where, std::string_view object) const {
    if (refused_) {
      refused_(denied, where, object);
    }
  }
  int64_t now_ms() const { return moment_.now_ms; }
  // As part of a log entry: what it computes must have the same bits on every node.
  bool may_write() const { return moment_.may_write; }
  const CommandSpec& row() const { return *command_; }
  std::string_view command() const { return command_->name; }  // as error texts show it
  uint32_t database() const { return database_; }              // logical
  Database& state() { return state_; }
  ScriptEngine& scripts() { return scripts_; }
  Stopwatch& stopwatch() { return stopwatch_; }  // only to tell it: no result depends on it
  Prng prng() const;

  Key find(std::string_view name);  // in the command's database
  Key find_in(uint32_t database, std::string_view name);
  Key read(std::string_view name);  // counted as a hit or a miss
  // The key as a T: to be changed, or only to be read, which counts as a hit or a miss. nullptr:
  // WRONGTYPE was answered.
  template <class T>
  T* open(std::string_view name, ReplyWriter& reply);
  template <class T>
  const T* read(std::string_view name, ReplyWriter& reply);
  // A key that was found, for those that take several types.
  template <class T>
  const T* open_for_reading(const Key& key) {
    return &handles_.read<T>(key);
  }
  // Of a blocking command, beside the reply that it gives in a block of MULTI.
  void nothing_there() { found_nothing_ = true; }
  void no_script() { found_no_script_ = true; }  // the same, of a script
  bool keeps_reply() const { return moment_.kept_reply; }
  uint64_t user_number() const { return moment_.user; }
  bool serves() const { return moment_.serve; }
  // Of a blocking command: whether it may take from the key. Who waits goes on waiting beside a key
  // that got another type; who does not is told so by open().
  bool takes_from(std::string_view name, rocks::Type type) {
    const Key key = find(name);
    return key.live && (!moment_.serve || key.meta.type == type);
  }
  void saw_ttl() { met_ttl_ = true; }  // commands that walk records themselves
  void count_expired(uint64_t keys, uint64_t fields) {
    stats_.expired += keys;
    stats_.expired_fields += fields;
  }
  void count_expire_command() { ++expire_commands_; }

  // A message of PUBLISH or SPUBLISH that leaves once the entry is committed, on every node. The
  // number of its receivers on this node: for the reply only, since no two nodes have the same.
  int64_t publish(bool sharded, std::string_view channel, std::string_view message) {
    const uint64_t here = state_.outward().publish(sharded, channel, message);
    return moment_.kept_reply ? 0 : static_cast<int64_t>(here);
  }
  // For notify-keyspace-events: something happened to the key.
  void notify(config::KeyClass of, std::string_view event, std::string_view key) {
    state_.outward().key_event({of, event}, database_, key);
  }
  void notify_in(uint32_t database,
                 config::KeyClass of,
                 std::string_view event,
                 std::string_view key) {
    state_.outward().key_event({of, event}, database, key);
  }

  // Saves what a command changed, and tells of it: the event, and del if no element is left.
  template <class T>
  void save(T& value, config::KeyClass of, std::string_view event) {
    const bool changed = value.changed();
    const bool stored = value.exists();
    value.save();
    if (changed) {
      notify(of, event, value.key().name);
      if (stored && !value.exists()) {
        notify(config::kEventGeneric, "del", value.key().name);
      }
    }
  }
  // So many elements replaced what a key held before.
  void notify_stored(config::KeyClass of,
                     std::string_view event,
                     std::string_view key,
                     uint64_t elements,
                     bool was_there) {
    if (elements != 0) {
      notify(of, event, key);
    } else if (was_there) {
      notify(config::kEventGeneric, "del", key);
    }
  }

  // Replaces whatever the key holds by a string; by nothing, if its deadline has passed. Tells of
  // it.
  void set_string(Key& key, std::string_view value, int64_t expire_at_ms, bool new_deadline = true);
  // Space for values that are built from old ones; the same buffer each time.
  std::string& scratch() { return scratch_.clear(), scratch_; }

 private:
  Database& state_;
  UserView users_;
  acl::Users::Ptr user_;
  Refused refused_;
  Handles handles_;
  ScriptEngine& scripts_;
  Stopwatch& stopwatch_;
  const CommandSpec* command_ = nullptr;
  uint32_t database_ = 0;
  Moment moment_;
  bool met_ttl_ = false;
  bool found_nothing_ = false;
  bool found_no_script_ = false;
  Stats stats_;
  uint64_t expire_commands_ = 0;
  std::string scratch_;
};

// Answers WRONGTYPE if the key is there with another type.
bool refuse_type(const Key& key, rocks::Type type, ReplyWriter& reply);

template <class T>
T* Context::open(std::string_view name, ReplyWriter& reply) {
  if (T* known = handles_.find<T>(state_.physical(database_), name)) {
    return known;
  }
  const Key key = find(name);
  return refuse_type(key, T::kType, reply) ? nullptr : &handles_.open<T>(key);
}

template <class T>
const T* Context::read(std::string_view name, ReplyWriter& reply) {
  const Key key = read(name);
  return refuse_type(key, T::kType, reply) ? nullptr : &handles_.read<T>(key);
}

}  // namespace kiwi::resp
