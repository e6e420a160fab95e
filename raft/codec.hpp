// Bytes of messages, entries and configurations. Frozen by golden tests; every top-level encoding
// starts with a format version. Decoding takes untrusted bytes and never allocates more than a
// small multiple of their size.
#pragma once

#include <string>
#include <string_view>

#include "config/base/bytes.hpp"
#include "config/base/result.hpp"
#include "raft/log_storage.hpp"
#include "raft/types.hpp"

namespace kiwi::raft {

// Wire: version, checksum, header, body. Entries inside are encode_entry() blobs. The checksum of a
// message with long entries, which is version 2, leaves out the payloads: theirs cover them.
std::string encode_message(const Message& message);
// The payloads of decoded entries and proposals share `bytes`.
Result<Message> decode_message(const SharedBytes& bytes);

// Log record: version, checksum over all that follows, fixed header, payload. The same bytes are on
// disk and on the wire. The checksum is verified by decode.
void append_entry(std::string& out, const Entry& entry);
// All of it but the payload.
void append_entry_header(std::string& out, const Entry& entry);
// Of the encoded entry, the same on every node.
uint64_t entry_checksum(const Entry& entry);
// Computes the checksum once for all who encode the entry: the log and each follower.
void seal_entry(Entry& entry);
Result<Entry> decode_entry(const SharedBytes& bytes);

std::string encode_configuration(const Configuration& configuration);
Result<Configuration> decode_configuration(std::string_view bytes);

std::string encode_hard_state(const HardState& hard_state);
Result<HardState> decode_hard_state(std::string_view bytes);
std::string encode_snapshot_meta(const SnapshotMeta& meta);
Result<SnapshotMeta> decode_snapshot_meta(std::string_view bytes);
std::string encode_identity(const Identity& identity);
Result<Identity> decode_identity(std::string_view bytes);

}  // namespace kiwi::raft
