// The table keyspace without a thread of its own, for tests whose runs have to be repeatable: its
// flusher's work is done by whoever opened it.
#pragma once

#include <functional>
#include <memory>

#include "config/base/result.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

// Each call does one of the flusher's jobs, on the apply thread; false: there was none. Who waits
// for a flush does them himself.
using FlusherWork = std::function<bool()>;

// `host` gets the work before this returns. It is valid as long as the keyspace.
Result<std::unique_ptr<Keyspace>> open_hosted_table_keyspace(
    const KeyspaceOptions& options, const std::function<void(FlusherWork)>& host);

}  // namespace kiwi::rocks
