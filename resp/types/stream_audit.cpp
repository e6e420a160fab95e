#include "resp/types/stream_audit.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "resp/types/group_records.hpp"
#include "resp/types/stream.hpp"
#include "rocks/keys.hpp"

namespace kiwi::resp {

namespace keys = rocks::keys;

namespace {

class StreamAudit {
 public:
  StreamAudit(Database& database, const Key& key)
      : database_(database),
        key_(key),
        newest_(key.meta.last_modified - key.meta.version),
        blocks_(database.nodes(), LeafKind::kStream, database.shape()) {}

  StreamReport run() {
    entries();
    groups();
    return report_;
  }

 private:
  void entries() {
    const rocks::StreamTail& tail = key_.meta.stream;
    blocks_.open({key_.collection()},
                 {tail.blocks, key_.meta.tree_height, key_.meta.removed, key_.meta.next_node,
                  key_.meta.value},
                 0);
    std::optional<StreamId> first;
    StreamId last;
    blocks_.visit(0, tail.blocks, [&](const LeafEntry& leaf) {
      const StreamBlock block = block_of(leaf);
      uint64_t live = 0;
      each_entry(block, [&](const StreamEntry& entry) {
        report_.sizes_fit = report_.sizes_fit && entry.id > last && entry.id <= block.last &&
                            entry.id >= block.first;
        first = first.value_or(entry.id);
        last = entry.id;
        ++live;
        return true;
      });
      report_.sizes_fit = report_.sizes_fit && live == block.live;
      report_.entries += live;
      return true;
    });
    report_.sizes_fit =
        report_.sizes_fit && first.value_or(StreamId{}) == tail.first_id && last <= tail.last_id;
  }

  void groups() {
    std::vector<std::pair<std::string, std::string>> records;
    for (auto at = database_.group_records().groups(key_.collection()); at->valid(); at->next()) {
      database_.step();
      count(at->key(), at->value());
      records.emplace_back(keys::stream_group_name(at->key()), at->value());
    }
    for (const auto& [name, bytes] : records) {
      group(decode_group(bytes));
    }
  }

  void count(std::string_view key, std::string_view value) {
    ++report_.records;
    report_.bytes += key.size() + value.size();
  }

  void group(const GroupRecord& record) {
    const TreeId id{key_.collection(), record.number};
    const TreeReport tree = audit_tree(database_.nodes(), LeafKind::kPending, id, record.pending,
                                       newest_, database_.shape());
    report_.records += tree.leaves + tree.inner_nodes;
    report_.bytes += tree.leaf_bytes + tree.inner_bytes;
    if (tree.found) {
      report_.tree_fault = tree.found->fault;
      return;
    }
    std::map<uint64_t, std::pair<std::string, ConsumerRecord>> consumers;
    uint64_t pending = 0;
    auto& records = database_.group_records();
    for (auto at = records.consumers(key_.collection(), record.number); at->valid(); at->next()) {
      count(at->key(), at->value());
      const ConsumerRecord one = decode_consumer(at->value());
      pending += one.pending;
      consumers[one.number] = {std::string(keys::stream_consumer_name(at->key())), one};
    }
    uint64_t names = 0;
    auto at = records.consumer_names(key_.collection(), record.number);
    for (; at->valid(); at->next()) {
      count(at->key(), at->value());
      ++names;
    }
    at.reset();
    bool fits = consumers.size() == record.consumers && names == record.consumers &&
                pending == record.pending.size && record.number < key_.meta.stream.next_group;
    for (const auto& [number, consumer] : consumers) {
      fits = fits && number < record.next_consumer &&
             records.consumer_name(key_.collection(), record.number, number) == consumer.first;
    }
    report_.groups_fit = report_.groups_fit && fits && owners_fit(id, record, consumers);
  }

  // Each consumer has as many entries as it says, and none below its floor or above its ceiling.
  bool owners_fit(const TreeId& id,
                  const GroupRecord& record,
                  const std::map<uint64_t, std::pair<std::string, ConsumerRecord>>& consumers) {
    Tree tree(database_.nodes(), LeafKind::kPending, database_.shape());
    tree.open(id, record.pending, 0);
    std::map<uint64_t, uint64_t> owned;
    bool fits = true;
    tree.visit(0, tree.size(), [&](const LeafEntry& leaf) {
      const PendingEntry entry = pending_entry(leaf);
      const auto owner = consumers.find(entry.consumer);
      fits = fits && owner != consumers.end() && owner->second.second.floor <= entry.id &&
             entry.id <= owner->second.second.ceiling;
      ++owned[entry.consumer];
      return fits;
    });
    for (const auto& [number, consumer] : consumers) {
      fits = fits && owned[number] == consumer.second.pending;
    }
    return fits;
  }

  Database& database_;
  const Key& key_;
  const uint64_t newest_;
  Tree blocks_;
  StreamReport report_;
};

}  // namespace

StreamReport audit_stream(Database& database, const Key& key) {
  return StreamAudit(database, key).run();
}

}  // namespace kiwi::resp
