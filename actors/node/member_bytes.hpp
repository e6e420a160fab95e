// The bytes of members and configurations in what nodes say to each other.
#pragma once

#include <string>

#include "config/base/bytes.hpp"
#include "config/base/result.hpp"
#include "raft/types.hpp"

namespace kiwi::actors {

// With everything that the core may store of it: what the cluster's version does not have, the core
// leaves away (raft::held_by()).
void put_member(std::string& out, const raft::Member& member);
raft::Member get_member(ByteReader& reader);

// Sized; a configuration without members is empty bytes.
void put_configuration(std::string& out, const raft::Configuration& configuration);
// False: what stands there is none.
bool get_configuration(ByteReader& reader, raft::Configuration& out);

Error garbled();  // for what cannot be read

}  // namespace kiwi::actors
