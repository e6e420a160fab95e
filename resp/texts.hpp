// Error texts whose first word tells a client what became of its command, and those that several
// places share. A wrong first word is a safety bug, so such words stand in literals only here
// (scripts/lint):
//   TIMEOUT                       nobody knows: it may have been applied, or be applied yet
//   NOCLUSTER CLUSTERDOWN LOADING MOVED OOM NOAUTH WRONGPASS NOPERM NOPROTO EXECABORT WRONGTYPE
//   INVALIDOBJ UNBLOCKED NOSCRIPT NOTBUSY BUSY UNKILLABLE TRYAGAIN DENIED READONLY REDIRECT
//   ERR   certainly not applied (a block: nothing of it)
//   ONCEEXPIRED ONCEMISMATCH ONCECLOCK ONCECLOSED ONCEGAP   the same; an earlier attempt may have
//   been ONCEDONE   applied, once, by an earlier attempt
#pragma once

#include <string>
#include <string_view>

namespace kiwi::resp::texts {

// ---------------------------------------------------------------- fate unknown
inline constexpr std::string_view kTimeout = "TIMEOUT not committed yet";
inline constexpr std::string_view kReadTimeout = "TIMEOUT no quorum for read";
inline constexpr std::string_view kLongReadTimeout =
    "TIMEOUT the read waited too long behind other long reads of this node";

inline constexpr std::string_view kNoAnswerFromLeader = "TIMEOUT no reply from leader";
inline constexpr std::string_view kTransferTimeout = "TIMEOUT transfer timed out";
// An order that was given to somebody who may have carried it out; `error`: what was said last.
inline std::string maybe_done(std::string_view error) {
  return "TIMEOUT it may have been done, or in part, or come yet: " + std::string(error);
}

inline constexpr std::string_view kJoinLogMissing =
    "TIMEOUT the cluster let this node in, and its log has not come yet";
inline constexpr std::string_view kJoinNoAnswer =
    "TIMEOUT a member was asked to let this node in and gave no answer; it may happen yet";
inline constexpr std::string_view kFoundedNotServing =
    "TIMEOUT the cluster is founded, and this node does not serve yet";
inline constexpr std::string_view kJoinedNotServing =
    "TIMEOUT the cluster let this node in, and it does not serve yet";
// `error`: what a member said that was asked behind one that gave no answer.
inline std::string join_refused_later(std::string_view error) {
  return "TIMEOUT another member was asked before and gave no answer: " + std::string(error);
}

// ---------------------------------------------------------------- certainly not applied
inline constexpr std::string_view kNoCluster = "NOCLUSTER No Raft Cluster";
inline constexpr std::string_view kNoClusterThere =
    "NOCLUSTER that node is a member of no cluster itself";
inline constexpr std::string_view kJoiningNow = "NOCLUSTER No Raft Cluster (joining now)";
inline constexpr std::string_view kNoLeader = "CLUSTERDOWN No raft leader";
inline constexpr std::string_view kRemoved = "CLUSTERDOWN This node was removed from its cluster";
inline constexpr std::string_view kLoading = "LOADING Raft module is loading data";
inline constexpr std::string_view kTooManyWrites = "OOM too many writes wait to be committed";
inline constexpr std::string_view kDiskFull =
    "OOM the disk is nearly full, here or on too many nodes: writes are refused until there is "
    "room";
inline constexpr std::string_view kLeaderDiskFull =
    "OOM the leader's disk is nearly full: writes are refused until it has room again";
inline constexpr std::string_view kTooLarge =
    "ERR the command is larger than what the nodes of a cluster send to each other";
// `slot`: of the command's first key, 0 without one; `address`: client address of the leader.
inline std::string moved(unsigned slot, std::string_view address) {
  return "MOVED " + std::to_string(slot) + " " + std::string(address);
}

// Of a plain server that does not forward, and of a client that may be sent elsewhere.
inline constexpr std::string_view kReadOnly =
    "READONLY You can't write against a read only replica.";
inline std::string redirect(std::string_view address) { return "REDIRECT " + std::string(address); }
// Of SENTINEL FAILOVER, in Redis' words.
inline constexpr std::string_view kFailoverInProgress = "INPROG Failover already in progress";
inline constexpr std::string_view kNoGoodReplica = "NOGOODSLAVE No suitable replica to promote";
inline constexpr std::string_view kNoClusterHere = "ERR This instance has cluster support disabled";

inline constexpr std::string_view kUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
inline constexpr std::string_view kUnblockedByForce =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

inline constexpr std::string_view kMixedSettings =
    "ERR CONFIG SET failed: options of this node and settings of the whole cluster are set one "
    "after the other";
inline constexpr std::string_view kSettingInBlock =
    "ERR settings of the whole cluster are not changed inside MULTI";
// Of an entry: every node says the same.
inline constexpr std::string_view kSettingRefused =
    "ERR no such cluster setting, or no value of it, in this cluster's version";
inline constexpr std::string_view kVersionRefused =
    "ERR the cluster version rises one step at a time, and never falls";
inline constexpr std::string_view kMembersChanged =
    "ERR the members changed while their builds were asked for: try again";
inline constexpr std::string_view kSeededBefore = "ERR this cluster's settings were seeded before";

inline constexpr std::string_view kUsersSeededBefore = "ERR this cluster has users already";
inline constexpr std::string_view kUsersComing =
    "TRYAGAIN the users that this node's options name are on their way into the cluster's data: "
    "try again";

// ---- commands that count once (KIWI.ONCE, KIWI.SEQ)
inline constexpr std::string_view kBadToken =
    "ERR bad token: a UUID of version 7 or a ULID, maybe with .suffix of up to 32 bytes, or "
    "<unix milliseconds>-<1 to 64 bytes>";
inline constexpr std::string_view kNotOnce = "ERR this command cannot be made once";
inline constexpr std::string_view kOnceNotFirst =
    "ERR in a transaction it is the first command, and stands for the whole block";
inline constexpr std::string_view kOnceTakes =
    "ERR a producer's command takes nothing: its reply would be the only copy";
inline constexpr std::string_view kExpectsWatch = "ERR this block expects WATCH";
inline constexpr std::string_view kTooLargeToKeep =
    "ERR the reply is too large to be kept; nothing was taken";
inline constexpr std::string_view kNoRoomForProducer =
    "ERR there are too many producers: KIWI.PRODUCER DROP makes room";
inline constexpr std::string_view kOnceClosed =
    "ONCECLOSED the token was closed before it was used";
inline constexpr std::string_view kOnceMismatch =
    "ONCEMISMATCH the token was used for another command";
inline std::string once_clock(int64_t ahead_ms) {
  return "ONCECLOCK the token is " + std::to_string(ahead_ms) + " ms ahead of the cluster's clock";
}
inline std::string once_expired(int64_t until_ms) {
  return "ONCEEXPIRED tokens up to " + std::to_string(until_ms) +
         " are forgotten: not applied now, an earlier attempt may have been";
}
inline std::string once_gap(uint64_t last) { return "ONCEGAP last is " + std::to_string(last); }
inline std::string once_done(uint64_t index) {
  return "ONCEDONE applied at index " + std::to_string(index) + "; its reply was not kept";
}
inline std::string once_done_otherwise(uint64_t index) {
  return "ONCEDONE applied at index " + std::to_string(index) +
         "; its reply has another shape in this protocol";
}
inline std::string once_superseded(uint64_t last) {
  return "ONCEDONE superseded: last is " + std::to_string(last);
}

inline constexpr std::string_view kNoScript = "NOSCRIPT No matching script. Please use EVAL.";
// Redis' words: of commands that would wait for a script.
inline constexpr std::string_view kBusy =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
inline constexpr std::string_view kUnkillable =
    "UNKILLABLE The busy script was sent by a master instance in the context of replication and "
    "cannot be killed.";
inline constexpr std::string_view kFunctionReplaced =
    "TRYAGAIN the function was replaced; try again";
inline constexpr std::string_view kNoScriptRuns = "NOTBUSY No scripts in execution right now.";
inline constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";
inline constexpr std::string_view kHelloNoAuth =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
    "version at the same time";
inline constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";
// `row`: of the command that its user may not run.
inline std::string no_permission_to_run(std::string_view row) {
  return "NOPERM this user has no permissions to run the '" + std::string(row) + "' command";
}
inline constexpr std::string_view kNoPermissionKeys =
    "NOPERM this user has no permissions to access one of the keys used as arguments";
inline constexpr std::string_view kNoPermissionChannels =
    "NOPERM this user has no permissions to access one of the channels used as arguments";
inline std::string rules_changed(std::string_view reason) {
  return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
         "EXEC call. This command is no longer allowed for the following reason: " +
         std::string(reason);
}
inline constexpr std::string_view kProtectedMode =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the default user. In this mode connections are only accepted from the loopback "
    "interface. If you want to connect from external computers to Redis you may adopt one of the "
    "following solutions: 1) Just disable protected mode sending the command 'CONFIG SET "
    "protected-mode no' from the loopback interface by connecting to Redis from the same host the "
    "server is running, however MAKE SURE Redis is not publicly accessible from internet if you do "
    "so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable "
    "the protected mode by editing the Redis configuration file, and setting the protected mode "
    "option to 'no', and then restarting the server. 3) If you started the server manually just "
    "for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication "
    "password for the default user. NOTE: You only need to do one of the above things in order for "
    "the server to start accepting connections from the outside.\r\n";
inline constexpr std::string_view kNoProto = "NOPROTO unsupported protocol version";
inline constexpr std::string_view kExecAborted =
    "EXECABORT Transaction discarded because of previous errors.";
// `reason`: without its first word if that is ERR.
inline std::string exec_aborted(std::string_view reason) {
  return "EXECABORT Transaction discarded because of: " + std::string(reason);
}

// ---------------------------------------------------------------- Redis' texts of commands
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNotHyperLogLog =
    "WRONGTYPE Key is not a valid HyperLogLog string value.";
inline constexpr std::string_view kCorruptHyperLogLog = "INVALIDOBJ Corrupted HLL object detected";
inline constexpr std::string_view kSyntax = "ERR syntax error";
inline constexpr std::string_view kNotInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotFloat = "ERR value is not a valid float";
inline constexpr std::string_view kOutOfRange = "ERR index out of range";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kTooManyLongReads =
    "ERR too many long reads wait on this node: ask again later, or another node";

}  // namespace kiwi::resp::texts
