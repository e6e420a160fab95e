// The values that the Raft core, its storage and its peers exchange. Plain data, no behaviour that
// needs a clock, a thread or a device.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "config/base/bytes.hpp"
#include "config/base/ids.hpp"

namespace kiwi::raft {

// ON DISK and on the wire, never renumber.
enum class EntryKind : uint8_t {
  kNoop = 0,           // opens a term (§6.4)
  kBatch = 1,          // commands of one origin, opaque to the core
  kVoid = 2,           // takes an origin's number and applies as nothing (F3, F5)
  kConfiguration = 3,  // payload: encode_configuration()
  kTick = 4,           // carries only its stamp (F9)
};

// The number of a proposal (F3, F4): allotted by its origin at the first hand-over to Raft and
// bound to its bytes for ever, except that the same number may later carry kVoid.
struct ProposalNumber {
  NodeId node;
  Incarnation incarnation;
  uint64_t epoch = 0;     // boot epoch of the origin, >= 1
  uint64_t sequence = 0;  // 1, 2, 3, ... within the epoch
  GroupId group = kFirstGroup;

  bool operator==(const ProposalNumber&) const = default;
};

// A checksum that somebody computed before, or 0. It says nothing that its owner's other fields do
// not say, so it makes no difference between owners.
struct KnownChecksum {
  uint64_t value = 0;

  bool operator==(const KnownChecksum&) const { return true; }
};

// Nobody changes an entry that is sealed (raft/codec.hpp); those from the log or a peer are.
struct Entry {
  LogIndex index;
  Term term;
  EntryKind kind = EntryKind::kNoop;
  int64_t stamp_ms = 0;   // cluster time given by the leader; never decreases along the log (F37)
  uint64_t seed = 0;      // for commands that draw random numbers
  ProposalNumber number;  // kBatch and kVoid only
  SharedBytes payload;
  KnownChecksum checksum;  // of the encoded entry

  bool operator==(const Entry&) const = default;
};

// What must survive a crash before a vote or an ack is sent (§3.8).
struct HardState {
  Term term;
  NodeId voted_for;  // 0 = nobody in this term

  bool operator==(const HardState&) const = default;
};

inline constexpr uint32_t kMemberLabelsSince = 2;  // cluster version (config/version.hpp)

struct Member {
  NodeId id;
  Incarnation incarnation;
  std::string client_address;  // host:port for clients (MOVED)
  std::string peer_address;    // host:port for links
  // From cluster version kMemberLabelsSince on.
  std::string tls_client_address = {};  // host:port for clients that speak TLS; empty: none
  std::map<std::string, std::string> labels = {};  // of the operator: zone, rack ...
  bool operator==(const Member&) const = default;
};

// A cluster's members. While joint (§4.3) outgoing_voters is not empty and every quorum needs a
// majority of both voters and outgoing_voters. Members not named in either list are learners. A
// voter that a joint configuration removes stays a member until the final one.
struct Configuration {
  ClusterId cluster;
  std::vector<Member> members;          // ordered by id
  std::vector<NodeId> voters;           // ordered
  std::vector<NodeId> outgoing_voters;  // ordered; empty unless joint
  std::vector<NodeId> removed_ids;      // used once, never again (F18); replacement keeps its id
  std::vector<NodeId> promoting;        // learners that whoever leads promotes once caught up
  bool operator==(const Configuration&) const = default;

