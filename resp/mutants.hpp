// Known bugs of the router and the executor that the tests must catch (config/base/mutants.hpp).
#pragma once

#include <cstdint>
#include <string_view>

#include "config/base/mutants.hpp"

namespace kiwi::resp {

enum class Mutant : uint8_t {
  kNone,
  kNumberReused,           // a refused batch's number goes to the next batch (F3)
  kVoidNotSent,            // a refused batch is sent again with its content (F3)
  kRefusalAnsweredAtOnce,  // although it may have been sent to another leader as well (F3)
  kZombieAfterTimeout,     // content is sent on after its clients were told TIMEOUT (F5)
  kTimeoutSaysFailed,      // a batch that was handed over is answered CLUSTERDOWN
  kReadIgnoresWrites,      // a read does not wait for its connection's earlier writes (F6)
  kWriteOvertakesReads,    // a write does not wait for its connection's earlier reads (F6)
  kNeverSentAgain,         // what is lost stays lost (F23)
  kDuplicateApplied,       // the session rows do not stop a batch that was applied before (F4)
  kReadBeforeIndex,        // a read does not wait until its index is applied
  kExpireUnconditional,    // an expiry entry removes what is not over at its stamp (F8)
  kAskNumbersAgain,        // each boot numbers its questions for a read index from 1 (F66)
  kLongReadOldClock,       // a long read keeps the clock it was put aside with (F44)
  kLostReplySaysErr,     // a write whose reply does not fit is answered ERR, its effects stay (F45)
  kLongReadOvertaken,    // later reads of its connection do not wait for a long read (F44)
  kRoundBesideClamped,   // reads are asked for while others may have to be asked again (F9)
  kServeInVainAnswered,  // a serve that finds nothing answers its waiter nil (F31)
  kTimeoutBesideServe,   // a waiter's time ends it while a serve of it is under way (F31)
  kOnceAgeFirst,         // a token that is too old is refused although its record is there
  kOnceFloorIgnored,     // what a bound drove out may be executed again
  kOnceNilNotKept,       // the nil of a block whose WATCH failed leaves its token unused
  kOnceNoScriptKept,     // NOSCRIPT uses the token
  kOnceWaiterNotWoken,   // who waits with a token is not told that it was decided elsewhere
  kCount,
};

const char* mutant_name(Mutant mutant);

using kiwi::mutant;
#ifdef KIWI_MUTANTS
using kiwi::set_mutant;
inline bool select_mutant(std::string_view name) { return kiwi::select_mutant<Mutant>(name); }
#endif

}  // namespace kiwi::resp
