#include "actors/node/directory_marks.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/random.h>
#include <sys/stat.h>

#include "actors/data_directory.hpp"
#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "config/base/log.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

// ON DISK. Each file: version u8 | checksum u64 of the rest | the rest.
constexpr uint8_t kMarksVersion = 1;
constexpr uint8_t kPeersVersion = 2;
constexpr size_t kSealBytes = 9;
static_assert(kSealBytes == sizeof(kMarksVersion) + sizeof(uint64_t));
// Lives that are no members, of which every start of a wiped node is one: what was known of them is
// forgotten above this, and with each change of members.
constexpr size_t kStrangersMax = 64;

std::string marks_path(const std::string& dir) { return dir + "/" + data_directory::kMarks; }
std::string peers_path(const std::string& dir) { return dir + "/" + data_directory::kPeers; }
std::string note_path(const std::string& dir) { return dir + "/" + data_directory::kOldCopy; }

template <class Id>
void put_id(std::string& out, const Id& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

Incarnation get_incarnation(ByteReader& reader) {
  Incarnation id;
  const std::string_view raw = reader.take(id.bytes.size());
  std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(id.bytes.data()));
  return id;
}

std::string sealed(uint8_t version, std::string_view body) {
  std::string out;
  put_u8(out, version);
  put_le(out, checksum64(body));
  return out.append(body);
}

// nullopt: there is no such file. One that is there and cannot be read, as one that root wrote, is
// an error: taken for none, this directory would be an old copy to its peers, for good.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
  struct stat found {};
  const bool there = ::stat(path.c_str(), &found) == 0;
  if (!there && errno == ENOENT) {
    return std::optional<std::string>();
  }
  Result<std::string> bytes = there && !S_ISREG(found.st_mode)
                                  ? Error{Errc::kIo, "cannot read " + path + ": it is no file"}
                                  : rocks::read_whole_file(path);
  if (!bytes) {
    return Error{Errc::kIo, bytes.error().text +
                                "; without it this node does not start: let the user that it runs "
                                "as read the file, and do not delete it"};
  }
  return std::optional(std::move(*bytes));
}

// What was sealed; nothing if it is not whole.
std::optional<std::string_view> unsealed(uint8_t version, std::string_view bytes) {
  uint64_t checksum = 0;
  if (bytes.size() < kSealBytes || static_cast<uint8_t>(bytes[0]) != version) {
    return std::nullopt;
  }
  std::memcpy(&checksum, bytes.data() + 1, sizeof(checksum));
  bytes.remove_prefix(kSealBytes);
  return checksum64(bytes) == checksum ? std::optional(bytes) : std::nullopt;
}

}  // namespace

uint64_t random_mark() {
  uint64_t nonce = 0;
  CHECK_INVARIANT(::getrandom(&nonce, sizeof(nonce), 0) == sizeof(nonce));
  return nonce;
}

Result<std::vector<raft::Mark>> load_marks(const std::string& dir,
                                           const Incarnation& incarnation,
                                           uint64_t boot_epoch) {
  CHECK_INVARIANT(boot_epoch > 0);
  const auto damage = [&](const char* what) {
    return Error{Errc::kCorrupt, "the file " + marks_path(dir) + what +
                                     ", so nobody can tell whether this directory is an old copy; "
                                     "wipe this node, the others will refill it"};
  };
  const Result<std::optional<std::string>> bytes = read_if_there(marks_path(dir));
  if (!bytes) {
    return bytes.error();
  }
  // The first start draws a mark before it counts as one, and none takes marks away.
  const bool first = boot_epoch == 1;
  if (!bytes->has_value()) {
    return first ? Result(std::vector<raft::Mark>{}) : damage(" is missing");
  }
  const Error damaged = damage(" is damaged");
  const std::optional<std::string_view> body = unsealed(kMarksVersion, **bytes);
  if (!body) {
    return damaged;
  }
  ByteReader reader(*body);
  const Incarnation of = get_incarnation(reader);
  Result<std::vector<raft::Mark>> marks = raft::decode_marks(reader.rest());
  if (!reader.ok() || !marks) {
    return damaged;
  }
  if (of == incarnation) {
    return marks;
  }
  return first ? Result(std::vector<raft::Mark>{}) : damage(" is of another life of this node");
}

