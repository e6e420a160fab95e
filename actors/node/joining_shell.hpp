// Visits to and from other nodes' peer ports, and what they lead to: this node joins a cluster
// (Joining), lets others in (Newcomers), or hears that it is no member any more (Removal). Thin; on
// the client loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "actors/node/homecoming.hpp"
#include "actors/node/joining.hpp"
#include "actors/node/newcomers.hpp"
#include "actors/node/node_parts.hpp"
#include "actors/node/orders_shell.hpp"
#include "actors/node/removal.hpp"

namespace kiwi::actors {

class JoiningShell {
 public:
  JoiningShell(NodeParts& node, OrdersShell& orders)
      : node_(node),
        orders_(orders),
        newcomers_(node.facts),
        homecoming_(node.facts),
        removal_(node.facts) {}

  void fill(resp::Admin& admin);
  void timer();

  // ---- this node
  void start();      // with raft.join, it asks to be let in
  void come_back();  // with an empty directory, while a cluster knows it
  bool joins() const { return joining_.active(); }
  void core_runs(bool removed);
  // Whom it met, as it is on disk: until the log tells.
  void remember_members();
  void removed_says(NodeId who);
  void replaced();  // by a new life of this node

  // ---- a member
  void returned(const std::vector<raft::Member>& newcomers);  // as their hellos say

  // ---- a visitor
  void visited(NodeId from, const std::string& question, std::function<void(std::string)> tell);

 private:
  using Heard = std::function<void(const VisitOutcome& outcome)>;
  void visit(const config::HostPort& address,
             const VisitQuestion& question,
             int64_t timeout_ms,
             Heard heard);
  void join_by_hand(const std::vector<std::string>& addresses, resp::AdminDone done);
  void get_acquainted(const raft::Configuration& members);
  void write_members();
  void members_written(const Result<void>& written);
  void let_in(NodeId from, const raft::Member& member, std::function<void(std::string)> tell);
  void ask_whether_removed();
  void carry_out(const JoinEffects& effects);
  void carry_out(NewcomerEffects effects);
  void carry_out(HomecomingEffects effects);

  NodeParts& node_;
  OrdersShell& orders_;
  Joining joining_;
  Newcomers newcomers_;
  Homecoming homecoming_;
  Removal removal_;
  resp::AdminDone join_done_;                          // of an operator who waits for it
  std::map<uint64_t, resp::AdminDone> newcomer_done_;  // of those who asked for them
  std::map<uint64_t, std::function<void(bool is_there)>> looked_;
  bool members_unwritten_ = false;
  bool writing_ = false;
};

}  // namespace kiwi::actors
