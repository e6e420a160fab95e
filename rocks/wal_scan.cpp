#include "rocks/wal_scan.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "config/base/check.hpp"
#include "rocks/wal_tail.hpp"

namespace kiwi::rocks {

namespace {

constexpr uint64_t kPage = 4096;  // of the file system
static_assert(kPage % kWalSector == 0 && kWalBlock % kPage == 0);

bool all_of(char byte, std::string_view bytes) {
  return bytes.find_first_not_of(byte) == std::string_view::npos;
}

uint64_t end_of(WalSource& source) {
  for (uint64_t block = (source.size() + kWalBlock - 1) / kWalBlock; block-- > 0;) {
    if (const size_t used = without_wal_room(source.block(block)); used != 0) {
      return block * kWalBlock + used;
    }
  }
  return 0;
}

class Scanner {
 public:
  Scanner(WalSource& source, uint64_t file, const WalMark& mark)
      : source_(source), file_(file), mark_(mark), end_(end_of(source)) {}

  WalScan run() {
    for (uint64_t block = 0; block * kWalBlock < end_; ++block) {
      const std::string_view bytes =
          source_.block(block).substr(0, std::min(kWalBlock, end_ - block * kWalBlock));
      find_notes(block, bytes);
      if (!bad_) {
        read_records(block * kWalBlock, bytes);
      }
    }
    if (bad_) {
      judge();
    } else if (inside_) {
      scan_.verdict = WalVerdict::kTorn;
      scan_.offset = begin_;
    } else {
      scan_.offset = end_;
    }
    if (has_zeroed_sector(behind_cut(bad_ || inside_ ? begin_ : end_))) {
      scan_.verdict = WalVerdict::kDamaged;
    }
    return scan_;
  }

 private:
  // One may lie in two blocks, with the header of the second part between.
  void find_notes(uint64_t block, std::string_view bytes) {
    auto found = [this](const WalNote& note) {
      WalScan::Told& told = scan_.told[note.synced.end.file];
      told.synced = std::max(told.synced, note.synced.end.offset);
      told.filled = std::max(told.filled, note.synced.filled);
    };
    if (block != 0 && bytes.size() > kWalHeader) {
      before_.append(bytes.substr(kWalHeader, kWalNoteBytes - 1));
      find_wal_notes(before_, mark_, found);
    }
    find_wal_notes(bytes, mark_, found);
    before_ = bytes.substr(bytes.size() - std::min(bytes.size(), kWalNoteBytes - 1));
  }

  void read_records(uint64_t start, std::string_view bytes) {
    for (size_t at = 0; at < bytes.size();) {
      if (kWalBlock - at < kWalHeader) {
        bad_ = !all_of('\0', bytes.substr(at)) && !all_of(kWalRoom, bytes.substr(at));
        misplaced_ = bad_;
        bad_at_ = start + at;
        return;
      }
      const uint8_t type = intact_wal_record(bytes.substr(at));
      const bool continues = type == kWalMiddle || type == kWalLast;
      if (type == 0 || continues != inside_) {
        bad_ = true;
        misplaced_ = type != 0;
        bad_at_ = start + at;
        begin_ = inside_ ? begin_ : bad_at_;
        return;
      }
      if (!inside_) {
        begin_ = start + at;
      }
      inside_ = type == kWalFirst || type == kWalMiddle;
      scan_.records += inside_ ? 0 : 1;
      at += kWalHeader + wal_length(bytes.substr(at));
      CHECK_INVARIANT(at <= bytes.size());  // an intact record lies in its block
    }
  }

  void judge() {
    const auto last = scan_.told.rbegin();
    const bool was_synced =
        last != scan_.told.rend() &&
        WalPosition{last->first, last->second.synced} > WalPosition{file_, begin_};
    const bool torn = !was_synced && !misplaced_ &&
                      (behind_cut(begin_) != begin_ ||
                       sectors_are_missing(source_, begin_, end_, filled(), mark_));
    scan_.verdict = torn ? WalVerdict::kTorn : WalVerdict::kDamaged;
    scan_.offset = torn ? begin_ : bad_at_;
  }

  uint64_t filled() const {
    const auto about = scan_.told.find(file_);
    return about == scan_.told.end() ? 0 : about->second.filled;
  }
  // A file is cut at a record's end, which puts zeros from there to the end of the page, maybe on
  // disk before the new length. That was so if the rest of the record's last sector is zeros: had
  // the disk lost that sector, it would have taken the record's end with it. Where the next intact
  // byte may be, if nothing was cut: `end`.
  uint64_t behind_cut(uint64_t end) {
    const uint64_t page = (end + kPage - 1) / kPage * kPage;
    uint64_t proof = (end + kWalSector - 1) / kWalSector * kWalSector;
    if (proof != end && proof - end < kWalHeader) {
      proof = page;  // so few may be the next record's own
    }
    const std::string_view bytes = source_.block(end / kWalBlock);
    const std::string_view zeros =
        bytes.substr(std::min(end % kWalBlock, bytes.size()), proof - end);
    return zeros.size() >= kWalHeader && all_of('\0', zeros) ? page : end;
  }
  // Where nothing but records and kWalRoom was: zeros that no write left there.
  bool has_zeroed_sector(uint64_t from) {
    const uint64_t end = std::min(filled(), source_.size());
    for (uint64_t at = from; at < end; at = (at / kWalSector + 1) * kWalSector) {
      const uint64_t to = std::min(end, (at / kWalSector + 1) * kWalSector);
      const uint64_t start = (to - 1) / kWalBlock * kWalBlock;
      const uint64_t tail = std::min(to - start, kMissingMin);
      if (all_of('\0', source_.block(start / kWalBlock).substr(to - start - tail, tail)) &&
          tail == kMissingMin) {
        return true;
      }
    }
    return false;
  }

  WalSource& source_;
  const uint64_t file_;
  const WalMark& mark_;
  const uint64_t end_;
  WalScan scan_;
  std::string before_;      // the end of the block before
  uint64_t begin_ = 0;      // of the last record that began
  bool inside_ = false;     // it goes on in the next block
  bool bad_ = false;        // there is a bad physical record at bad_at_
  bool misplaced_ = false;  // which no missing bytes explain
  uint64_t bad_at_ = 0;
};

}  // namespace

WalScan scan_wal(WalSource& source, uint64_t file, const WalMark& mark) {
  return Scanner(source, file, mark).run();
}

}  // namespace kiwi::rocks
