// Values that are passed over: their lengths are read, and nothing is kept.
#include "resp/types/dump/object_reader.hpp"
#include "resp/types/dump/rdb_file.hpp"

namespace kiwi::resp::dump {

namespace {

enum RdbType : uint8_t {
  kModule2 = 7,
  kStreamListpacks = 15,
  kStreamListpacks2 = 19,  // with the first id, the largest deleted one and counts
  kStreamListpacks3 = 21,  // and with the time at which consumers were active
};

class Nothing final : public ObjectVisitor {
  bool on_string(std::string_view) override { return true; }
  bool on_list_element(std::string_view) override { return true; }
  bool on_set_member(std::string_view) override { return true; }
  bool on_sorted_set_member(std::string_view, double) override { return true; }
  bool on_hash_field(std::string_view, std::string_view, std::optional<int64_t>) override {
    return true;
  }
};

constexpr size_t kIdBytes = 16;
constexpr size_t kTimeBytes = 8;

// `count` times, as long as there are bytes.
template <class Each>
void times(RdbReader& in, uint64_t count, Each each) {
  for (; count > 0 && in.ok(); --count) {
    each();
  }
}

void skip_stream_id(RdbReader& in) {
  in.length();
  in.length();
}

void skip_group(uint8_t type, RdbReader& in) {
  in.string();
  skip_stream_id(in);
  if (type >= kStreamListpacks2) {
    in.length();  // entries read
  }
  times(in, in.length(), [&] {  // pending entries
    in.raw(kIdBytes + kTimeBytes);
    in.length();
  });
  times(in, in.length(), [&] {  // consumers
    in.string();
    in.raw(type >= kStreamListpacks3 ? 2 * kTimeBytes : kTimeBytes);
    times(in, in.length(), [&] { in.raw(kIdBytes); });
  });
}

bool skip_stream(uint8_t type, RdbReader& in) {
  times(in, in.length(), [&] {
    in.string();
    in.string();
  });
  in.length();
  skip_stream_id(in);
  if (type >= kStreamListpacks2) {
    skip_stream_id(in);
    skip_stream_id(in);
    in.length();
  }
  times(in, in.length(), [&] { skip_group(type, in); });
  return in.ok();
}

}  // namespace

bool skip_module_values(RdbReader& in) {
  enum : uint64_t { kEnd, kSigned, kUnsigned, kFloat, kDouble, kString };
  while (in.ok()) {
    switch (in.length()) {
      case kEnd:
        return in.ok();
      case kSigned:
      case kUnsigned:
        in.length();
        break;
      case kFloat:
        in.raw(4);
        break;
      case kDouble:
        in.raw(8);
        break;
      case kString:
        in.string();
        break;
      default:
        return false;
    }
  }
  return false;
}

bool skip_object(uint8_t type, RdbReader& in) {
  switch (type) {
    case kModule2:
      in.length();
      return skip_module_values(in);
    case kStreamListpacks:
    case kStreamListpacks2:
    case kStreamListpacks3:
      return skip_stream(type, in);
    default: {
      Nothing nothing;
      return read_object(type, in, nothing) != ReadOutcome::kBad;
    }
  }
}

}  // namespace kiwi::resp::dump
