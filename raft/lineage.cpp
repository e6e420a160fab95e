#include "raft/lineage.hpp"

#include <algorithm>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "raft/mutants.hpp"

namespace kiwi::raft {

void add_mark(std::vector<Mark>& marks, uint64_t nonce) {
  const uint64_t number = marks.empty() ? 1 : marks.back().number + 1;
  marks.push_back({number, nonce});
  if (marks.size() > kMarksMax) {
    marks.erase(marks.begin());
  }
}

bool Lineage::forked() const {
  return marks_.size() == 2 && marks_.front().number == marks_.back().number;
}

Lineage::Judgement Lineage::judge(const std::vector<Mark>& marks) const {
  if (mutant(Mutant::kOldCopyCounted)) {
    return Judgement::kGoesOn;
  }
  if (forked()) {
    return Judgement::kDiffers;
  }
  for (const Mark& known : marks_) {
    const auto said = std::ranges::lower_bound(marks, known.number, {}, &Mark::number);
    if (said != marks.end() && said->number == known.number && *said != known) {
      return Judgement::kDiffers;
    }
  }
  const bool behind =
      !marks_.empty() && (marks.empty() || marks.back().number < marks_.back().number);
  return behind ? Judgement::kBehind : Judgement::kGoesOn;
}

bool Lineage::learn(const std::vector<Mark>& marks) {
  if (forked()) {
    return false;
  }
  const std::vector<Mark> before = marks_;
  for (const Mark& mark : marks) {
    const auto place = std::ranges::lower_bound(marks_, mark.number, {}, &Mark::number);
    if (place == marks_.end() || place->number != mark.number) {
      marks_.insert(place, mark);
    } else if (*place != mark) {
      marks_ = {*place, mark};
      std::ranges::sort(marks_, {}, &Mark::nonce);  // the same with everybody
      CHECK_INVARIANT(forked());
      return true;
    }
  }
  if (marks_.size() > kMarksMax) {
    marks_.erase(marks_.begin(), marks_.end() - static_cast<std::ptrdiff_t>(kMarksMax));
  }
  CHECK_INVARIANT(std::ranges::is_sorted(marks_, {}, &Mark::number));
  return marks_ != before;
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

std::string encode_lineage(const std::vector<Mark>& marks) {
  std::string out;
  for (const Mark& mark : marks) {
    put_le(out, mark.number);
    put_le(out, mark.nonce);
  }
  return out;
}

Result<std::vector<Mark>> decode_lineage(std::string_view bytes) {
  constexpr size_t kMarkBytes = 2 * sizeof(uint64_t);
  std::vector<Mark> marks;
  ByteReader reader(bytes);
  const size_t count = bytes.size() / kMarkBytes;
  for (size_t i = 0; i < count && count <= kMarksMax; ++i) {
    const auto number = reader.le<uint64_t>();
    marks.push_back({number, reader.le<uint64_t>()});
  }
  if (!reader.done() || std::ranges::any_of(marks, [](const Mark& m) { return m.number == 0; }) ||
      !std::ranges::is_sorted(marks, {}, &Mark::number)) {
    return Error{Errc::kInvalid, "what is known of the marks of a directory is malformed"};
  }
  return marks;
}

}  // namespace kiwi::raft