  bool is_joint() const { return !outgoing_voters.empty(); }
  const Member* find(NodeId id) const;  // nullptr if not a member
  bool is_voter(NodeId id) const;       // in either half
  bool has(NodeId id, const Incarnation& incarnation) const;
};

// A replicated session row as the state machine holds it: what was applied last of an origin in a
// group (F4).
struct SessionRow {
  NodeId node;
  Incarnation incarnation;
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  GroupId group = kFirstGroup;
  bool operator==(const SessionRow&) const = default;
};

// ---------------------------------------------------------------- messages between nodes

struct RequestVote {
  LogIndex last_index;
  Term last_term;
  bool pre_vote = false;             // §9.6: asks without changing anybody's term
  bool leadership_transfer = false;  // §3.10: the old leader asked for it, skips stickiness
  bool operator==(const RequestVote&) const = default;
};
struct RequestVoteResponse {
  bool pre_vote = false;
  bool granted = false;
  bool operator==(const RequestVoteResponse&) const = default;
};
// F66: the number of a read round is never used again, by any leader: it holds the term, which has
// one leader, who counts up. A trillion rounds fit a term.
inline uint64_t first_read_round(Term term) { return term.value << 40; }

struct AppendEntries {
  LogIndex prev_index;
  Term prev_term;
  LogIndex commit;             // min(leader's commit, what the leader knows to match there) (F19)
  uint64_t round = 0;          // ReadIndex round this message also confirms; 0 = none (F36)
  uint64_t sequence = 0;       // per leader and follower, to tell late answers apart
  int64_t leader_time_ms = 0;  // the leader's cluster time, carried so that idle clocks follow
  int64_t wall_ms = 0;         // its wall clock, to compare (F37)
  std::vector<Entry> entries;
  bool operator==(const AppendEntries&) const = default;
};
struct AppendEntriesResponse {
  bool success = false;
  LogIndex match;           // success: durable up to here. reject: the follower's last index
  LogIndex conflict_index;  // reject: first index of the conflicting term (fast backtracking, §5.3
                            // of the paper)
  Term conflict_term;       // reject: term there, 0 if the follower's log is too short
  uint64_t round = 0;       // echoed; sent at once, also when the disk has not answered yet
  uint64_t sequence = 0;    // echoed
  bool wants_commit = false;   // as an origin it waits for an apply: announce commits at once
  LogIndex applied;            // by its state machine (F48, F53)
  uint64_t backlog_bytes = 0;  // of entries committed and not applied there, as far as it counted
  int64_t echoed_wall_ms = 0;  // AppendEntries::wall_ms, if this answers one at once; else 0 (F37)
  int64_t wall_ms = 0;         // the follower's wall clock then
  bool operator==(const AppendEntriesResponse&) const = default;
};
struct TimeoutNow {
  bool operator==(const TimeoutNow&) const = default;
};
// Origin to leader: consecutive batches of one origin. sequence is that of the first.
struct Proposal {
  ProposalNumber number;
  EntryKind kind = EntryKind::kBatch;  // or kVoid
  SharedBytes payload;
  // F5: no leader takes it later than this. 0 = whenever it comes. Given to Core::propose() on the
  // shell's monotonic clock, in a message in cluster time.
  int64_t deadline_ms = 0;
  bool operator==(const Proposal&) const = default;
};
struct Propose {
  std::vector<Proposal> proposals;
  bool operator==(const Propose&) const = default;
};
enum class RefusalReason : uint8_t {
  kGap = 1,  // send from `expect` on (F23); expect 0: leader not ready, wait for readiness
  kOverloaded =
      2,  // this number is in no log of mine; nor will be any later one until it comes again
  kNotMember = 3,  // F25
  kNotLeader = 4,
  kDiskFull = 5,  // as kOverloaded, for the leader's disk is nearly full
  kOldEpoch = 6,  // F52: this incarnation has had a later start; the sender runs on an old copy
  kTooLarge = 7,  // as kOverloaded, for no link carries an entry of that size (F50)
};
struct ProposeRefused {
  RefusalReason reason = RefusalReason::kNotLeader;
  ProposalNumber number;  // the refused one
  uint64_t expect = 0;    // kGap: next sequence wanted
  bool operator==(const ProposeRefused&) const = default;
};
struct ReadIndexRequest {
  uint64_t id = 0;         // the asking node's own id of this read round
  bool with_tick = false;  // append a tick first, so that the answer's time is not clamped (F9)
  bool operator==(const ReadIndexRequest&) const = default;
};
struct ReadIndexResponse {
  uint64_t id = 0;
  bool ok = false;  // false: certainly nothing happened, ask again (leader lost or not ready)
  bool not_member = false;  // F25
  LogIndex index;
  int64_t now_ms = 0;    // the reader's clock (F9)
  bool clamped = false;  // now_ms was held back; a key with a TTL needs with_tick
  bool operator==(const ReadIndexResponse&) const = default;
};
// Answer to anything from an incarnation that is not in the sender's configuration (F1).
struct NotMember {
  bool operator==(const NotMember&) const = default;
};

using Body = std::variant<RequestVote,
                          RequestVoteResponse,
                          AppendEntries,
                          AppendEntriesResponse,
                          TimeoutNow,
                          Propose,
                          ProposeRefused,
                          ReadIndexRequest,
                          ReadIndexResponse,
                          NotMember>;

struct Message {
  NodeId from;
  NodeId to;
  Term term;  // the sender's; Propose/ReadIndex* carry it but do not raise the receiver's
  Body body;
  // Not on the wire: set by the receiving shell from the link's authenticated hello (F1). What
  // comes from an old copy of a directory is not handed to the core at all (F52).
  Incarnation from_incarnation;
  bool operator==(const Message&) const = default;
};

}  // namespace kiwi::raft
