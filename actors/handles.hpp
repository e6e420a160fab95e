// The typed interfaces of the actors, from those that know nobody to those that know the others.
#pragma once

#include <memory>

#include "actors/messages.hpp"

namespace kiwi::actors {

using ConnectionHandle = caf::typed_actor<caf::reacts_to<resp::ReplyBatch>,
                                          caf::reacts_to<work_atom>,   // look again: may be killed
                                          caf::reacts_to<ended_atom>,  // its socket is closed
                                          caf::reacts_to<part_atom>,
                                          caf::reacts_to<end_now_atom>>;

// Sent by a connection before its first request, and when it ends.
struct ConnectionOpened {
  resp::ConnectionId id = 0;
  ConnectionHandle handle;
};
struct ConnectionClosed {
  resp::ConnectionId id = 0;
};

using LinkHandle = caf::
    typed_actor<caf::reacts_to<LinkState>, caf::reacts_to<timer_atom>, caf::reacts_to<stop_atom>>;
// Which link wants to hear about a peer.
struct LinkRegistered {
  NodeId peer;
  LinkHandle link;
};

// Snapshots of this node, sent and received (snapshot_worker.hpp).
using SnapshotWorkerHandle = caf::typed_actor<caf::reacts_to<SnapshotFrame>,
                                              caf::reacts_to<SnapshotLink>,
                                              caf::reacts_to<SnapshotNews>,
                                              caf::reacts_to<raft::SnapshotWanted>,
                                              caf::reacts_to<SnapshotUseless>,
                                              caf::reacts_to<SnapshotJudged>,
                                              caf::reacts_to<SnapshotStored>,
                                              caf::reacts_to<StateSwapped>,
                                              caf::reacts_to<CheckpointMade>,
                                              caf::reacts_to<BackUp>,
                                              caf::reacts_to<timer_atom>,
                                              caf::reacts_to<stop_atom>>;
struct SnapshotWorkerStarted {
  SnapshotWorkerHandle worker;
  GroupId group = kFirstGroup;
};

// The node's replicas, of all its groups (replica_host.hpp).
using ReplicaHandle = caf::typed_actor<caf::reacts_to<PeerFrame>,
                                       caf::reacts_to<RaftOrders>,
                                       caf::reacts_to<Applied>,
                                       caf::reacts_to<LogPersisted>,
                                       caf::reacts_to<LogReadDone>,
                                       caf::reacts_to<LinkRegistered>,
                                       caf::reacts_to<LinkExpected>,
                                       caf::reacts_to<LinkDialled>,
                                       caf::reacts_to<LinkRefused>,
                                       caf::reacts_to<ChangeMembership>,
                                       caf::reacts_to<TransferLeadership>,
                                       caf::reacts_to<MemberReturned>,
                                       caf::reacts_to<PeerNote>,
                                       caf::reacts_to<SendFanout>,
                                       caf::reacts_to<CompactLog>,
                                       caf::reacts_to<SnapshotWorkerStarted>,
                                       caf::reacts_to<SnapshotFrame>,
                                       caf::reacts_to<SnapshotPin>,
                                       caf::reacts_to<SnapshotEnded>,
                                       caf::reacts_to<SnapshotArrived>,
                                       caf::reacts_to<StateSwapped>,
                                       caf::reacts_to<timer_atom>,
                                       caf::reacts_to<turn_atom>,
                                       caf::reacts_to<stop_atom>>;
// The group's core runs from now on.
struct ReplicaStarted {
  ReplicaHandle replica;
  LogIndex commit_hint;  // F39
  LogIndex log_end;      // as the node found it at its start
  GroupId group = kFirstGroup;
};

using LogStoreHandle = caf::typed_actor<caf::reacts_to<raft::PersistRequest>,
                                        caf::reacts_to<raft::LogRead>,
                                        caf::reacts_to<raft::CutRequest>,
                                        caf::reacts_to<InstallSnapshot>,
                                        caf::reacts_to<SnapshotWorkerStarted>,
                                        caf::reacts_to<LogWritten>,
                                        caf::reacts_to<ReplicaStarted>,
                                        caf::reacts_to<timer_atom>,
                                        caf::reacts_to<stop_atom>>;

using RouterHandle = caf::typed_actor<caf::reacts_to<ConnectionOpened>,
                                      caf::reacts_to<ConnectionClosed>,
                                      caf::reacts_to<resp::RequestBatch>,
                                      caf::reacts_to<InternalProposal>,
                                      caf::reacts_to<DelayOver>,
                                      caf::reacts_to<ExecutorReport>,
                                      caf::reacts_to<RaftReport>,
                                      caf::reacts_to<StateSwapped>,
                                      caf::reacts_to<ReplicaStarted>,
                                      caf::reacts_to<turn_atom>,
                                      caf::reacts_to<timer_atom>,
                                      caf::reacts_to<stop_atom>>;
struct RouterStarted {
  RouterHandle router;
};

using StateMachineHandle = caf::typed_actor<caf::reacts_to<ConnectionOpened>,
                                            caf::reacts_to<ConnectionClosed>,
                                            caf::reacts_to<ExecutorOrders>,
                                            caf::reacts_to<ApplyEntries>,
                                            caf::reacts_to<RaftReport>,
                                            caf::reacts_to<MakeCheckpoint>,
                                            caf::reacts_to<FlushState>,
                                            caf::reacts_to<StateFlushed>,
                                            caf::reacts_to<KeyspaceHasRoom>,
                                            caf::reacts_to<LongReadDone>,
                                            caf::reacts_to<resp::ReplyTaken>,
                                            caf::reacts_to<SwapState>,
                                            caf::reacts_to<SnapshotWorkerStarted>,
                                            caf::reacts_to<RouterStarted>,
                                            caf::reacts_to<ReplicaStarted>,
                                            caf::reacts_to<work_atom>,
                                            caf::reacts_to<timer_atom>,
                                            caf::reacts_to<stop_atom>>;

}  // namespace kiwi::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ConnectionOpened)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ConnectionClosed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LinkRegistered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ReplicaStarted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::RouterStarted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotWorkerStarted)
