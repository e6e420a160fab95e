#include "resp/types/comparison.hpp"

namespace kiwi::resp {

Comparison::Verdict Comparison::judge(std::span<const NodeId> voters) {
  if (!asked_ || judged_ || voters.empty()) {
    return Verdict::kOpen;
  }
  std::map<uint64_t, size_t> votes;  // by checksum
  size_t answered = 0;
  for (const NodeId voter : voters) {
    if (const auto found = answers_.find(voter); found != answers_.end()) {
      ++votes[found->second];
      ++answered;
    }
  }
  CHECK_INVARIANT(answered <= voters.size() && votes.size() <= answered);
  const size_t majority = voters.size() / 2 + 1;
  for (const auto& [checksum, count] : votes) {
    if (count >= majority) {
      majority_ = checksum;
      if (asked_->checksum != checksum) {
        judged_ = this_differs_ = true;
        return Verdict::kThisDiffers;
      }
      if (votes.size() > 1) {
        judged_ = true;
        return Verdict::kOthersDiffer;
      }
      return Verdict::kOpen;  // the others may still differ
    }
  }
  if (answered < voters.size()) {
    return Verdict::kOpen;
  }
  judged_ = true;
  return Verdict::kNoMajority;
}

}  // namespace kiwi::resp
