// Known bugs of the core that the tests must catch (config/base/mutants.hpp). Called by raft/ only.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/base/mutants.hpp"

namespace kiwi::raft {

enum class Mutant : uint8_t {
  kNone,
  kVoteBeforePersist,           // a vote leaves before the disk has it (§3.8)
  kAckBeforePersist,            // an ack leaves before the disk has the entries (§3.8, §10.2.1)
  kCommitOldTerms,              // replicas are counted for entries of older terms (§3.6.2)
  kNoNoopGate,                  // serves before an own-term entry is applied (§6.4)
  kReadWithoutConfirmation,     // ReadIndex answers without a round (§6.4)
  kTruncateMatchingSuffix,      // every append cuts what follows it (§3.5)
  kStaleTokenBelieved,          // LogPersisted of another term or suffix counts (F12)
  kTokenIgnoredAtTermChange,    // the write of a new term does not attest the log (F12)
  kRemovedVoterCounted,         // counts quorums by the configuration before the latest (F18)
  kLearnerCounted,              // learners count as voters (§4.2.1)
  kCommitByLastIndex,           // a follower commits up to its own last index (F19)
  kReadBoundIgnored,            // readers get the leader's clock unbounded (F9)
  kConfigurationNotRolledBack,  // truncation leaves the configuration (F18)
  kWipedVoterCounted,           // votes and acks of another incarnation count (F1)
  kReadCountedEarly,            // a running round confirms reads that came after it was sent (F36)
  kStepDownKeepsReads,          // a deposed leader still answers the reads it had confirmed late
  kNewTermKeepsClock,           // a new leader's stamps start at its own wall clock (F9)
  kLeaseFromAnswer,             // a lease counts from the answers, not from the sending (F20)
  kLeaseAfterTimeoutNow,    // a leader serves leases after it asked another one to campaign (F20)
  kCutAboveFlushed,         // the log is cut by what is applied in memory (F13)
  kPinIgnored,              // the log is cut above a snapshot that is being sent (F13)
  kSuffixDroppedAtInstall,  // a late snapshot replaces what was acknowledged meanwhile (F15)
  kOldSnapshotBelieved,     // a snapshot of a lower term's sender is taken (F15)
  kSnapshotConfigurationIgnored,  // an installed snapshot leaves the configuration as it was (F18)
  kAckWhileInstalling,            // entries are appended and acknowledged during an install (F14)
  kRemovedNeverCampaigns,         // a leader whose removal is not committed leaves the others stuck
                                  // (§4.2.2)
  kReaderClockUnlimited,  // a reader's clock passes the stamps of entries that it does not see
                          // (F43)
  kStoppedLeaderAnswers,  // a leader answers what it asked before it was stopped for long (F66)
  kUnappliedKept,         // what is not applied stays in memory, whatever it takes (F48)
  kUnreadyLeaderStays,    // a leader that cannot serve yet stays leader for ever (F53)
  kLivingMemberReplaced,  // a new life of an id replaces one that lives (F49)
  kOldCopyCounted,        // votes and acks of an old copy of a directory count (F52)
  kCount,
};

const char* mutant_name(Mutant mutant);

using kiwi::mutant;
#ifdef KIWI_MUTANTS
using kiwi::set_mutant;
inline bool select_mutant(std::string_view name) { return kiwi::select_mutant<Mutant>(name); }
#endif

}  // namespace kiwi::raft
