// The sending half of a logical delta (F17): see delta_format.hpp for what is in it. Made by a
// SnapshotSource.
#pragma once

#include <functional>
#include <memory>

#include "rocks/keyspace.hpp"
#include "rocks/snapshot_source.hpp"

namespace kiwi::rocks {

// `state` outlives the stream.
Result<std::unique_ptr<DeltaStream>> make_delta_stream(Reader& state,
                                                       const AppliedRecord& now,
                                                       const AppliedRecord& base,
                                                       std::function<Checksum128()> digest);

}  // namespace kiwi::rocks
