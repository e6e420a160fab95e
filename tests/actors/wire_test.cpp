// The one type that crosses to other nodes can be serialised (CAF sends an empty message otherwise,
// and says so only at run time).
#include <string>
#include <vector>

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <doctest/doctest.h>

#include "actors/messages.hpp"

namespace kiwi::actors {

TEST_CASE("a peer frame survives CAF's serialisation with zero bytes and all") {
  caf::actor_system_config config;
  config.add_message_types<caf::id_block::kiwi>();
  caf::actor_system system{config};
  const std::string bytes("\0\x01\xff frame \r\n\0", 13);
  std::vector<char> wire;
  caf::binary_serializer out{system, wire};
  const caf::message sent = caf::make_message(PeerFrame{3, 258, bytes});
  REQUIRE_FALSE(out(sent));
  caf::binary_deserializer in{system, wire};
  caf::message arrived;
  REQUIRE_FALSE(in(arrived));
  REQUIRE(arrived.match_elements<PeerFrame>());
  CHECK(arrived.get_as<PeerFrame>(0).kind == 3);
  CHECK(arrived.get_as<PeerFrame>(0).group == 258);
  CHECK(arrived.get_as<PeerFrame>(0).bytes == bytes);
}

TEST_CASE("a frame on the wire: its kind, its group, its bytes") {
  caf::actor_system_config config;
  config.add_message_types<caf::id_block::kiwi>();
  caf::actor_system system{config};
  std::vector<char> wire;
  caf::binary_serializer out{system, wire};
  PeerFrame frame{7, 258, "abc"};
  REQUIRE_FALSE(out(frame));
  CHECK(std::string(wire.begin(), wire.end()) == std::string("\x07\x00\x00\x01\x02\x03"
                                                             "abc",
                                                             9));
}

}  // namespace kiwi::actors
