// Clients of this node that wait in blocking commands (F31): in memory, at the origin, in the order
// in which they came. A key that changed is looked at once a turn, and as many serves are asked for
// as are needed to take what is there: a serve is the client's own command as a write of this node,
// which does nothing if nothing is there when it is applied. Its waiter then keeps its place. While
// a serve is under way, neither a timeout nor CLIENT UNBLOCK ends its waiter: they wait for its
// fate.
//
// Plain class inside the Executor: a command that was not served begins to wait between two
// entries, so no push can come in between. No clock: set_clock(). Client loop only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "resp/executor_status.hpp"
#include "resp/request.hpp"
#include "resp/types/waited_keys.hpp"
#include "rocks/metadata.hpp"

namespace kiwi::resp {

struct CommandSpec;

struct Waiter {
  ReplySlot to;
  uint8_t resp_version = 2;
  bool reads = false;  // its command changes nothing: it is served where it waits
  uint32_t database = 0;
  rocks::Type type = rocks::Type::kList;  // of its keys
  const CommandSpec* row = nullptr;       // its command's
  uint64_t count = 1;                     // elements that one serve takes, at most
  int64_t until_ms = 0;                   // monotonic; 0: for ever
  std::string packed;                     // its command, plain
  std::string lane;                       // who waits in another lane wants other elements
  std::string token;                      // by which its command counts once; empty: it has none
  bool decided = false;           // of a token: an attempt counted already, so a serve answers
  std::vector<std::string> keys;  // no two alike
  // There was a moment since its call at which there was nothing for it. Only then nil is true.
  bool saw_nothing = true;
};

enum class WaitEnd : uint8_t {
  kNil,        // its time is over, or CLIENT UNBLOCK TIMEOUT
  kUnblocked,  // CLIENT UNBLOCK ERROR
  kForced,     // the node stops serving
  kUndecided,  // its time is over, and whether anything was there for it nobody could say
};

class Waiters {
 public:
  struct Ended {
    ReplySlot to;
    uint8_t resp_version = 2;
    WaitEnd how = WaitEnd::kNil;
  };
  // Of unblock(): whether it was that which ended the wait.
  struct Answer {
    ReplySlot to;
    uint8_t resp_version = 2;
    bool unblocked = false;
  };
  struct Effects {
    std::vector<Serve> serves;  // to be proposed, in this order
    std::vector<Ended> ended;   // nothing was taken for them, and nothing will be
    std::vector<Answer> answers;
    bool empty() const { return serves.empty() && ended.empty() && answers.empty(); }
  };
  // How many elements of a key there are for such a waiter: one of those in its lane.
  using Supply = std::function<uint64_t(const Waiter&, std::string_view key)>;
  // Serves one that reads; false: there was nothing.
  using ServeHere = std::function<bool(const Waiter&)>;
  // What this turn may still do: looks and serves together, and whether they have cost enough.
  struct Room {
    size_t left = 0;
    std::function<bool()> used_up = nullptr;
    bool over() const { return left == 0 || (used_up && used_up()); }
  };

  // ---- inputs
  // It waits from now on; is there something for it already, the next look() looks.
  void add(Waiter waiter);
  // What became of a serve.
  void served(uint64_t id);      // its reply was given
  void not_served(uint64_t id);  // nothing was there
  void returned(uint64_t id);    // it was not applied and never will be: again in a while, slowly
  void lost(uint64_t id);        // nobody knows; its client was told
  void lost_if_asked(uint64_t id);  // the same, unless its fate was heard already
  void connection_closed(ConnectionId connection);
  // The client was told that nobody knows: its wait is over, and nothing is taken for it any more.
  void client_answered(const ReplySlot& to);
  // The wait of that connection ends, unless it is served first. Answered once, maybe later.
  void unblock(ConnectionId connection, WaitEnd how, const Answer& by);
  void end_all(WaitEnd how);
  void look_at_all();  // the state is another one
  // An attempt with that token counted: a serve gives its reply to whoever waits with it.
  void token_decided(const std::string& name);
  static std::string token_name(uint64_t user, std::string_view token);
  std::vector<std::string> tokens() const;  // that somebody waits with, by name
  void set_clock(int64_t now_ms);

