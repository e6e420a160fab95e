// Strangers: who of those that have proved nothing may stay on the peer port (F51). A full room is
// no reason to turn somebody away: whoever has said nothing valid gives way, the oldest first, and
// those of unknown addresses before those of members' addresses. Plain class; PeerListener owns it
// and closes whom it names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kiwi::actors {

// What counts as one address: an IPv4 address, or the /64 that an IPv6 host may choose from.
// Text that is no address is one of its own.
std::string source_of(std::string_view ip);

class Strangers {
 public:
  using Id = uint64_t;  // from 1 on, in the order of their coming
  struct Limits {
    size_t all = 0;
    size_t of_one_source = 0;
  };
  struct Welcome {
    Id id = 0;  // 0: turned away, for all others are of members' addresses
    std::optional<Id> leaves;
  };

  explicit Strangers(const Limits& limits) : limits_(limits) {}

  Welcome come(const std::string& source, bool of_a_member);
  void spoke(Id id);  // something valid
  void leave(Id id);
  size_t size() const { return present_.size(); }

 private:
  struct Stranger {
    std::string source;
    bool of_a_member = false;
    bool has_spoken = false;
  };
  std::optional<Id> first_to_go(const std::string* source) const;

  Limits limits_;
  Id last_ = 0;
  std::map<Id, Stranger> present_;
  std::map<std::string, size_t> of_source_;
};

}  // namespace kiwi::actors
