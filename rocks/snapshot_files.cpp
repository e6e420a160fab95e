#include "rocks/snapshot_files.hpp"

#include <algorithm>
#include <charconv>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "rocks/files.hpp"

namespace kiwi::rocks {

namespace {

// ON DISK and on the wire: u8 version, u64 LE checksum64 of the rest; 16 bytes incarnation, 16
// bytes checkpoint, varint index, term, number of files; of each: sized name, varint size, u64 LE
// low and high half of the checksum.
constexpr uint8_t kManifestVersion = 2;
constexpr size_t kHeadBytes = 1 + 8;
constexpr size_t kFileBytesMin = 1 + 1 + 1 + 16;

template <class Id>
void put_id(std::string& out, const Id& id) {
  out.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
}

template <class Id>
Id take_id(ByteReader& in) {
  Id id;
  std::string_view raw = in.take(id.bytes.size());
  std::copy(raw.begin(), raw.end(), id.bytes.begin());
  return id;
}

}  // namespace

std::optional<uint64_t> state_number(std::string_view name) {
  const std::string_view prefix = kStatePrefix;
  if (!name.starts_with(prefix)) {
    return std::nullopt;
  }
  name.remove_prefix(prefix.size());
  uint64_t number = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = error == std::errc() && end == name.data() + name.size();
  return whole && number != 0 && name[0] != '0' ? std::optional(number) : std::nullopt;
}

uint64_t Manifest::bytes() const {
  uint64_t sum = 0;
  for (const SnapshotFile& file : files) {
    sum += file.size;
  }
  return sum;
}

std::string encode_manifest(const Manifest& manifest) {
  std::string body;
  put_id(body, manifest.sender);
  put_id(body, manifest.checkpoint);
  put_varint(body, manifest.index.value);
  put_varint(body, manifest.term.value);
  put_varint(body, manifest.group.value);
  put_varint(body, manifest.files.size());
  for (const SnapshotFile& file : manifest.files) {
    put_sized(body, file.name);
    put_varint(body, file.size);
    put_le(body, file.checksum.low);
    put_le(body, file.checksum.high);
  }
  std::string out;
  put_u8(out, kManifestVersion);
  put_le(out, checksum64(body));
  CHECK_INVARIANT(out.size() == kHeadBytes);
  return out + body;
}

Result<Manifest> decode_manifest(std::string_view bytes) {
  const Error bad{Errc::kCorrupt, "the list of a snapshot's files is damaged"};
  ByteReader in(bytes);
  const uint8_t version = in.le<uint8_t>();
  const uint64_t checksum = in.le<uint64_t>();
  if (!in.ok() || version != kManifestVersion || checksum64(bytes.substr(kHeadBytes)) != checksum) {
    return bad;
  }
  Manifest manifest;
  manifest.sender = take_id<Incarnation>(in);
  manifest.checkpoint = take_id<CheckpointId>(in);
  manifest.index = LogIndex{in.varint()};
  manifest.term = Term{in.varint()};
  manifest.group = GroupId{in.varint()};
  const uint64_t files = in.varint();
  if (!in.ok() || files > in.rest().size() / kFileBytesMin) {
    return bad;
  }
  for (uint64_t n = 0; n < files; ++n) {
    SnapshotFile file;
    file.name = std::string(in.sized());
    file.size = in.varint();
    file.checksum.low = in.le<uint64_t>();
    file.checksum.high = in.le<uint64_t>();
    const bool ordered = manifest.files.empty() || manifest.files.back().name < file.name;
    if (!in.ok() || !ordered || !is_plain_file_name(file.name) || file.size >= 1ULL << 60) {
      return bad;
    }
    manifest.files.push_back(std::move(file));
  }
  return in.done() ? Result<Manifest>(std::move(manifest)) : Result<Manifest>(bad);
}

}  // namespace kiwi::rocks
