// What an operator may ask of the node and its cluster: the RAFT.* commands, SHUTDOWN, BGSAVE. The
// composition root fills these functions in (actors/node/*_shell.cpp); command handlers call
// them through NodeContext::admin. Client loop only.
//
// Every node takes every request: what only a leader can do is forwarded to it. `done` is called
// exactly once, on the client loop, maybe before the function returns, maybe seconds later; so a
// handler opens a LaterReply (session_state.hpp: defer()) and fills it from `done`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/ids.hpp"

namespace kiwi::resp {

struct AdminAnswer {
  std::string error;   // empty: done. Else a whole error text with its first word ("ERR ...")
  NodeId node;         // add_node: the id it has now
  ClusterId cluster;   // add_node, join
  std::string detail;  // backup: the directory
};
using AdminDone = std::function<void(const AdminAnswer&)>;

// Where a node is reached: `peer` empty = client port + 10000.
struct NodeAddress {
  NodeId id;  // 0 = let the cluster choose one that was never used
  std::string client;
  std::string peer;
};

// What MIGRATE says to another server: these bytes, which it answers with so many RESP replies.
struct Exchange {
  std::string host;
  std::string port;
  std::string request;
  size_t replies = 0;
  int64_t timeout_ms = 0;  // of all of it
};
// '+' and all the replies, or an error line as Migration::io_error() makes it. Once, on the client
// loop.
using ExchangeDone = std::function<void(std::string)>;
// Nobody waits for it any more: it ends, and its `done` is not called. Nothing once it was called.
using ExchangeCancel = std::function<void()>;

struct Admin {
  // RAFT.NODE ADD. The node must be running and empty (raft.bootstrap manual, or raft.join): it is
  // asked for its incarnation, added as a learner and promoted when it has caught up. `done` when
  // the entry that adds it is applied; the promotion follows by itself.
  std::function<void(NodeAddress, AdminDone)> add_node = [](NodeAddress, const AdminDone& done) {
    done(unavailable());
  };
  // RAFT.NODE REMOVE. A leader that is to go hands over first.
  std::function<void(NodeId, AdminDone)> remove_node = [](NodeId, const AdminDone& done) {
    done(unavailable());
  };
  // RAFT.RECONFIGURE: exactly these nodes are the members from now on; several changes at once go
  // through a joint configuration. Known ids need no address.
  std::function<void(std::vector<NodeAddress>, AdminDone)> reconfigure =
      [](std::vector<NodeAddress>, const AdminDone& done) { done(unavailable()); };
  // RAFT.TRANSFER_LEADER; 0 = the most up-to-date voter.
  std::function<void(NodeId, AdminDone)> transfer_leadership = [](NodeId, const AdminDone& done) {
    done(unavailable());
  };
  // SENTINEL FAILOVER: another node is announced, and leadership moves there; both come later. An
  // error text, empty: it began.
  std::function<std::string()> sentinel_failover = [] { return unavailable().error; };
  // RAFT.TIMEOUT_NOW: asks the leader to hand over to this node (F20).
  std::function<void(AdminDone)> timeout_now = [](const AdminDone& done) { done(unavailable()); };
  // RAFT.DEBUG NODECFG: makes a voter a learner or the other way round, through the log (F21).
  std::function<void(NodeId, bool, AdminDone)> set_voting =
      [](NodeId, bool, const AdminDone& done) { done(unavailable()); };
  // RAFT.CLUSTER JOIN, on the new node: host:port client addresses of members, any of them.
  std::function<void(std::vector<std::string>, AdminDone)> join =
      [](std::vector<std::string>, const AdminDone& done) { done(unavailable()); };
  // RAFT.DEBUG COMPACT: flushes the state and cuts the whole log below it, on this node.
  std::function<void(AdminDone)> compact = [](const AdminDone& done) { done(unavailable()); };
  // SAVE, BGSAVE: flushes the state and cuts the log as it is cut by itself, with its tail and what
  // followers still need kept: saving forces no snapshot on anybody.
  std::function<void(AdminDone)> save = [](const AdminDone& done) { done(unavailable()); };
  // CONFIG REWRITE: the file that was read at the start gets the options as they are now.
  std::function<void(AdminDone)> rewrite_config = [](const AdminDone& done) {
    done(unavailable());
  };
  // ACL SAVE: this text becomes the ACL file of this node.
  std::function<void(std::string, AdminDone)> save_acl_file =
      [](const std::string&, const AdminDone& done) { done(unavailable()); };
  // RAFT.BACKUP, scripts/backup: writes an openable copy of this node's state into a new directory.
  std::function<void(std::string, AdminDone)> backup = [](std::string, const AdminDone& done) {
    done(unavailable());
  };
  // Ids that are members or were removed, ascending.
  std::function<std::vector<NodeId>()> used_node_ids = [] { return std::vector<NodeId>(); };
  // RAFT.UPGRADE: why the cluster's version cannot be raised by one now, as far as this node knows;
  // an error text, empty: it can.
  std::function<std::string()> upgrade_refusal = [] { return unavailable().error; };
  // MIGRATE.
  std::function<ExchangeCancel(Exchange, ExchangeDone)> exchange = [](const Exchange&,
                                                                      const ExchangeDone& done) {
    done("-" + unavailable().error + "\r\n");
    return ExchangeCancel([] {});
  };
  // Of the members that this judges (members_digest.hpp).
  std::function<std::string()> members_digest = [] { return std::string(); };
  // RAFT.DRAIN: this node hands over what it can and sends its clients elsewhere; it serves on.
  std::function<void(AdminDone)> drain = [](const AdminDone& done) { done(unavailable()); };
  // SHUTDOWN: as SIGTERM, hands leadership over, finishes what is pending, ends the process.
  std::function<void()> shutdown = [] {};
  // RAFT.NODESHUTDOWN: ends the process at once, state flushed.
  std::function<void()> shutdown_now = [] {};

 private:
  static AdminAnswer unavailable() {
    return {"ERR this node cannot do that now", NodeId{}, ClusterId{}, {}};
  }
};

}  // namespace kiwi::resp