Result<void> store_marks(const std::string& dir,
                         const Incarnation& incarnation,
                         const std::vector<raft::Mark>& marks) {
  std::string body;
  put_id(body, incarnation);
  body += raft::encode_marks(marks);
  return rocks::write_file_durably(marks_path(dir), sealed(kMarksVersion, body));
}

Result<std::optional<std::string>> old_copy_note(const std::string& dir) {
  return read_if_there(note_path(dir));
}

Result<void> leave_old_copy_note(const std::string& dir, const std::string& sentence) {
  return rocks::write_file_durably(note_path(dir), sentence);
}

// ---------------------------------------------------------------- of the peers

Result<KnownMarks> KnownMarks::load(const std::string& dir) {
  KnownMarks known;
  const Result<std::optional<std::string>> bytes = read_if_there(peers_path(dir));
  if (!bytes) {
    return bytes.error();
  }
  if (!bytes->has_value()) {
    return known;
  }
  const std::optional<std::string_view> body = unsealed(kPeersVersion, **bytes);
  const auto items = body ? decode(*body) : std::nullopt;
  if (!items) {
    log_warning("the file " + peers_path(dir) +
                " is damaged: what it said of the peers' directories is learned anew");
    return known;
  }
  for (const Item& item : *items) {
    known.lives_[{item.node, item.incarnation}].learn(item.marks);
  }
  return known;
}

std::optional<std::vector<KnownMarks::Item>> KnownMarks::decode(std::string_view bytes) {
  std::vector<Item> items;
  ByteReader reader(bytes);
  while (reader.ok() && !reader.done()) {
    Item item;
    item.node = NodeId{reader.le<uint64_t>()};
    item.incarnation = get_incarnation(reader);
    Result<std::vector<raft::Mark>> marks = raft::decode_lineage(reader.sized());
    if (!marks) {
      return std::nullopt;
    }
    item.marks = std::move(*marks);
    items.push_back(std::move(item));
  }
  return reader.ok() ? std::optional(std::move(items)) : std::nullopt;
}

Result<void> KnownMarks::store(const std::string& dir, const std::string& encoded) {
  return rocks::write_file_durably(peers_path(dir), sealed(kPeersVersion, encoded));
}

// ON DISK and on the wire, for each: node u64 | incarnation | its marks, sized (raft/lineage.hpp).
std::string KnownMarks::encode(const std::vector<Item>& items) {
  std::string out;
  for (const Item& item : items) {
    put_le(out, item.node.value);
    put_id(out, item.incarnation);
    put_sized(out, raft::encode_lineage(item.marks));
  }
  return out;
}

std::vector<KnownMarks::Item> KnownMarks::items() const {
  std::vector<Item> items;
  for (const auto& [life, lineage] : lives_) {
    items.push_back({life.first, life.second, lineage.marks()});
  }
  return items;
}

raft::Lineage KnownMarks::of(NodeId node, const Incarnation& incarnation) const {
  const auto found = lives_.find({node, incarnation});
  return found == lives_.end() ? raft::Lineage{} : found->second;
}

bool KnownMarks::learn(NodeId node,
                       const Incarnation& incarnation,
                       const std::vector<raft::Mark>& marks,
                       const raft::Configuration& latest,
                       const raft::Configuration& committed) {
  const std::pair<NodeId, Incarnation> life{node, incarnation};
  if (marks.empty()) {
    return false;
  }
  // Safety: members always have room (F52).
  if (!lives_.contains(life) && !latest.has(node, incarnation) &&
      !committed.has(node, incarnation) &&
      lives_.size() >= latest.members.size() + committed.members.size() + kStrangersMax) {
    keep_members_of(latest, committed);
  }
  return lives_[life].learn(marks);
}

// Safety: a removal that is not committed may be cut away again, and who was to go votes on.
void KnownMarks::keep_members_of(const raft::Configuration& latest,
                                 const raft::Configuration& committed) {
  std::erase_if(lives_, [&](const auto& item) {
    const auto& [node, incarnation] = item.first;
    return !latest.has(node, incarnation) && !committed.has(node, incarnation);
  });
}

}  // namespace kiwi::actors
