#include "resp/types/stream_groups.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/types/stream.hpp"

namespace kiwi::resp {

namespace {

constexpr LeafKind kKind = LeafKind::kPending;
constexpr size_t kPagesMax = 512;  // nodes that a command of many entries holds in memory
constexpr size_t kAtOnce = 512;    // entries that go together
constexpr uint64_t kNobody = 0;    // consumers' numbers begin at 1

}  // namespace

StreamGroup::StreamGroup(Database& database)
    : database_(&database), tree_(database.nodes(), kKind, database.shape()) {}

rocks::CollectionId StreamGroup::collection() const { return stream_->key().collection(); }

void StreamGroup::open(Stream* stream, std::string_view name, const GroupRecord& record) {
  stream_ = stream;
  name_.assign(name);
  record_ = record;
  record_.pending = {};
  changed_ = false;
  known_.clear();
  tree_.open({collection(), record.number}, record.pending, 0);
}

void StreamGroup::close() {
  stream_ = nullptr;
  record_ = {};
  changed_ = false;
  known_.clear();
  tree_.give_back();
  give_back_if_big(name_);
}

void StreamGroup::open_new(Stream* stream, std::string_view name, uint32_t number) {
  GroupRecord record;
  record.number = number;
  open(stream, name, record);
  begin_change();
}

void StreamGroup::begin_change() {
  tree_.set_stamp(stream_->begin_change());
  changed_ = true;
}

GroupRecord StreamGroup::record() const {
  GroupRecord whole = record_;
  whole.pending = tree_.head();
  return whole;
}

void StreamGroup::store_nodes() {
  database_->effects().expect_packed();
  database_->effects().spend_packed(tree_.save());
}

void StreamGroup::store_if_many() {
  if (tree_.pages() > kPagesMax) {
    store_nodes();
  }
}

void StreamGroup::save() {
  if (!changed_) {
    return;
  }
  write_consumers();
  store_nodes();
  database_->group_records().put(collection(), name_, record());
  changed_ = false;
}

void StreamGroup::write_consumers() {
  GroupRecords& records = database_->group_records();
  for (auto& [number, consumer] : known_) {
    if (consumer.fresh) {
      records.put_name(collection(), record_.number, number, consumer.name);
    }
    if (consumer.changed || consumer.fresh) {
      records.put(collection(), record_.number, consumer.name, consumer.record);
    }
    consumer.fresh = consumer.changed = false;
  }
}

void StreamGroup::store_consumers() {
  write_consumers();
  known_.clear();
}

void StreamGroup::set_last_id(const rocks::StreamId& id) {
  begin_change();
  record_.last_id = id;
}

void StreamGroup::set_entries_read(std::optional<uint64_t> count) {
  begin_change();
  record_.entries_read = count;
}

// ---------------------------------------------------------------- consumers

StreamConsumer& StreamGroup::known(StreamConsumer consumer) const {
  const uint64_t number = consumer.record.number;
  database_->effects().spend(consumer.name.size());  // of the entry's work: it is held
  return known_.emplace(number, std::move(consumer)).first->second;
}

StreamConsumer* StreamGroup::consumer(std::string_view name) {
  return const_cast<StreamConsumer*>(std::as_const(*this).consumer(name));
}

const StreamConsumer* StreamGroup::consumer(std::string_view name) const {
  for (const auto& [number, consumer] : known_) {
    if (consumer.name == name) {
      return &consumer;
    }
  }
  const auto record = database_->group_records().consumer(collection(), record_.number, name);
  return record ? &known({std::string(name), *record}) : nullptr;
}

StreamConsumer& StreamGroup::owner(uint64_t number) const {
  if (const auto it = known_.find(number); it != known_.end()) {
    return it->second;
  }
  GroupRecords& records = database_->group_records();
  std::string name(records.consumer_name(collection(), record_.number, number));
  const auto record = records.consumer(collection(), record_.number, name);
  if (!record || record->number != number) {
    damaged_tree();
  }
  return known({std::move(name), *record});
}

const std::string& StreamGroup::name_of(uint64_t consumer) const { return owner(consumer).name; }

StreamConsumer& StreamGroup::create_consumer(std::string_view name, int64_t now_ms) {
  CHECK_INVARIANT(record_.next_consumer < rocks::kHashEnd);
  begin_change();
  StreamConsumer consumer;
  consumer.name.assign(name);
  consumer.record.number = record_.next_consumer++;
  consumer.record.seen_ms = now_ms;
  consumer.fresh = true;
  ++record_.consumers;
  return known(std::move(consumer));
}

void StreamGroup::saw(StreamConsumer& consumer, int64_t now_ms) {
  if (consumer.record.seen_ms != now_ms) {
    begin_change();
    consumer.record.seen_ms = now_ms;
    consumer.changed = true;
  }
}

// What is pending is all its own, and much: none of it is read.
bool StreamGroup::drop_all_pending(const ConsumerRecord& consumer) {
  if (consumer.pending != tree_.size() || consumer.pending <= kAtOnce) {
    return false;
  }
  database_->nodes().drop({collection(), record_.number});
  tree_.clear();
  return true;
}

uint64_t StreamGroup::remove_consumer(StreamConsumer& consumer) {
  begin_change();
  const uint64_t pending = consumer.record.pending;
  std::vector<uint64_t> ranks;
  uint64_t left = drop_all_pending(consumer.record) ? 0 : pending;
  // Behind what was found before: as many ranks later as stay in front.
  uint64_t rank = left == 0 ? 0 : tree_.rank(key_of(consumer.record.floor));
  while (left > 0) {
    ranks.clear();
    CHECK_INVARIANT(rank < tree_.size());
    tree_.visit(rank, tree_.size() - rank, [&](const LeafEntry& leaf) {
      if (pending_entry(leaf).consumer == consumer.record.number) {
        ranks.push_back(rank);
      }
      ++rank;
      return ranks.size() < std::min<uint64_t>(left, kAtOnce);
    });
    CHECK_INVARIANT(!ranks.empty());
    tree_.remove_many(ranks);
    left -= ranks.size();
    rank -= ranks.size();
    store_nodes();
  }
  const uint64_t number = consumer.record.number;
  database_->group_records().erase(collection(), record_.number, number, consumer.name);
  --record_.consumers;
  known_.erase(number);
  return pending;
}

void StreamGroup::each_consumer(
    const std::function<void(std::string_view, const ConsumerRecord&)>& visit) const {
  CHECK_INVARIANT(!changed_);
  auto at = database_->group_records().consumers(collection(), record_.number);
  for (; at->valid(); at->next()) {
    database_->step();
    const ConsumerRecord record = decode_consumer(at->value());
    visit(rocks::keys::stream_consumer_name(at->key()), record);
  }
}

// ---------------------------------------------------------------- pending entries

std::string_view StreamGroup::key_of(const rocks::StreamId& id) const {
  key_.clear();
  append_id(key_, id);
  return key_;
}

std::optional<PendingEntry> StreamGroup::find(const rocks::StreamId& id) const {
  if (tree_.size() == 0) {
    return std::nullopt;
  }
  const std::optional<LeafEntry> leaf = tree_.find(key_of(id));
  return leaf ? std::optional(pending_entry(*leaf)) : std::nullopt;
}

// The same, of one that is about to be changed.
std::optional<PendingEntry> StreamGroup::find_for_change(const rocks::StreamId& id) {
  const std::optional<LeafEntry> leaf = tree_.find_for_change(key_of(id));
  return leaf ? std::optional(pending_entry(*leaf)) : std::nullopt;
}

void StreamGroup::give(StreamConsumer& to, const rocks::StreamId& id) {
  ConsumerRecord& record = to.record;
  record.floor = record.pending == 0 ? id : std::min(record.floor, id);
  record.ceiling = record.pending == 0 ? id : std::max(record.ceiling, id);
  ++record.pending;
  to.changed = true;
}

void StreamGroup::take(StreamConsumer& from, const rocks::StreamId& id) {
  ConsumerRecord& record = from.record;
  CHECK_INVARIANT(record.pending > 0 && record.floor <= id && id <= record.ceiling);
  --record.pending;
  if (record.floor == id) {
    record.floor = next_id(id).value_or(id);
  }
  if (record.ceiling == id) {
    record.ceiling = id_before(id).value_or(id);
  }
  from.changed = true;
}

void StreamGroup::deliver(StreamConsumer& to,
                          const rocks::StreamId& id,
                          uint64_t deliveries,
                          int64_t delivered_ms) {
  begin_change();
  entry_.clear();
  append_pending(entry_, {id, to.record.number, deliveries, delivered_ms});
  const std::optional<PendingEntry> before = find_for_change(id);
  if (!before) {
    tree_.insert(entry_);
    give(to, id);
  } else {
    const bool moved = tree_.move(key_of(id), entry_);
    CHECK_INVARIANT(moved);
    if (before->consumer != to.record.number) {
      take(owner(before->consumer), id);
      give(to, id);
    }
  }
  store_if_many();
}

bool StreamGroup::add_pending(const rocks::StreamId& id,
                              uint64_t deliveries,
                              int64_t delivered_ms) {
  if (find_for_change(id)) {
    return false;
  }
  begin_change();
  entry_.clear();
  append_pending(entry_, {id, kNobody, deliveries, delivered_ms});
  tree_.insert(entry_);
  store_if_many();
  return true;
}

bool StreamGroup::own(StreamConsumer& consumer, const rocks::StreamId& id) {
  std::optional<PendingEntry> entry = find_for_change(id);
  if (!entry || entry->consumer != kNobody) {
    return false;
  }
  begin_change();
  entry->consumer = consumer.record.number;
  entry_.clear();
  append_pending(entry_, *entry);
  const bool moved = tree_.move(key_of(id), entry_);
  CHECK_INVARIANT(moved);
  give(consumer, id);
  store_if_many();
  return true;
}

bool StreamGroup::acknowledge(const rocks::StreamId& id) {
  const std::optional<PendingEntry> entry = find_for_change(id);
  if (!entry) {
    store_if_many();
    return false;
  }
  begin_change();
  const bool removed = tree_.remove(key_of(id));
  CHECK_INVARIANT(removed);
  take(owner(entry->consumer), id);
  store_if_many();
  return true;
}

PendingWalk StreamGroup::walk_of(const ConsumerRecord& consumer, const rocks::StreamId& from) {
  PendingWalk walk;
  walk.from = std::max(from, consumer.floor);
  walk.to = consumer.ceiling;
  walk.of = consumer.number;
  if (from <= consumer.floor) {  // all it has
    walk.left = consumer.pending;
  }
  walk.over = consumer.pending == 0 || walk.from > walk.to;
  return walk;
}

void StreamGroup::next(PendingWalk& walk, size_t most, std::vector<PendingEntry>& page) const {
  page.clear();
  const uint64_t wanted = std::min<uint64_t>(most, walk.left);
  if (walk.over || wanted == 0 || tree_.size() == 0) {
    walk.over = walk.over || most != 0;
    return;
  }
  const uint64_t first = tree_.rank(key_of(walk.from));
  tree_.visit(first, tree_.size() - first, [&](const LeafEntry& leaf) {
    const PendingEntry entry = pending_entry(leaf);
    if (entry.id > walk.to) {
      return false;
    }
    if (walk.of == 0 || entry.consumer == walk.of) {
      page.push_back(entry);
    }
    return page.size() < wanted;
  });
  walk.left -= page.size();
  const std::optional<StreamId> behind = page.empty() ? std::nullopt : next_id(page.back().id);
  walk.over = page.size() < wanted || walk.left == 0 || !behind;
  walk.from = behind.value_or(walk.from);
}

void StreamGroup::raise_floor(StreamConsumer& consumer, const rocks::StreamId& id) {
  if (consumer.record.floor < id) {
    begin_change();
    consumer.record.floor = id;
    consumer.changed = true;
  }
}

void StreamGroup::lower_ceiling(StreamConsumer& consumer, const rocks::StreamId& id) {
  if (id < consumer.record.ceiling) {
    begin_change();
    consumer.record.ceiling = id;
    consumer.changed = true;
  }
}

std::optional<PendingEntry> StreamGroup::first() const {
  return tree_.size() == 0 ? std::nullopt : std::optional(pending_entry(tree_.at(0)));
}

std::optional<PendingEntry> StreamGroup::last() const {
  return tree_.size() == 0 ? std::nullopt
                           : std::optional(pending_entry(tree_.at(tree_.size() - 1)));
}

// ---------------------------------------------------------------- of a stream

StreamGroup& Stream::group_space() const {
  if (!group_) {
    group_ = std::make_unique<StreamGroup>(database());
  }
  CHECK_INVARIANT(!group_->changed());
  return *group_;
}

const StreamGroup* Stream::group(std::string_view name) const {
  return const_cast<Stream*>(this)->group(name);
}

StreamGroup* Stream::group(std::string_view name) {
  if (!there() || tail().next_group == 1) {
    return nullptr;
  }
  if (group_ && group_->number() != 0 && group_->name() == name) {
    group_->serve(this);
    return group_.get();
  }
  StreamGroup& space = group_space();
  const auto record = database().group_records().group(key_.collection(), name);
  if (!record) {
    return nullptr;
  }
  space.open(this, name, *record);
  return &space;
}

StreamGroup* Stream::create_group(std::string_view name, const StreamId& last_id) {
  if (tail().next_group >= rocks::keys::kTreesEnd) {
    return nullptr;
  }
  begin_change();
  StreamGroup& space = group_space();
  space.open_new(this, name, static_cast<uint32_t>(key_.meta.stream.next_group++));
  space.set_last_id(last_id);
  return &space;
}

void Stream::drop_group(StreamGroup& group) {
  CHECK_INVARIANT(&group == group_.get() && !group.changed());
  begin_change();
  database().group_records().drop(key_.collection(), group.name(), group.record());
  group_->close();
}

void Stream::each_group(
    const std::function<void(std::string_view, const GroupRecord&)>& visit) const {
  if (!there() || tail().next_group == 1) {
    return;
  }
  CHECK_INVARIANT(!group_ || !group_->changed());
  for (auto at = database().group_records().groups(key_.collection()); at->valid(); at->next()) {
    database().step();
    visit(rocks::keys::stream_group_name(at->key()), decode_group(at->value()));
  }
}

bool Stream::may_lack_entries_from(const StreamId& id) const {
  const StreamId& deleted = tail().max_deleted_id;
  return !empty() && deleted != StreamId{} && tail().first_id <= deleted && id <= deleted;
}

// As Redis 7.0 estimates it.
std::optional<uint64_t> Stream::entries_up_to(const StreamId& id) const {
  const rocks::StreamTail& t = tail();
  if (t.entries_added == 0) {
    return 0;
  }
  if ((empty() && id <= t.last_id) || id == t.last_id) {
    return t.entries_added;
  }
  if (id > t.last_id) {
    return std::nullopt;
  }
  if (t.max_deleted_id == StreamId{} || t.max_deleted_id < t.first_id) {
    if (id < t.first_id) {
      return t.entries_added - size();
    }
    if (id == t.first_id) {
      return t.entries_added - size() + 1;
    }
  }
  return std::nullopt;
}

void Stream::entry_delivered(StreamGroup& group, const StreamId& id) {
  if (id <= group.last_id()) {
    return;
  }
  const std::optional<uint64_t> read = group.entries_read();
  if (read && !may_lack_entries_from(id)) {
    group.set_entries_read(*read + 1);
  } else if (tail().entries_added != 0) {
    group.set_entries_read(entries_up_to(id));
  }
  group.set_last_id(id);
}

}  // namespace kiwi::resp
