// Tracking: which clients of this node cache which keys (CLIENT TRACKING), and what they are told
// when a key changes. A plain class, owned by NodeContext, client loop only; the executor tells it
// what is read and what is changed, in that order, through KeyTracker.
//
// What a client remembers is invalidated once: whoever reads the key again is told again. A read is
// remembered when it is executed, never before, and what is told leaves behind its reply.
// Forgetting is only allowed together with telling, so whenever this node cannot know what changes
// it tells everybody that everything may have changed.
//
// As in Redis a key is its name alone: those of all databases are one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/base/ids.hpp"
#include "config/options.hpp"
#include "resp/push.hpp"
#include "resp/request.hpp"
#include "resp/types/outward.hpp"

namespace kiwi::resp {

class Tracking final : public KeyTracker {
 public:
  // How a client wants to be told.
  struct Mode {
    ConnectionId redirect = 0;  // the connection that is told instead; 0: itself
    bool broadcast = false;     // of all keys that begin with its prefixes, whoever read them
    bool opt_in = false;        // only of what is read by commands that it marked
    bool opt_out = false;       // of all but those
    bool no_loop = false;       // not of what it changes itself
  };
  struct Client {
    Mode mode;
    bool broken = false;             // the connection that is to be told has gone
    std::set<std::string> prefixes;  // broadcast
    std::set<uint64_t> marked;       // slots; those that are answered may stay for a while
  };
  // What some clients are told together.
  struct Notice {
    std::vector<ConnectionId> clients;
    bool everything = false;
    std::vector<std::string> keys;
  };
  // Can this node know what changes?
  struct Sight {
    bool serves = false;
    bool knows_leader = false;
    LogIndex commit;  // as this node knows it
    LogIndex applied;
    int64_t election_timeout_ms = 0;
    bool rests =
        false;  // in the middle of a turn: replies of what was read in it are still to come
  };

  // tracking-table-max-keys means names of so many bytes: longer ones take the room of several.
  static constexpr size_t kUsualNameBytes = 256;

  explicit Tracking(const config::Options& options) : options_(options) {}

  // ---- clients
  bool any() const { return !clients_.empty(); }
  size_t clients() const { return clients_.size(); }
  // About what its table takes.
  uint64_t memory_bytes() const {
    constexpr uint64_t kNode = 4 * sizeof(void*);  // of a tree, beside what it holds
    return bytes_ + table_.size() * (sizeof(Table::value_type) + kNode) +
           items_ * (sizeof(ConnectionId) + kNode);
  }
  // Adds prefixes to those that it has; without any, all keys.
  void turn_on(ConnectionId connection, const Mode& mode, const std::vector<std::string>& prefixes);
  void turn_off(ConnectionId connection);  // also when it ends
  Client* find(ConnectionId connection);
  // The command in this slot is marked (CLIENT CACHING); slots below `oldest` are answered.
  void mark(ConnectionId connection, uint64_t slot, uint64_t oldest);

  // ---- what happens (KeyTracker)
  bool follows(uint64_t connection, uint64_t slot) override;
  void remember(uint64_t connection, std::string_view key) override;
  void put_aside(uint64_t read, uint64_t connection, std::vector<std::string> keys) override;
  void answered(uint64_t read) override;
  void modified(std::string_view key, uint64_t by) override;
  void flushed() override;
  // About every 100 ms. While this node is blind everything is flushed, again and again: what is
  // read in between may be old. True: what is to be told may leave now. Of a turn that rests only a
  // flush may, which is said again behind its replies.
  bool look(const Sight& sight, int64_t now_ms);
  void end_turn();  // what is told from here on is behind the replies of the turn

  // ---- what is to be told, in order
  bool has_notices() const { return !notices_.empty() || !touched_.empty(); }
  std::vector<Notice> take_notices();

  size_t keys() const { return table_.size(); }
  size_t items() const { return items_; }  // a key that n clients remember is n
  size_t prefixes() const { return prefixes_.size(); }

 private:
  using Remembered = std::set<ConnectionId>;
  // Ordered by name: clients choose the names (F63).
  using Table = std::map<std::string, Remembered, std::less<>>;
  // A read that is executed later, on an older picture of the state than what it is answered
  // behind.
  struct Aside {
    ConnectionId connection = 0;
    std::vector<std::string> keys;
    std::set<std::string> changed;  // since
  };

  void forget_aside(std::map<uint64_t, Aside>::iterator aside);
  void touch_prefixes(std::string_view key, uint64_t by);
  void modified_aside(std::string_view key);
  void invalidate(Table::iterator found, uint64_t by);
  void drop_dead(Remembered& remembered);
  void make_room();
  void take_broadcasts();

  const config::Options& options_;
  std::unordered_map<ConnectionId, Client> clients_;
  Table table_;
  size_t items_ = 0;
  size_t bytes_ = 0;     // of the names in table_
  std::string evicted_;  // the key that went last to make room
  std::map<uint64_t, Aside> aside_;
  std::map<std::string, std::set<uint64_t>, std::less<>> aside_keys_;
  std::map<std::string, std::set<ConnectionId>> prefixes_;
  // By prefix: keys changed since the last take_notices(), and by whom; 0: by several, or by nobody
  // of this node.
  std::map<std::string, std::map<std::string, uint64_t, std::less<>>> touched_;
  std::vector<Notice> notices_;

  // look(): the commit that was known when everything known before was applied, and when that was.
  LogIndex awaited_;
  int64_t awaited_since_ms_ = 0;
  int64_t flushed_ms_ = -1;  // while blind: the last time
  bool flush_again_ = false;
};

// RESP3's push of a notice; and what a RESP2 subscriber of __redis__:invalidate gets.
std::string invalidation_push(const Tracking::Notice& notice);
std::string invalidation_message(const Tracking::Notice& notice);

}  // namespace kiwi::resp
