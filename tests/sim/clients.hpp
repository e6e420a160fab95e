// The clients of a world: each talks to one node at a time in pipelines of registers, counters,
// lists and expiring keys, and writes down what it was told.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "raft/types.hpp"
#include "resp/request.hpp"
#include "tests/sim/history.hpp"

namespace kiwi::sim {

class World;

class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  void start(size_t count);
  void stop() { stopping_ = true; }  // finish what was asked, ask nothing more
  bool idle() const;
  void on_replies(const resp::ReplyBatch& batch);
  void node_crashed(NodeId node);

  // When nothing fails any more: every key, asked of one node.
  void ask_everything(NodeId node);
  bool everything_answered() const { return final_waiting_ == 0; }
  FinalState take_final_state() { return std::exchange(final_, {}); }

  const History& history() const { return history_; }
  size_t count(Fate fate) const;

 private:
  struct Client {
    uint64_t id = 0;
    NodeId node;
    resp::ConnectionId connection = 0;
    uint64_t slot = 0;
    uint64_t turn = 0;                   // counts pipelines, so that old timers do nothing
    std::map<uint64_t, size_t> waiting;  // slot -> op
    std::set<uint64_t> timed_out;        // slots that were answered TIMEOUT
    std::map<uint64_t, std::string> final_waiting;  // slot -> key
    // A swap in the making (WATCH and GET were sent).
    bool swapping = false;
    uint64_t watch_slot = 0;  // WATCH that was not answered yet
    std::string swap_key;
    std::vector<resp::WatchToken> tokens;
    std::string swap_expected;
  };

  static std::string client_name(const Client& client);
  void connect(Client& client);
  void next(Client& client);
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
  std::string key_for(OpKind kind);
  void finish(Op& op, std::string_view reply);
  void on_swap_reply(Client& client, const resp::ReplyBatch& batch, std::string_view reply);

  World& world_;
  History history_;
  std::vector<Client> clients_;
  std::map<resp::ConnectionId, size_t> by_connection_;
  resp::ConnectionId last_connection_ = 0;
  uint64_t last_value_ = 0;
  std::map<std::string, uint64_t> uses_;
  std::map<std::string, uint64_t> generations_;
  bool stopping_ = false;
  size_t final_waiting_ = 0;
  FinalState final_;
};

}  // namespace kiwi::sim
