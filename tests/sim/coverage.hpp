// What the runs of a process went through: a seed that holds every promise because nothing happened
// proves nothing. Plain counters, summed over seeds; printed by kiwi-sim, and a test wants them
// all.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace kiwi::sim {

enum class Mark : uint8_t {
  kLogCut,             // a log was cut behind a flush
  kCutBelowPin,        // less than asked for, for a transfer or a laggard
  kSnapshotWanted,     // a leader could not serve a follower
  kTransferBegun,      // a snapshot was sent
  kSentByFollower,     // by a node that does not lead, or does not any more (F32)
  kChunkLost,          // and sent again
  kTransferBroken,     // its sender died, the link broke for good, or it was given up
  kPinRefused,         // another leader's log begins too late for the running transfer (F32)
  kReceiverRestarted,  // during a transfer, that then went on
  kVerdictIgnored,
  kVerdictCommitMoved,
  kVerdictInstall,
  kInstalled,
  kCrashBeforeInstall,  // opens the old state (F14)
  kCrashAfterInstall,   // the commit point was reached, the swap was not: opens the new one (F14)
  kRepliesSwallowed,    // an origin's own batches were inside (F22)
  kNewcomerInstalled,   // a node that was empty
  kRemovalInstalled,    // a node learned of its removal from a snapshot (F25)
  kWritesJoined,        // writes of the log waited for one under way, and went together
  kApplyHeld,           // committed entries were gathered before they were applied
  kWaitedForOthers,     // writes or reads waited for others
  kLongRead,            // was put aside
  kReadAgain,           // a clamped clock met a key with a deadline (F9)
  kClockClamped,
  kProposalRefused,
  kPressure,         // the state fell behind its flusher
  kApplyStopped,     // and could take no more
  kLeaseRead,        // nodes served reads by leases (F20)
  kLinkFull,         // a message was dropped since the link had no room
  kLinkHeld,         // messages stood still on a link, then all came
  kLongEntry,        // above 8 KiB
  kOneLoopPaused,    // and the other not
  kForgetfulLeader,  // a batch came into the log a second time (F4)
  kLoudLeader,       // announced a commit index above what the follower is known to have (F19)
  kOnceCounted,      // a command with a token
  kOnceReplayed,     // it was repeated, and answered as before
  kOnceForgotten,    // it was repeated after a bound drove it out
  kReplyLost,        // too large to be kept (F45)
  kOldCopyFound,     // F52
  kOrderForwarded,   // an operator asked a node that does not lead
  kOrderDone,
  kOrderRefused,  // and nothing of it will come
  kOrderUnknown,  // nobody could say what becomes of it
  kPlayDeposed,   // plays that went through to their end
  kPlayFrozen,
  kPlayOldTerms,
  kPlaySlowDisk,
  kPlayRolledBack,
  kPlayWiped,
  kPlayLateSnapshot,
  kPlayClocks,
  kPlayHeldRefusal,
  kPlayDouble,
  kPlayOldCopy,
  kPlayMinority,
  kPlayInFlight,
  kCount,
};

inline const char* name_of(Mark mark) {
  static constexpr std::array kNames = {"log cut",
                                        "cut held back",
                                        "snapshot wanted",
                                        "transfer begun",
                                        "sent by follower",
                                        "chunk lost",
                                        "transfer broken",
                                        "pin refused",
                                        "receiver restarted",
                                        "verdict ignored",
                                        "verdict commit moved",
                                        "verdict install",
                                        "installed",
                                        "crash before install",
                                        "crash after install",
                                        "replies swallowed",
                                        "newcomer installed",
                                        "removal installed",
                                        "writes joined",
                                        "apply held",
                                        "waited for others",
                                        "long read",
                                        "read again",
                                        "clock clamped",
                                        "proposal refused",
                                        "pressure",
                                        "apply stopped",
                                        "lease read",
                                        "link full",
                                        "link held",
                                        "long entry",
                                        "one loop paused",
                                        "forgetful leader",
                                        "loud leader",
                                        "once counted",
                                        "once replayed",
                                        "once forgotten",
                                        "reply lost",
                                        "old copy found",
                                        "order forwarded",
                                        "order done",
                                        "order refused",
                                        "order unknown",
                                        "play: deposed",
                                        "play: frozen",
                                        "play: old terms",
                                        "play: slow disk",
                                        "play: rolled back",
                                        "play: wiped",
                                        "play: late snapshot",
                                        "play: clocks",
                                        "play: held refusal",
                                        "play: double",
                                        "play: old copy",
                                        "play: minority",
                                        "play: in flight"};
  static_assert(kNames.size() == static_cast<size_t>(Mark::kCount));
  return kNames[static_cast<size_t>(mark)];
}

struct Coverage {
  std::array<uint64_t, static_cast<size_t>(Mark::kCount)> counts{};

  void hit(Mark mark) { ++counts[static_cast<size_t>(mark)]; }
  void add(const Coverage& other) {
    for (size_t i = 0; i < counts.size(); ++i) {
      counts[i] += other.counts[i];
    }
  }
  std::string text() const {
    std::string out;
    for (size_t i = 0; i < counts.size(); ++i) {
      out += (i == 0 ? "" : ", ") + std::string(name_of(static_cast<Mark>(i))) + " " +
             std::to_string(counts[i]);
    }
    return out;
  }
};

}  // namespace kiwi::sim
