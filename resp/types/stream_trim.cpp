// Streams: entries that go.
#include <algorithm>

#include "config/base/check.hpp"
#include "resp/types/stream.hpp"

namespace kiwi::resp {

bool Stream::erase(const StreamId& id) {
  const std::optional<Found> found = locate(id, true);
  if (!found) {
    store_if_many();
    return false;
  }
  begin_change();
  if (found->block.live == 1) {
    tree_.remove_at(found->rank);
  } else {
    StreamBlock block = found->block;
    const auto at = static_cast<size_t>(found->entry.bytes.data() - block.entries.data());
    more_.assign(block.entries.substr(at + found->entry.bytes.size()));
    block.entries = block.entries.substr(0, at);
    --block.live;
    ++block.deleted;
    replace_block(found->rank, block, more_);
  }
  rocks::StreamTail& tail = key_.meta.stream;
  --key_.meta.size;
  tail.max_deleted_id = std::max(tail.max_deleted_id, id);
  if (key_.meta.size == 0 || id == tail.first_id) {
    find_first();
  }
  count_blocks();
  store_if_many();
  return true;
}

// Who is first now?
void Stream::find_first() {
  StreamId first;
  range({}, kStreamIdMax, [&](const StreamEntry& entry) {
    first = entry.id;
    return false;
  });
  key_.meta.stream.first_id = first;
}

// ---------------------------------------------------------------- from the front

uint64_t Stream::trim(const StreamTrim& trim) {
  if (trim.by == StreamTrim::By::kNothing || tree_.size() == 0) {
    return 0;
  }
  const bool by_length = trim.by == StreamTrim::By::kLength;
  const uint64_t size = key_.meta.size;
  if (by_length && size <= trim.length) {
    return 0;
  }
  if (by_length && !trim.about && trim.length == 0) {
    begin_change();
    clear_blocks();
    key_.meta.size = 0;
    find_first();
    count_blocks();
    return size;
  }
  uint64_t left = size;
  uint64_t whole = 0;  // blocks that go
  bool cut = false;    // the next one goes in part
  tree_.visit(0, tree_.size(), [&](const LeafEntry& leaf) {
    const StreamBlock block = block_of(leaf);
    if ((by_length && left <= trim.length) ||
        (trim.limit != 0 && size - left + block.live > trim.limit)) {
      return false;
    }
    if (by_length ? left - block.live >= trim.length : block.last < trim.id) {
      left -= block.live;
      ++whole;
      return true;
    }
    cut = !trim.about;
    return false;
  });
  drop_blocks(whole);
  if (cut) {
    left -= cut_first(trim, left);
  }
  CHECK_INVARIANT(left <= size);
  key_.meta.size = left;
  if (left != size) {
    find_first();
  }
  count_blocks();
  return size - left;
}

void Stream::drop_blocks(uint64_t count) {
  if (count == 0) {
    return;
  }
  begin_change();
  if (count == tree_.size()) {
    clear_blocks();
  } else {
    tree_.remove_range(0, count);
  }
}

void Stream::clear_blocks() {
  constexpr uint64_t kFew = 64;  // a range erase costs every later read more than a few erases
  if (tree_.size() <= kFew) {
    tree_.remove_range(0, tree_.size());
    return;
  }
  database().nodes().drop({key_.collection()});
  tree_.clear();
}

// Takes entries out of the first block, `left` being those of the stream. How many.
uint64_t Stream::cut_first(const StreamTrim& trim, uint64_t left) {
  StreamBlock block = block_of(tree_.at_for_change(0));
  uint64_t gone = 0;
  size_t bytes = 0;
  each_entry(block, [&](const StreamEntry& entry) {
    const bool goes =
        trim.by == StreamTrim::By::kLength ? left - gone > trim.length : entry.id < trim.id;
    if (goes) {
      ++gone;
      bytes += entry.bytes.size();
    }
    return goes;
  });
  if (gone == 0) {
    return 0;
  }
  begin_change();
  block.entries.remove_prefix(bytes);
  block.live -= gone;
  block.deleted += gone;
  replace_block(0, block, {});
  return gone;
}

}  // namespace kiwi::resp
