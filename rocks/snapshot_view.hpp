// A Reader over a RocksDB snapshot of the state: what Keyspace::view() gives. For one thread at a
// time, any thread; must end before the database does.
#pragma once

#include <memory>

#include "rocks/keyspace.hpp"

namespace kiwi::rocks {

class StateDatabase;

// Of what RocksDB holds now.
std::unique_ptr<Reader> make_snapshot_view(const StateDatabase& database);

}  // namespace kiwi::rocks
