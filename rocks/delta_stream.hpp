// The sending half of a logical delta (F17): see delta_format.hpp for what is in it. Made by a
// SnapshotSource.
#pragma once

#include <memory>
#include <optional>

#include "rocks/keyspace.hpp"
#include "rocks/snapshot_source.hpp"

namespace kiwi::rocks {

// `state` and `digest` outlive the stream. The digest of the state, if it is not known, comes out
// of the same pass over the keys.
Result<std::unique_ptr<DeltaStream>> make_delta_stream(Reader& state,
                                                       const AppliedRecord& now,
                                                       const AppliedRecord& base,
                                                       std::optional<Checksum128>& digest);

}  // namespace kiwi::rocks
