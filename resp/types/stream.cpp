#include "resp/types/stream.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::resp {

namespace {

constexpr LeafKind kKind = LeafKind::kStream;
constexpr size_t kPagesMax = 512;      // nodes that a command of many entries holds in memory
constexpr rocks::StreamTail kNothing;  // of a key that is not there

}  // namespace

std::optional<StreamId> next_id(const StreamId& id) {
  if (id.sequence != UINT64_MAX) {
    return StreamId{id.ms, id.sequence + 1};
  }
  return id.ms != UINT64_MAX ? std::optional(StreamId{id.ms + 1, 0}) : std::nullopt;
}

std::optional<StreamId> id_before(const StreamId& id) {
  if (id.sequence != 0) {
    return StreamId{id.ms, id.sequence - 1};
  }
  return id.ms != 0 ? std::optional(StreamId{id.ms - 1, UINT64_MAX}) : std::nullopt;
}

Stream::Stream(Database& database)
    : Handle(database), tree_(database.nodes(), kKind, database.shape()) {}

void Stream::stand_for(const Key& key) {
  Handle::stand_for(key);
  close_group();
  TreeHead head;
  if (key.live) {
    head = {key.meta.stream.blocks, key.meta.tree_height, key.meta.removed, key.meta.next_node,
            key.meta.value};
  }
  tree_.open({key.collection()}, head, 0);
  key_.meta.value = {};
}

// Its buffers stay for the next one.
void Stream::close_group() {
  if (group_) {
    group_->close();
  }
}

void Stream::give_back() {
  close_group();
  tree_.give_back();
  for (std::string* buffer : {&entry_, &more_, &names_, &key_bytes_}) {
    give_back_if_big(*buffer);
  }
  give_back_if_big(backwards_);
}

// ---------------------------------------------------------------- reading

const rocks::StreamTail& Stream::tail() const { return there() ? key_.meta.stream : kNothing; }

// Blocks of which the first id is not above this one.
uint64_t Stream::blocks_up_to(const StreamId& id) const {
  const std::optional<StreamId> next = next_id(id);
  if (!next) {
    return tree_.size();
  }
  key_bytes_.clear();
  append_id(key_bytes_, *next);
  return tree_.rank(key_bytes_);
}

void Stream::range(const StreamId& from, const StreamId& to, const StreamVisit& visit) const {
  if (empty() || from > to) {
    return;
  }
  const uint64_t up_to = blocks_up_to(from);
  const uint64_t first = up_to > 0 ? up_to - 1 : 0;
  Steps& steps = database().steps();
  tree_.visit(first, tree_.size() - first, [&](const LeafEntry& leaf) {
    bool more = true;
    each_entry(block_of(leaf), [&](const StreamEntry& entry) {
      if (entry.id < from) {
        steps.entry();
        return true;
      }
      steps.step();
      more = entry.id <= to && visit(entry);
      return more;
    });
    return more;
  });
}

void Stream::range_back(const StreamId& from, const StreamId& to, const StreamVisit& visit) const {
  if (empty() || from > to) {
    return;
  }
  Steps& steps = database().steps();
  tree_.visit_back(0, blocks_up_to(to), [&](const LeafEntry& leaf) {
    backwards_.clear();
    each_entry(block_of(leaf), [&](const StreamEntry& entry) {
      steps.entry();
      if (entry.id <= to) {
        backwards_.push_back(entry);
      }
      return entry.id <= to;
    });
    return std::all_of(backwards_.rbegin(), backwards_.rend(), [&](const StreamEntry& entry) {
      steps.step();
      return entry.id >= from && visit(entry);
    });
  });
}

StreamId Stream::last_entry() const {
  CHECK_INVARIANT(!empty());
  StreamId last;
  range_back({}, kStreamIdMax, [&](const StreamEntry& entry) {
    last = entry.id;
    return false;
  });
  return last;
}

// Its bytes are valid until the next call that reads or writes, or changes if it is `for_change`.
std::optional<Stream::Found> Stream::locate(const StreamId& id, bool for_change) const {
  const uint64_t up_to = empty() ? 0 : blocks_up_to(id);
  if (up_to == 0) {
    return std::nullopt;
  }
  std::optional<Found> found;
  const StreamBlock block =
      block_of(for_change ? tree_.at_for_change(up_to - 1) : tree_.at(up_to - 1));
  each_entry(block, [&](const StreamEntry& entry) {
    database().steps().entry();
    if (entry.id == id) {
      found = Found{up_to - 1, block, entry};
    }
    return entry.id < id;
  });
  return found;
}

bool Stream::has(const StreamId& id) const { return locate(id, false).has_value(); }

bool Stream::find(const StreamId& id, const StreamVisit& visit) const {
  const std::optional<Found> found = locate(id, false);
  if (found) {
    visit(found->entry);
  }
  return found.has_value();
}

