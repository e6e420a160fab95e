// Values that are passed over: their lengths are read, and nothing is kept.
#include "resp/types/dump/object_reader.hpp"
#include "resp/types/dump/rdb_file.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr uint8_t kModule2 = 7;

class Nothing final : public ObjectVisitor, private StreamVisitor {
  bool on_string(std::string_view) override { return true; }
  bool on_list_element(std::string_view) override { return true; }
  bool on_set_member(std::string_view) override { return true; }
  bool on_sorted_set_member(std::string_view, double) override { return true; }
  bool on_hash_field(std::string_view, std::string_view, std::optional<int64_t>) override {
    return true;
  }
  StreamVisitor& stream() override { return *this; }
  bool on_node(const StreamId&, StreamFields) override { return true; }
  bool on_entry(const StreamId&, StreamFields) override { return true; }
  bool on_deleted_entry(const StreamId&, uint64_t) override { return true; }
  bool on_totals(const StreamTotals&) override { return true; }
  bool on_group(const GroupTotals&) override { return true; }
  bool on_pending(const StreamId&, int64_t, uint64_t) override { return true; }
  bool on_consumer(std::string_view, int64_t) override { return true; }
  bool on_owned(const StreamId&) override { return true; }
  bool on_group_end() override { return true; }
};

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
    default: {
      Nothing nothing;
      return read_object(type, in, nothing) != ReadOutcome::kBad;
    }
  }
}

}  // namespace kiwi::resp::dump