  // ---- once a turn, after whole entries
  // Looks at what changed and asks for serves. True: there is more to look at.
  bool look(const Supply& supply, const ServeHere& serve_here, Room room);
  Effects take_effects();

  bool anybody() const { return !blocked_.empty(); }
  // No look is needed.
  bool idle() const {
    return !anybody() && marked_.empty() && effects_.empty() && decided_.empty();
  }
  std::optional<int64_t> wake_at_ms() const;  // when set_clock() has something to do
  WaitedKeys& waited_keys() { return waited_keys_; }
  WaiterStatus status() const;

 private:
  // Whoever waits for the same elements of a key.
  struct LaneName {
    std::string key;
    uint32_t database = 0;
    rocks::Type type = rocks::Type::kList;
    bool reads = false;
    std::string lane;
    auto operator<=>(const LaneName&) const = default;
  };
  struct Lane {
    std::set<uint64_t> waiting;  // by age; those whose serve is under way are not in it
    uint64_t in_flight = 0;      // elements that serves under way may take here
  };
  struct Blocked {
    Waiter waiter;
    std::optional<size_t> aim;      // a serve is under way, asked for because of that key
    std::optional<WaitEnd> ending;  // as soon as its serve has failed
    std::optional<Answer> unblocker;
    bool gone = false;  // its client; it only waits for its serve's fate
  };
  using BlockedMap = std::unordered_map<uint64_t, Blocked>;
  // How far the look at a lane has come: of those who read, the next one's id.
  struct Mark {
    uint64_t from = 0;
    bool anew = false;  // it changed meanwhile: afterwards from the first one on
  };
  using Marks = std::map<LaneName, Mark>;

  static LaneName lane_of(const Waiter& waiter, size_t key);
  void mark(LaneName name);
  void mark_all_of(const Waiter& waiter);
  void mark_changes();
  bool look_at(Marks::iterator mark, const Supply& supply, const ServeHere& serve_here, Room& room);
  bool serve_readers(Marks::iterator mark, const ServeHere& serve_here, Room& room);
  bool serve_decided(Room& room);  // false: there are more
  void ask_serve(uint64_t id, Blocked& blocked, const LaneName& because);
  void end_served(BlockedMap::iterator it);
  LaneName take_back(Blocked& blocked);  // its serve is over; gives the lane that it was for
  void leave_lanes(uint64_t id, const Waiter& waiter);
  void enter_lanes(uint64_t id, const Waiter& waiter);
  void time_over(BlockedMap::iterator it);
  bool go_on(BlockedMap::iterator it);  // after a serve that took nothing: does it wait again?
  void end(BlockedMap::iterator it, WaitEnd how);
  void answer_unblocker(Blocked& blocked, bool unblocked);
  void erase(BlockedMap::iterator it);

  WaitedKeys waited_keys_;
  BlockedMap blocked_;
  // Ordered: clients choose the names (F63).
  std::map<LaneName, Lane> lanes_;
  Marks marked_;        // to be looked at
  LaneName look_from_;  // where the last look ended, so that no lane always comes last
  std::unordered_map<ConnectionId, uint64_t> of_connection_;
  std::set<std::pair<std::string, uint64_t>> of_token_;  // ordered: clients choose the names (F63)
  // Of them, those to be served whatever is there. Not while a serve is under way, which answers:
  // nobody has to be woken for that.
  std::set<uint64_t> decided_;
  std::set<std::pair<int64_t, uint64_t>> deadlines_;
  // A serve came back: until one is decided again they are asked for one at a time, none before.
  bool in_trouble_ = false;
  int64_t quiet_until_ms_ = 0;
  Effects effects_;
  int64_t now_ms_ = 0;
  uint64_t last_id_ = 0;
  WaiterStatus counters_;
};

}  // namespace kiwi::resp
