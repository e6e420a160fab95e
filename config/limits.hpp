// Hard limits: numbers that no option changes, each with its unit and its reason. What overflows a
// limit is refused with an answer or closed; nothing in Kiwi grows without one. Constants only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kiwi::config::limits {

constexpr size_t kKiB = 1024;
constexpr size_t kMiB = 1024 * kKiB;
constexpr size_t kGiB = 1024 * kMiB;

// ---- client protocol: Redis 7.0's own limits, so that its error texts fit
constexpr int64_t kMultibulkCount = 1'048'576;  // arguments of one command
constexpr size_t kInlineBytes = 64 * kKiB;      // an inline command or a length line
// Before AUTH succeeds a stranger gets no memory worth having (Redis 7 has the same two limits).
constexpr int64_t kUnauthenticatedMultibulkCount = 10;
constexpr size_t kUnauthenticatedBulkBytes = 16 * kKiB;
constexpr size_t kSettingBytes = 4 * kKiB;     // the text of a cluster setting; checked at apply
constexpr size_t kClientNameBytes = 4 * kKiB;  // CLIENT SETNAME, SETINFO

// ---- one client connection
constexpr size_t kSocketReadBytes = 64 * kKiB;  // asked of the socket in one read
// Reading stops at either bound and goes on when half is answered: a pipeline of any length is
// served from bounded memory, and TCP tells the client to wait (F28).
constexpr size_t kPipelineCommands = 16'384;    // parsed and not yet answered
constexpr size_t kPipelineBytes = 16 * kMiB;    // argv bytes parsed and not yet answered
constexpr size_t kOutputPauseBytes = 1 * kMiB;  // unsent replies above which reading stops

// ---- one log entry
// What its commands may read into memory or write beyond what clients sent (S*STORE,
// SPOP, LREM, LINSERT, and strings that APPEND, SETRANGE, EXPIRE and the like write again), 100
// bytes a record included (F61). It decides what entries mean, so it is the same on all nodes and
// never an option. All of it becomes one commit, which is in memory about four times over and goes
// to disk as one flush.
constexpr size_t kEntryWorkBytes = 256 * kMiB;
// What they may build beyond that beside the turn (COPY), counted the same way, all of it on the
// disk before the commit. No node may ask its disk when it applies an entry, so the origin asks
// for so much before it proposes one, and it must not be more than disks usually have left. It
// decides what entries mean, too.
constexpr size_t kEntryBuildBytes = 1 * kGiB;
// Of what an entry's commands build and nothing names yet (COPY), so much is in memory before it
// goes to the table or to files, which takes a few milliseconds. No result depends on it.
constexpr size_t kSpillBytes = 1 * kMiB;
// Records that one command may look at, about a microsecond each; those behind it in the entry are
// refused once all together are above this. Decides what entries mean, too.
constexpr uint64_t kEntrySteps = 50'000'000;
// And all reads of one entry together, those in its MULTI blocks: they run where entries are
// applied, on their origin only.
constexpr uint64_t kEntryReadSteps = 10'000'000;

// ---- commands that count once (KIWI.ONCE): all three decide what entries mean
// A reply that may be the only copy of what its command took is kept up to here, whatever
// once-max-reply says; a longer one is refused and nothing is taken.
constexpr size_t kOnceTakenBytes = 8 * kMiB;
constexpr size_t kOnceEntryBytes = 64 * kMiB;  // replies kept of one entry, all together
constexpr size_t kOnceShortBytes = 1 * kKiB;   // those are kept beyond that, too

// ---- replies
// One reply while it is built (F45): the longest string with room to spare, and half of what
// client-output-buffer-limit closes a normal client at by default, so that whoever asks for too
// much is told so instead of being cut off.
constexpr size_t kReplyBytes = 513 * kMiB;
constexpr size_t kSmallReplyBytes = 64 * kKiB;  // fits whatever other replies its turn has
// A read with a longer reply leaves its turn: the loop makes so much in about ten milliseconds.
constexpr size_t kLongReplyBytes = 16 * kMiB;
// Beside the loop a reply leaves in pieces and has no bound: so long is one, and so much of it may
// be on its way from the state to the client's socket.
constexpr size_t kReplyPieceBytes = 256 * kKiB;
constexpr size_t kReplyWindowBytes = 1 * kMiB;
static_assert(kReplyPieceBytes <= kReplyWindowBytes / 2);

// What commands that the session itself answers (COMMAND DOCS, CLIENT LIST) may write beyond what
// their client sent: it happens at once, between two turns of the client loop.
constexpr size_t kLocalReplyBytes = 16 * kMiB;

// ---- other servers
// Conversations of MIGRATE with its targets at a time: each has a socket besides its client's, for
// as long as its timeout says.
constexpr size_t kExchanges = 64;

// ---- long reads
// Put aside at a time; short ones that wait behind one of their connection do not count. One thread
// runs them: with more, the last would be answered after raft.response-timeout anyway.
constexpr size_t kLongReads = 4096;
// What one of them may hold in memory while it runs (ZUNION, SORT, GEOSEARCH), 100 bytes a record
// included. In its turn a read has what an entry has, and leaves it for more.
constexpr size_t kLongReadWorkBytes = 512 * kMiB;
constexpr size_t kLongReadsOfConnection = 256;  // of them: no client takes the room of all

// ---- peers
constexpr size_t kEntryBytes = 9 * kGiB / 4;  // a log entry: raft.max-entry-size and its frame
constexpr size_t kLinkMessageBytes = 5 * kGiB / 2;  // what a link carries: an entry and its message
static_assert(kEntryBytes < kLinkMessageBytes);
constexpr size_t kFrameBytes = 256 * kKiB;    // a fragment on a link; heartbeats wait for at
                                              // most one (F29)
constexpr size_t kLinkQueueBytes = 8 * kMiB;  // unsent bytes a link holds before it drops
// Publications that wait for a link, and the longest one that goes to other nodes; beyond it the
// oldest are dropped.
constexpr size_t kPublicationBytes = 4 * kMiB;
constexpr size_t kHelloBytes = 4 * kKiB;      // the longest handshake message
constexpr int64_t kHelloMilliseconds = 3000;  // a stranger on the peer port is cut off then
// Peer connections at a time that have proved nothing. Beyond it, or beyond the smaller number from
// one address, those that said nothing valid give way to whoever comes (F51).
constexpr size_t kHandshakes = 64;
constexpr size_t kHandshakesOfAddress = 32;
constexpr size_t kVisits = 64;  // proven ones that ask a question, at a time

// ---- keyspace
// What keys of records are made of: a name stands in each of its key's, in those that delete it,
// and in what files and their index say of themselves, so a long one costs many times its length.
// Redis takes 512 MB. Both decide what entries mean.
constexpr size_t kKeyNameBytes = 64 * kKiB - 1;
// A hash's field, a member of a set or sorted set, a stream's group or consumer.
constexpr size_t kFieldBytes = 1 * kMiB;
constexpr int64_t kDatabases = 1024;  // each has its own counters in memory

// ---- cluster
constexpr size_t kMembers = 15;  // raft.peers; larger groups only get slower

}  // namespace kiwi::config::limits
