// The router: where does each request of this node's clients go, and what became of it. The plain
// class inside the CommandRouter actor; client loop only; no clock of its own (now_ms is given,
// monotonic).
//
// It packs writes of all connections into numbered batches (the number is allotted at the first
// hand-over to Raft, F3), keeps them until they are applied here, sends them again in order when a
// leader changed or progress stopped (F23), asks for read indexes in shared rounds, keeps program
// order per connection (F6), and answers what cannot be finished in time (F5).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.hpp"
#include "resp/request.hpp"
#include "resp/router_status.hpp"

namespace kiwi::resp {

struct RouterOptions {
  GroupId group = kFirstGroup;  // where its proposals go
  NodeId node;
  Incarnation incarnation;
  uint64_t epoch = 0;
  int64_t response_timeout_ms = 10000;
  int64_t election_timeout_ms = 300;  // resend when nothing moved for so long
  bool follower_proxy = true;
  size_t batch_commands_max = 256;
  size_t batch_bytes_max = 64 << 10;     // one bigger command goes alone
  size_t inflight_bytes_max = 32 << 20;  // handed to Raft and not applied; more waits here
  size_t inflight_batches_max = 1024;
  // What a sync, the messages and the hand-over of a batch cost is shared by its commands. So
  // writes wait for others (group commit) while earlier ones of this node are on their way, and so
  // long once those are applied: their clients will write again. Microseconds; 0: they never wait.
  int64_t group_commit_us = 0;
  // The same for linearizable reads: what a round of ReadIndex costs all nodes is shared by them.
  int64_t read_gather_us = 0;
};

struct RouterEffects {
  std::vector<std::shared_ptr<const PendingBatch>> expect;  // to the executor, before `propose`
  std::vector<raft::Proposal> propose;                      // to Raft, in order
  std::vector<ReadIndexAsk> read_index;                     // to Raft
  std::vector<ReadBatch> run_reads;                         // to the executor
  std::vector<uint64_t> forget;                             // to the executor
  std::vector<uint64_t> cancel_reads;                       // to the executor
  std::vector<ReplyBatch> replies;                          // refusals and timeouts, to connections
  std::vector<uint64_t> serves_returned;                    // to the executor: not handed over
  std::vector<uint64_t> serves_answered;                    // the same, and the client was told
  std::vector<ReplySlot> answered;    // to the executor, behind forget: of clients that would wait
  std::vector<ConnectionId> gone;     // to the executor, again: nothing of theirs is on its way
  bool end_waits = false;             // to the executor
  bool wants_commit_changed = false;  // to Raft: set_wants_commit
  bool wants_commit = false;
};

class Router {
 public:
  explicit Router(const RouterOptions& options);
  ~Router();

  // ---- inputs
  void requests(RequestBatch batch, int64_t now_ms);
  // No reply. Of a leader (expiry, F8), or what any member has to say.
  void propose_internal(std::string packed_command, int64_t now_ms, bool of_any_member = false);
  void serves(std::vector<Serve> serves, int64_t now_ms);  // of clients that wait (F31)
  void connection_closed(ConnectionId connection);
  // Clients of this node cache keys: it wants to know of every commit at once.
  void set_follows_commits(bool follows);
  void end_of_turn(int64_t now_ms);  // hands over what was packed since the last turn
  void settled(const Settled& settled, int64_t now_ms);
  void take(ReadOutcomes reads, int64_t now_ms);  // of one turn of the executor
  void reads_done(uint64_t id, int64_t now_ms);
  void read_split(const SplitRead& split);
  void reads_again(ReadBatch batch, int64_t now_ms);
  void read_ready(const raft::ReadReady& ready, int64_t now_ms);
  void refused(const raft::ProposeRefused& refused, int64_t now_ms);
  // A snapshot was installed; this node's own row in it (F22).
  void session_row(uint64_t epoch, uint64_t last, int64_t now_ms);
  void leader_changed(const raft::LeaderChanged& leader,
                      std::string client_address,
                      int64_t now_ms);
  // The member whom leader_changed() named may become known later, as to a node that has just
  // joined.
  void set_leader_address(std::string client_address);
  // Where clients that speak TLS reach that leader; empty: nowhere. Told before leader_changed().
  void set_leader_tls_address(std::string address);
  // Where that leader shows the cluster face; empty: not known, or nowhere.
  void set_leader_cluster_address(std::string address);
  void set_follower_proxy(bool forwards, int64_t now_ms);
  void link_up(NodeId peer, int64_t now_ms);
  void set_service(Service service, int64_t now_ms);
  // This node's disk is nearly full: new writes of its clients are refused.
  void set_disk_full(bool full);
  // It has no room for what one entry may build beside its turn: COPY and MOVE are refused.
  void set_builds_refused(bool refused);
  // How far this node's state lags behind (Keyspace::pressure()), and the leader's, as it said
  // last. Writes slow down, the more the higher the worse of both is: batches go one by one, and
  // each is followed by a pause that its size and the pressure decide.
  void set_pressure(uint32_t pressure);
  // Clients of this node wait in blocking commands: what is committed concerns them at once.
  void set_waiting_clients(bool any);
  void set_leader_pressure(uint32_t pressure, int64_t now_ms);
  void tick(int64_t now_ms);  // every 50-100 ms

  // Whether sockets were not looked at while the last batches were under way, but right before they
  // were settled: whoever was ready to write has written.
  void set_looks_at_commits(bool so);

  using Waiting = resp::Waiting;
  // What waits for others, and writes that wait because a state lags behind: call end_delay() after
  // wait_us, then look again. Another id is another wait.
  struct Delay {
    uint64_t id = 0;
    int64_t wait_us = 0;  // 0: nothing waits
    bool soon = false;    // for clients that were just answered and should ask again at once
  };
  Delay delay(Waiting what) const;
  void end_delay(Waiting what, int64_t now_ms);

  RouterEffects take_effects();
  std::pair<NodeId, Incarnation> origin() const;
  RouterStatus status() const;
  RouterDelays take_slowest();     // since the last call
  bool needs_end_of_turn() const;  // something is packed and not handed over
  Flight flight() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiwi::resp
