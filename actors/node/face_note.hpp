// What nodes tell each other for the sake of their clients (resp/face.hpp), on the same links and
// with the same fate as other notes (node_note.hpp). Kinds from 64 on, so that a build that does
// not know them drops them. Plain values and their bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "actors/node/announcement.hpp"
#include "resp/replica_waits.hpp"

namespace kiwi::actors {

struct MatchAskNote {};  // to the leader: who has what? Answered by
struct MatchNote {
  resp::KnownMatches matches;
};
struct AnnouncedNote {  // the master for Sentinel's clients, as the sender knows it
  Announced announced;
};
struct WishNote {  // to the leader: announce that node
  NodeId node;
};
struct ServingNote {  // the sender: does it serve its clients, and is it about to go?
  bool serves = false;
  bool drains = false;
};
struct MasterNamesNote {  // under which Sentinel's clients of the sender ask
  std::vector<std::string> names;
};
using FaceNote =
    std::variant<MatchAskNote, MatchNote, AnnouncedNote, WishNote, ServingNote, MasterNamesNote>;

// ON THE WIRE: kinds by their place, never reorder.
inline constexpr uint8_t kFirstFaceNote = 64;
std::string encode_face_note(const FaceNote& note);
// nullopt: it is none of these.
std::optional<FaceNote> decode_face_note(std::string_view bytes);

}  // namespace kiwi::actors