void Stream::each_block(const BlockVisit& visit) const {
  tree_.visit(0, tree_.size(), [&](const LeafEntry& leaf) { return visit(block_of(leaf)); });
}

// ---------------------------------------------------------------- changes

uint64_t Stream::begin_change() {
  if (!changed_) {
    changed_ = true;
    if (key_.live) {
      database().begin_update(key_);
    } else {
      database().begin_new(key_, kType);
      fresh_ = true;
    }
    const uint64_t stamp = key_.meta.last_modified - key_.meta.version;
    if (fresh_) {
      tree_.open({key_.collection()}, {}, stamp);
    } else {
      tree_.set_stamp(stamp);
    }
  }
  return key_.meta.last_modified - key_.meta.version;
}

void Stream::count_blocks() {
  key_.meta.stream.blocks = tree_.size();
  give_back_if_big(entry_);
  give_back_if_big(more_);
  give_back_if_big(names_);
}

void Stream::store_nodes() {
  database().effects().expect_packed();
  database().effects().spend_packed(tree_.save());
  const TreeHead head = tree_.head();
  key_.meta.spread = key_.meta.spread || head.next_node > 1;
  if (key_.meta.spread) {
    key_.meta.tree_height = head.height;
    key_.meta.removed = head.removed;
    key_.meta.next_node = head.next_node;
  }
}

void Stream::store_if_many() {
  if (tree_.pages() > kPagesMax) {
    store_nodes();
  }
}

void Stream::save() {
  if (!changed_) {
    return;
  }
  if (group_) {
    group_->save();
  }
  store_nodes();
  CHECK_INVARIANT(key_.meta.stream.blocks == tree_.size());
  key_.meta.value = tree_.head().root;
  changed_ = false;
  if (fresh_) {
    database().store_new(key_);
    fresh_ = false;
  } else {
    database().store_updated(key_);
  }
  key_.meta.value = {};
}

void Stream::create() {
  CHECK_INVARIANT(!there());
  begin_change();
}

// `more`: entries behind those of the block.
void Stream::replace_block(uint64_t rank, const StreamBlock& block, std::string_view more) {
  entry_.clear();
  encode_block(entry_, block, more);
  tree_.replace_at(rank, entry_);
}

// The last block, which an entry of that id may join. XSETID may take ids back, down to the last
// entry: a block that begins behind them has none left, and goes.
std::optional<StreamBlock> Stream::last_block_below(const StreamId& id) {
  while (tree_.size() > 0) {
    const StreamBlock last = block_of(tree_.at_for_change(tree_.size() - 1));
    if (last.first < id) {
      return last;
    }
    CHECK_INVARIANT(last.live == 0);
    tree_.remove_at(tree_.size() - 1);
  }
  return std::nullopt;
}

void Stream::append(const StreamId& id, StreamFields fields) {
  CHECK_INVARIANT(id > tail().last_id);
  begin_change();
  size_t bytes = 0;
  for (std::string_view one : fields) {
    bytes += one.size();
  }
  more_.clear();
  if (std::optional<StreamBlock> last = last_block_below(id); last && last->takes(bytes)) {
    add_entry(more_, *last, id, fields);
    replace_block(tree_.size() - 1, *last, more_);
  } else {
    StreamBlock block = new_block(id, fields, names_);
    add_entry(more_, block, id, fields);
    entry_.clear();
    encode_block(entry_, block, more_);
    tree_.insert(entry_);
  }
  rocks::StreamTail& tail = key_.meta.stream;
  ++key_.meta.size;
  ++tail.entries_added;
  tail.last_id = id;
  if (key_.meta.size == 1) {
    tail.first_id = id;
  }
  count_blocks();
}

void Stream::append_block(const StreamBlock& block) {
  CHECK_INVARIANT(tree_.size() == 0 || block.first > block_of(tree_.at(tree_.size() - 1)).first);
  begin_change();
  entry_.clear();
  encode_block(entry_, block);
  tree_.insert(entry_);
  rocks::StreamTail& tail = key_.meta.stream;
  const bool first = key_.meta.size == 0;
  key_.meta.size += block.live;
  tail.entries_added += block.live;
  tail.last_id = std::max(tail.last_id, block.last);
  if (first && block.live > 0) {
    each_entry(block, [&](const StreamEntry& entry) {
      tail.first_id = entry.id;
      return false;
    });
  }
  count_blocks();
  store_if_many();
}

void Stream::set_last_id(const StreamId& id) {
  CHECK_INVARIANT(id >= tail().first_id);
  begin_change();
  key_.meta.stream.last_id = id;
}

void Stream::set_entries_added(uint64_t count) {
  begin_change();
  key_.meta.stream.entries_added = count;
}

void Stream::set_max_deleted(const StreamId& id) {
  begin_change();
  key_.meta.stream.max_deleted_id = id;
}

}  // namespace kiwi::resp
