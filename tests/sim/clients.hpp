// The clients of a world: each talks to one node at a time in pipelines of registers, counters,
// lists, expiring keys and registers with deadlines, and writes down what it was told.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "raft/types.hpp"
#include "resp/request.hpp"
#include "tests/sim/history.hpp"

namespace kiwi::sim {

class World;

// What they do most; the nemesis changes it.
struct Mood {
  NodeId focus;  // where new connections go, so often
  uint64_t focus_percent = 0;
  NodeId avoid;               // where nobody goes who need not
  std::vector<OpKind> kinds;  // nothing else, unless empty
  bool quiet = false;         // nobody asks anything
  int64_t think_us_max = 60'000;
  uint64_t pipeline_max = 6;
  uint64_t deadlines_percent = 30;
  uint64_t long_values_percent = 0;
  uint64_t heaps_percent = 0;
  uint64_t queues_percent = 0;
  uint64_t once_percent = 0;
  uint64_t lasts_ms = 0;  // every deadline, unless 0
};

class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  void start(size_t count);
  void stop();  // finish what was asked, ask nothing more
  bool idle() const;
  void on_replies(const resp::ReplyBatch& batch);
  void node_crashed(NodeId node);
  // So many of them hang up and go to that node at once, to read as long as it has answers.
  void visit(NodeId node, size_t count);
  void leave(NodeId node);  // all hang up there

  // When nothing fails any more: every key, asked of one node.
  void ask_everything(NodeId node);
  bool everything_answered() const { return final_waiting_ == 0 && final_asks_.empty(); }
  FinalState take_final_state() { return std::exchange(final_, {}); }

  const History& history() const { return history_; }
  size_t count(Fate fate) const;

  Mood mood;

 private:
  static constexpr size_t kLongValue = 9'000;  // longer than what goes through the log in one piece

  struct Client {
    uint64_t id = 0;
    NodeId node;
    NodeId visits;          // there next, if it runs
    bool visiting = false;  // reads only
    resp::ConnectionId connection = 0;
    uint64_t slot = 0;
    uint64_t turn = 0;                   // counts pipelines, so that old timers do nothing
    std::map<uint64_t, size_t> waiting;  // slot -> op
    std::set<uint64_t> timed_out;        // slots that were answered TIMEOUT
    std::map<uint64_t, std::string> final_waiting;  // slot -> key
    std::deque<size_t> repeats;                     // operations with tokens, to be asked again
    unsigned refused = 0;                           // repeats that settled nothing, lately
    // A swap in the making (WATCH and GET were sent).
    bool swapping = false;
    uint64_t watch_slot = 0;  // WATCH that was not answered yet
    std::string swap_key;
    std::vector<resp::WatchToken> tokens;
    std::string swap_expected;
  };

  static std::string client_name(const Client& client);
  void connect(Client& client);
  void open(Client& client);
  void next(Client& client);
  int64_t think_us();
  OpKind draw_kind(const Client& client, bool deadlines, bool heaps, bool queues);
  void ask_finally(Client& client);
  void again(Client& client, int64_t delay_us);
  void hang_up(Client& client);
  void submit(Client& client, resp::RequestBatch batch, int64_t patience_us);
  size_t ask(Client& client,
             resp::RequestBatch& batch,
             OpKind kind,
             const std::string& key,
             size_t before);
  void add(Client& client,
           resp::RequestBatch& batch,
           resp::RequestKind kind,
           const std::vector<std::string>& argv);
  void start_swap(Client& client, resp::RequestBatch& batch);
  void finish_swap(Client& client, resp::RequestBatch& batch);
  void ask_once(Client& client, resp::RequestBatch& batch);
  void repeat(Client& client, resp::RequestBatch& batch, size_t op);
  std::string key_for(OpKind kind);
  void finish(Op& op, std::string_view reply);
  void finish_once(Client& client, size_t op, std::string_view reply);
  void on_answer(Client& client, uint64_t slot, std::string_view text);
  void on_final_reply(Client& client, uint64_t slot, std::string_view text);
  void on_swap_reply(Client& client, const resp::ReplyBatch& batch, std::string_view reply);

  World& world_;
  History history_;
  std::vector<Client> clients_;
  std::map<resp::ConnectionId, size_t> by_connection_;
  resp::ConnectionId last_connection_ = 0;
  uint64_t last_value_ = 0;
  std::map<std::string, uint64_t> uses_;
  std::map<std::string, uint64_t> generations_;
  std::map<std::string, int64_t> due_us_;  // when the last deadline given to a key passes, about
  bool stopping_ = false;
  struct FinalAsk {
    std::string key;
    std::vector<std::string> argv;
  };
  std::deque<FinalAsk> final_asks_;
  size_t final_waiting_ = 0;
  FinalState final_;
};

}  // namespace kiwi::sim
