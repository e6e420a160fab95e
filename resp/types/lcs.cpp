#include "resp/types/lcs.hpp"

#include <algorithm>

namespace kiwi::resp {

LcsTable::LcsTable(std::string_view a, std::string_view b, Steps& steps)
    : a_(a), b_(b), cells_((a.size() + 1) * (b.size() + 1), 0) {
  size_t cells = 0;
  for (size_t i = 1; i <= a.size(); ++i) {
    cells += b.size();
    steps.step(cells / kCellsPerStep);
    cells %= kCellsPerStep;
    for (size_t j = 1; j <= b.size(); ++j) {
      cells_[at(i, j)] = a[i - 1] == b[j - 1]
                             ? cells_[at(i - 1, j - 1)] + 1
                             : std::max(cells_[at(i - 1, j)], cells_[at(i, j - 1)]);
    }
  }
}

void LcsTable::walk(std::string& common, std::vector<LcsMatch>& matches) const {
  size_t i = a_.size();
  size_t j = b_.size();
  common.resize(length());
  size_t left = common.size();
  bool open = false;  // matches.back() still grows
  while (left > 0) {
    if (a_[i - 1] == b_[j - 1]) {
      common[--left] = a_[i - 1];
      --i;
      --j;
      if (open) {
        matches.back().a_first = i;
        matches.back().b_first = j;
      } else {
        matches.push_back({i, i, j, j});
        open = true;
      }
      continue;
    }
    open = false;
    if (cells_[at(i - 1, j)] > cells_[at(i, j - 1)]) {
      --i;
    } else {
      --j;
    }
  }
}

}  // namespace kiwi::resp
