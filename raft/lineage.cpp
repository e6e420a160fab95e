#include "raft/lineage.hpp"

#include "config/base/bytes.hpp"

namespace kiwi::raft {

void add_mark(std::vector<Mark>& marks, uint64_t nonce) {
  const uint64_t number = marks.empty() ? 1 : marks.back().number + 1;
  marks.push_back({number, nonce});
  if (marks.size() > kMarksMax) {
    marks.erase(marks.begin());
  }
}

bool goes_on_from(const std::vector<Mark>& marks, const Mark& known) {
  if (known.number == 0) {
    return true;
  }
  if (marks.empty() || marks.back().number < known.number) {
    return false;
  }
  const uint64_t first = marks.front().number;
  return known.number < first || marks[known.number - first] == known;
}

std::string encode_marks(const std::vector<Mark>& marks) {
  std::string out;
  if (marks.empty()) {
    return out;
  }
  put_le(out, marks.front().number);
  for (const Mark& mark : marks) {
    put_le(out, mark.nonce);
  }
  return out;
}

Result<std::vector<Mark>> decode_marks(std::string_view bytes) {
  std::vector<Mark> marks;
  if (bytes.empty()) {
    return marks;
  }
  ByteReader reader(bytes);
  const auto first = reader.le<uint64_t>();
  const size_t count = bytes.size() / sizeof(uint64_t) - 1;
  if (bytes.size() % sizeof(uint64_t) != 0 || count == 0 || count > kMarksMax || first == 0 ||
      first > UINT64_MAX - kMarksMax) {
    return Error{Errc::kInvalid, "the marks of a directory are malformed"};
  }
  for (size_t i = 0; i < count; ++i) {
    marks.push_back({first + i, reader.le<uint64_t>()});
  }
  return marks;
}

}  // namespace kiwi::raft
