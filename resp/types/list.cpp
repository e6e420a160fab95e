#include "resp/types/list.hpp"

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"

namespace kiwi::resp {

namespace {

// Nodes that a command of many elements holds in memory.
constexpr size_t kPagesMax = 512;

}  // namespace

List::List(Database& database)
    : Collection(database), tree_(database.nodes(), LeafKind::kList, database.shape()) {}

void List::stand_for(const Key& key) {
  Collection::stand_for(key);
  TreeHead head;
  if (key.live) {
    head = {key.meta.size, key.meta.tree_height, key.meta.removed, key.meta.next_node,
            key.meta.value};
  }
  tree_.open({key.collection()}, head, 0);
  key_.meta.value = {};
}

void List::give_back() {
  tree_.give_back();
  give_back_if_big(entry_);
  give_back_if_big(equal_);
}

// ---------------------------------------------------------------- reading

std::string_view List::at(uint64_t index) const { return tree_.at(index).value; }

std::string_view List::end(ListEnd end) const { return at(end == ListEnd::kHead ? 0 : size() - 1); }

void List::range(uint64_t first, uint64_t count, const ElementVisit& visit) const {
  tree_.visit(first, count, [&](const LeafEntry& entry) { return visit(entry.value); });
}

// ---------------------------------------------------------------- changes

void List::begin_change() {
  if (changed_) {
    return;
  }
  Collection::begin_change(kType);
  if (fresh_) {
    tree_.open({key_.collection()}, {}, stamp());
  } else {
    tree_.set_stamp(stamp());
  }
}

const std::string& List::entry_of(std::string_view element) {
  entry_.clear();
  append_list_entry(entry_, element);
  return entry_;
}

void List::edited() {
  give_back_if_big(entry_);
  key_.meta.size = tree_.size();
  if (tree_.pages() > kPagesMax) {
    store_nodes();
  }
}

// The key's record, which says where they are, follows with save().
void List::store_nodes() {
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

void List::save() {
  if (!changed_) {
    return;
  }
  store_nodes();
  CHECK_INVARIANT(key_.meta.size == tree_.size());
  key_.meta.value = tree_.head().root;
  Collection::save();
  key_.meta.value = {};
}

// ---------------------------------------------------------------- both ends

void List::push(ListEnd end, std::string_view element) {
  begin_change();
  tree_.insert_at(end == ListEnd::kHead ? 0 : size(), entry_of(element));
  edited();
}

void List::pop(ListEnd end, uint64_t count, const ElementVisit& visit) {
  CHECK_INVARIANT(count <= size());
  if (count == 0) {
    return;
  }
  const uint64_t first = end == ListEnd::kHead ? 0 : size() - count;
  if (visit) {
    const Steps::ForAnswer for_answer(database().steps());
    const auto tell = [&](const LeafEntry& entry) { return visit(entry.value); };
    if (end == ListEnd::kHead) {
      tree_.visit(first, count, tell);
    } else {
      tree_.visit_back(first, count, tell);
    }
  }
  remove(first, count);
}

void List::clear() {
  if (!empty()) {
    remove(0, size());
  }
}

void List::remove(uint64_t first, uint64_t count) {
  // The last ones go one by one: a queue that is empty now and then leaves no range erases.
  constexpr uint64_t kFew = 64;
  begin_change();
  if (count == size() && count > kFew) {
    elements().drop(key_);
    tree_.clear();
  } else {
    tree_.remove_range(first, count);
  }
  edited();
}

}  // namespace kiwi::resp
