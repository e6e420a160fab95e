// The bytes of what nodes tell each other for their clients' sake.
#include "actors/node/face_note.hpp"

#include <doctest/doctest.h>

#include "actors/node/node_note.hpp"
#include "config/base/prng.hpp"

namespace kiwi::actors {

TEST_CASE("face notes are read back as they were, and nothing shorter or longer is one") {
  MatchNote matches;
  matches.matches = {Term{7}, {{NodeId{1}, LogIndex{43}}, {NodeId{300}, LogIndex{42}}}};
  const std::string bytes = encode_face_note(matches);
  // ON THE WIRE.
  CHECK(bytes == std::string("\x41\x07\0\0\0\0\0\0\0\x02\x01\0\0\0\0\0\0\0\x2b\0\0\0\0\0\0\0"
                             "\x2c\x01\0\0\0\0\0\0\x2a\0\0\0\0\0\0\0",
                             42));
  const auto back = std::get<MatchNote>(*decode_face_note(bytes)).matches;
  CHECK(back.term == Term{7});
  CHECK(back.members == matches.matches.members);
  for (size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_face_note(bytes.substr(0, size)).has_value());
  }
  CHECK_FALSE(decode_face_note(bytes + "x").has_value());
  CHECK(encode_face_note(MatchAskNote{}) == "\x40");
  CHECK(std::holds_alternative<MatchAskNote>(*decode_face_note("\x40")));
}

TEST_CASE("what is announced, wished, served and asked for is read back as it was") {
  const std::string announced = encode_face_note(AnnouncedNote{{Term{7}, 2, NodeId{3}}});
  // ON THE WIRE.
  CHECK(announced == std::string("\x42\x07\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0", 25));
  CHECK((std::get<AnnouncedNote>(*decode_face_note(announced)).announced ==
         Announced{Term{7}, 2, NodeId{3}}));
  const std::string wish = encode_face_note(WishNote{NodeId{5}});
  CHECK(wish == std::string("\x43\x05\0\0\0\0\0\0\0", 9));
  CHECK(std::get<WishNote>(*decode_face_note(wish)).node == NodeId{5});
  CHECK(encode_face_note(ServingNote{true, false}) == "\x44\x01");
  const auto serving = std::get<ServingNote>(*decode_face_note("\x44\x02"));
  CHECK_FALSE(serving.serves);
  CHECK(serving.drains);
  const std::string names = encode_face_note(MasterNamesNote{{"a", "bc"}});
  CHECK(names ==
        "\x45\x02\x01"
        "a"
        "\x02"
        "bc");
  CHECK(std::get<MasterNamesNote>(*decode_face_note(names)).names ==
        std::vector<std::string>{"a", "bc"});
}

TEST_CASE("other notes are none of them, nor is noise; a build that knows none drops them") {
  CHECK_FALSE(decode_face_note(encode_note(DiskNote{true})).has_value());
  CHECK_FALSE(decode_note(encode_face_note(MatchAskNote{})).has_value());
  Prng prng(1);
  for (int i = 0; i < 2000; ++i) {
    std::string noise(1 + prng.below(40), '\0');
    for (char& c : noise) {
      c = static_cast<char>(prng.below(256));
    }
    noise[0] = static_cast<char>(kFirstFaceNote + prng.below(6));
    static_cast<void>(decode_face_note(noise));
  }
}

}  // namespace kiwi::actors
