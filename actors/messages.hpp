// What the actors of one node say to each other, and the one type that crosses to other nodes.
//
// Local messages are per batch and never serialised; they are sent by std::move and taken by
// reference, so CAF hands over the one instance (a copy is made only if a test repeats a message).
// PeerFrame is the only wire type. What is said to ReplicaHost, which hosts several Raft groups,
// names the group. Include handles.hpp for the typed interfaces.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "actors/replica_requests.hpp"
#include "config/base/byte_budget.hpp"
#include "config/base/result.hpp"
#include "config/limits.hpp"
#include "raft/core.hpp"
#include "raft/log_storage.hpp"
#include "resp/batch_trace.hpp"
#include "resp/long_read.hpp"
#include "resp/request.hpp"

namespace kiwi::actors {

struct OpenedState;  // opened_state.hpp

// ---------------------------------------------------------------- between nodes

// A whole message or one part of a long one (fragments.hpp). ON THE WIRE: the type's name and its
// fields.
struct PeerFrame {
  uint8_t kind = 0;    // FrameKind
  uint32_t group = 0;  // of the message; 0: the link's own
  std::string bytes;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, PeerFrame& frame) {
  return f(caf::meta::type_name("kiwi_frame"), frame.kind, frame.group, frame.bytes);
}
using PeerPort = caf::typed_actor<caf::reacts_to<PeerFrame>>;

// Names one hand-over of an authenticated socket to CAF: 128 random bits, agreed on before it.
using LinkToken = std::string;

// ---------------------------------------------------------------- on the client loop

// From an origin's router, once a loop turn.
struct ExecutorOrders {
  std::vector<std::shared_ptr<const resp::PendingBatch>> expect;
  std::vector<resp::ReadBatch> run_reads;
  std::vector<uint64_t> forget;
  std::vector<uint64_t> cancel_reads;
  std::vector<uint64_t> serves_returned;
  std::vector<uint64_t> serves_answered;
  std::vector<resp::ReplySlot> answered;  // behind forget
  std::vector<resp::ConnectionId> gone;   // before the serves
  bool end_waits = false;
};
// The executor's answer to the router, once a turn.
struct ExecutorReport {
  std::vector<resp::Settled> settled;
  resp::ReadOutcomes reads;
  LogIndex applied;
  std::optional<uint32_t> pressure;  // of the keyspace, if it was asked
  std::vector<resp::Serve> serves;
  bool anybody_waits = false;  // in a blocking command
};
struct DelayOver {  // to itself: they waited long enough for others
  resp::Waiting what = resp::Waiting::kWrites;
  uint64_t id = 0;
};
struct InternalProposal {
  std::string packed_command;
  bool of_any_member = false;  // else only a leader has a reason to
};

// ---------------------------------------------------------------- client loop <-> raft loop

// Between the nodes' fan-outs (resp/fanout.hpp), in the order in which it happened. Either loop may
// stand still while the other one goes on: what lies between them is bounded each way, and what
// does not fit is dropped. Short words, of interest, are not: there are few.
inline constexpr size_t kFanoutBytesBetweenLoops = 2 * config::limits::kPublicationBytes;
inline constexpr size_t kFanoutWordBytes = 64;
struct FanoutNews {  // replica -> router
  enum class What : uint8_t { kLinkUp, kLinkDown, kMessage };
  What what = What::kMessage;
  NodeId peer;
  std::string bytes;
  ByteBudget::Claim claim = nullptr;
};
struct SendFanout {  // -> replica
  struct Message {
    NodeId peer;
    std::string bytes;
    ByteBudget::Claim claim = nullptr;
  };
  std::vector<Message> messages;
};
struct RaftOrders {  // router -> replica, once a loop turn
  std::vector<raft::Proposal> propose;
  std::vector<resp::ReadIndexAsk> read_index;
  std::optional<bool> wants_commit;
  std::optional<bool> disk_full;
  GroupId group = kFirstGroup;
};
struct RaftReport {  // replica -> router and state machine, once a raft turn when there is
                     // something
  std::vector<raft::ReadReady> reads;
  std::vector<raft::ProposeRefused> refused;
  std::vector<raft::Event> events;
  std::vector<NodeId> links_up;
  std::optional<raft::Status> status;
  std::vector<PeerNote> notes;
  std::vector<FanoutNews> fanout;
  std::vector<resp::TraceStamp> trace;
};
struct ApplyEntries {
  std::vector<raft::Entry> entries;
};
struct Applied {
  LogIndex index;
  std::optional<std::vector<raft::SessionRow>> sessions;
  GroupId group = kFirstGroup;
  uint32_t cluster_version = 0;  // of the state there; 0: what it was
};

// ---------------------------------------------------------------- raft loop

struct LogPersisted {
  raft::PersistToken token;
  GroupId group = kFirstGroup;
};
struct LogWritten {  // LogStore's worker thread -> LogStore
  std::vector<raft::PersistToken> tokens;
  uint64_t microseconds = 0;
  std::string error;  // empty: durable
};
struct LogReadDone {
  raft::LogRead request;
  std::vector<raft::Entry> entries;
  Term prev_term;
  GroupId group = kFirstGroup;
};

// ---------------------------------------------------------------- snapshots

struct SnapshotFrame {  // of snapshot_protocol.hpp: peer <-> worker, through the node's links
  NodeId peer;
  std::string bytes;
  GroupId group = kFirstGroup;
};
struct SnapshotLink {  // replica -> worker
  NodeId peer;
  bool up = false;
};
struct SnapshotNews {  // replica -> worker, when it changed
  Term term;
  LogIndex applied;
  LogIndex commit;
};
struct SnapshotPin {  // worker -> replica: it is on its way there, from this node or another
  NodeId follower;
  LogIndex index;
  GroupId group = kFirstGroup;
};
struct SnapshotUseless {  // replica -> worker: the log begins too late for what was pinned
  NodeId follower;
};
struct SnapshotEnded {  // worker -> replica
  NodeId follower;
  LogIndex installed;
  bool ok = false;
  GroupId group = kFirstGroup;
};
struct SnapshotArrived {  // worker -> replica: whole, verified and under its name; install it?
  raft::SnapshotMeta meta;
  Term sender_term;
  std::string live_state;
  GroupId group = kFirstGroup;
};
struct SnapshotJudged {  // replica -> worker (F15)
  raft::SnapshotVerdict verdict = raft::SnapshotVerdict::kIgnored;
  LogIndex commit;
};
struct InstallSnapshot {  // replica -> LogStore, behind all writes before it
  raft::SnapshotMeta meta;
  std::string live_state;
};
struct SnapshotStored {};  // LogStore -> worker: F14's commit point is on disk
struct SwapState {         // worker -> StateMachine
  std::shared_ptr<OpenedState> fresh;
  raft::SnapshotMeta meta;
};
struct StateSwapped {  // StateMachine -> replica, router, worker
  raft::SnapshotMeta meta;
  int64_t stamp_ms = 0;
  std::vector<raft::SessionRow> sessions;
  std::shared_ptr<OpenedState> old;  // worker only
  GroupId group = kFirstGroup;
  uint32_t cluster_version = 1;
};
// -> StateMachine; `done` runs on any thread.
struct MakeCheckpoint {
  std::string directory;
  std::function<void(Result<LogIndex>)> done;
};
struct FlushState {
  bool write = true;                         // false: only tells how far the state's files are
  std::function<void(LogIndex, Term)> done;  // 0: nothing yet; it never goes back
};
struct LongReadDone {  // LongReads' threads -> StateMachine; also a piece of a reply
  resp::LongReadResult result;
};
struct KeyspaceHasRoom {};  // StateMachine to itself: held entries may go on
struct StateFlushed {       // StateMachine to itself
  LogIndex index;
  std::function<void(LogIndex, Term)> done;
};
struct CheckpointMade {  // -> worker
  std::string directory;
  std::string error;  // empty: it is there
};
struct BackUp {  // -> worker: a copy of the own state in a new directory
  std::string directory;
  std::function<void(std::string error)> done;  // any thread
};

// ---------------------------------------------------------------- links

// The peer that will say `token` first is the one whose socket was just handed over.
struct LinkExpected {
  NodeId peer;
  Incarnation incarnation;
  LinkToken token;
};
struct LinkDialled {  // this node dialled: greet the remote host with the token
  NodeId peer;
  Incarnation incarnation;
  LinkToken token;
  PeerPort remote;
};
struct LinkRefused {  // its directory is an old copy (F52)
  NodeId peer;
};
struct LinkState {  // ReplicaHost -> PeerLink
  NodeId peer;
  LinkToken token;
  bool up = false;
};

}  // namespace kiwi::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::resp::RequestBatch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::resp::ReplyBatch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::resp::ReplyTaken)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::raft::PersistRequest)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::raft::LogRead)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ExecutorOrders)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ExecutorReport)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::DelayOver)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::InternalProposal)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::RaftOrders)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SendFanout)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::RaftReport)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ApplyEntries)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::Applied)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::ChangeMembership)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::TransferLeadership)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::MemberReturned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LogPersisted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LogReadDone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LogWritten)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LinkExpected)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LinkDialled)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LinkRefused)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LinkState)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::raft::CutRequest)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::raft::SnapshotWanted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::PeerNote)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::CompactLog)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotFrame)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotLink)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotNews)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotPin)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotUseless)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotEnded)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotArrived)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotJudged)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::InstallSnapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SnapshotStored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::SwapState)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::StateSwapped)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::MakeCheckpoint)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::FlushState)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::StateFlushed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::KeyspaceHasRoom)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::LongReadDone)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::CheckpointMade)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(kiwi::actors::BackUp)

CAF_BEGIN_TYPE_ID_BLOCK(kiwi, first_custom_type_id)
CAF_ADD_TYPE_ID(kiwi, (kiwi::actors::PeerFrame))
CAF_ADD_ATOM(kiwi, kiwi::actors, turn_atom, "kturn")    // end of a loop turn
CAF_ADD_ATOM(kiwi, kiwi::actors, timer_atom, "ktimer")  // the loop's periodic timer
CAF_ADD_ATOM(kiwi, kiwi::actors, work_atom, "kwork")    // go on with what is queued
CAF_ADD_ATOM(kiwi, kiwi::actors, ended_atom, "kended")  // a socket is closed
CAF_ADD_ATOM(kiwi, kiwi::actors, stop_atom, "kstop")    // orderly end of the node
CAF_ADD_ATOM(kiwi, kiwi::actors, part_atom, "kpart")    // a connection ends behind an answer
CAF_ADD_ATOM(kiwi, kiwi::actors, end_now_atom, "know")  // it ends when what it read is answered
CAF_END_TYPE_ID_BLOCK(kiwi)
