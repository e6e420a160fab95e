// Streams and their groups against a model, on all keyspaces, in tiny and in real sizes, with undo,
// deadlines, renames, copies and new starts.
#include "resp/types/stream.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "resp/types/key_audit.hpp"
#include "tests/types/shapes.hpp"
#include "tests/types/stream_model.hpp"
#include "tests/types/world.hpp"

namespace kiwi::resp::types_test {
namespace {

template <class On>
class StreamRun {
 public:
  StreamRun(uint64_t seed, const Shape& shape) : w_(shape), random_(seed) {}

  void run(int commands) {
    run_commands(
        w_, random_, model_, commands,
        [&] {
          w_.now_ms += static_cast<int64_t>(random_.below(5));
          forget_expired();
          one();
        },
        [&] { audit(); });
    CHECK(packed_seen_);
    CHECK(spread_seen_);
    CHECK(pending_trees_seen_);
  }

 private:
  void one() {
    const std::string_view name = any_name(random_);
    switch (random_.below(20)) {
      case 0:
      case 1:
      case 2:
        return append(name, random_.chance(1, 6) ? 250 : 1 + random_.below(8));
      case 3:
        return erase(name);
      case 4:
        return trim(name);
      case 5:
        return set_last_id(name);
      case 6:
      case 7:
        return create_group(name);
      case 8:
        return drop_group(name);
      case 9:
      case 10:
      case 11:
        return read_group(name);
      case 12:
      case 13:
        return acknowledge(name);
      case 14:
        return claim(name);
      case 15:
        return remove_consumer(name);
      case 16:
        return rename(name, any_name(random_));
      case 17:
        return copy(name, any_name(random_));
      case 18:
        return expire(name);
      default:
        return random_.chance(1, 3) ? remove(name) : find(name);
    }
  }

  ModelStream* known(std::string_view name) {
    const auto it = model_.find(name);
    return it == model_.end() ? nullptr : &it->second;
  }
  void forget_expired() {
    std::erase_if(model_, [&](const auto& one) {
      return one.second.deadline_ms != 0 && one.second.deadline_ms <= w_.now_ms;
    });
  }

  // An id that is there, or about there.
  StreamId any_id(const ModelStream& model) {
    if (model.entries.empty() || random_.chance(1, 5)) {
      return {random_.below(model.last_id.ms + 3), random_.below(3)};
    }
    return std::next(model.entries.begin(),
                     static_cast<ptrdiff_t>(random_.below(model.entries.size())))
        ->first;
  }

  Texts any_fields() {
    Texts fields;
    for (uint64_t pairs = random_.chance(1, 5) ? 1 + random_.below(4) : 2; pairs > 0; --pairs) {
      fields.push_back("f" + std::to_string(pairs));
      fields.push_back(
          random_.chance(1, 2)
              ? std::to_string(static_cast<int64_t>(random_.next()) >> random_.below(63))
              : std::string(random_.below(random_.chance(1, 40) ? 5000 : 60), 'v'));
    }
    return fields;
  }

  void append(std::string_view name, uint64_t count) {
    Stream& stream = w_.template open<Stream>(name);
    ModelStream& model = model_[name];
    for (; count > 0; --count) {
      StreamId id{model.last_id.ms + random_.below(3), 0};
      id.sequence = id.ms == model.last_id.ms ? model.last_id.sequence + 1 : random_.below(4);
      const Texts fields = any_fields();
      stream.append(id, std::vector<std::string_view>(fields.begin(), fields.end()));
      model.entries[id] = fields;
      model.last_id = id;
      ++model.entries_added;
    }
    stream.save();
  }

  void erase(std::string_view name) {
    ModelStream* model = known(name);
    Stream& stream = w_.template open<Stream>(name);
    for (uint64_t count = random_.chance(1, 5) ? 200 : 1 + random_.below(6);
         model != nullptr && count > 0; --count) {
      const StreamId id = any_id(*model);
      const bool there = model->entries.erase(id) == 1;
      REQUIRE(stream.erase(id) == there);
      if (there) {
        model->max_deleted_id = std::max(model->max_deleted_id, id);
      }
    }
    stream.save();
  }

  // About so much: no more than is wanted, and nothing but the first ones.
  void trim(std::string_view name) {
    ModelStream* model = known(name);
    Stream& stream = w_.template open<Stream>(name);
    StreamTrim trim;
    trim.about = random_.chance(1, 2);
    trim.limit = trim.about && random_.chance(1, 2) ? 1 + random_.below(300) : 0;
    uint64_t wanted = 0;
    if (random_.chance(1, 2)) {
      trim.by = StreamTrim::By::kLength;
      trim.length = random_.chance(1, 6) ? 0 : random_.below(stream.size() + 2);
      wanted = stream.size() - std::min(stream.size(), trim.length);
    } else {
      trim.by = StreamTrim::By::kId;
      trim.id = model != nullptr ? any_id(*model) : StreamId{3, 0};
      wanted = model == nullptr ? 0
                                : static_cast<uint64_t>(std::distance(
                                      model->entries.begin(), model->entries.lower_bound(trim.id)));
    }
    const uint64_t gone = stream.trim(trim);
    REQUIRE(gone <= wanted);
    const bool may_stop =
        trim.by == StreamTrim::By::kId && model != nullptr && model->ids_taken_back;
    REQUIRE((trim.about || may_stop || gone == wanted));
    REQUIRE((trim.limit == 0 || gone <= trim.limit));
    if (trim.about && trim.limit == 0 && wanted - gone >= 2 * kBlockEntries) {
      FAIL("a whole block stays that could go");
    }
    if (model != nullptr) {
      model->entries.erase(model->entries.begin(),
                           std::next(model->entries.begin(), static_cast<ptrdiff_t>(gone)));
    }
    stream.save();
  }

  // As XSETID, which may take ids back.
  void set_last_id(std::string_view name) {
    ModelStream* model = known(name);
    if (model == nullptr) {
      return;
    }
    Stream& stream = w_.template open<Stream>(name);
    const StreamId least = model->entries.empty() ? StreamId{} : model->entries.rbegin()->first;
    const StreamId id{least.ms + random_.below(3), least.sequence + random_.below(3)};
    model->ids_taken_back = model->ids_taken_back || id < model->last_id;
    model->last_id = id;
    stream.set_last_id(id);
    if (random_.chance(1, 2) || model->max_deleted_id > id) {
      model->max_deleted_id = {random_.below(id.ms + 1), 0};
      stream.set_max_deleted(model->max_deleted_id);
    }
    if (random_.chance(1, 2)) {
      model->entries_added = model->entries.size() + random_.below(100);
      stream.set_entries_added(model->entries_added);
    }
    stream.save();
  }

  // ---- groups

  std::string any_group() { return "g" + std::to_string(random_.below(3)); }
  std::string any_consumer() { return "c" + std::to_string(random_.below(6)); }

  struct Open {
    Stream* stream = nullptr;
    StreamGroup* group = nullptr;
    ModelGroup* model = nullptr;
  };
  // One that is there.
  std::optional<Open> open_group(std::string_view name) {
    ModelStream* model = known(name);
    Stream& stream = w_.template open<Stream>(name);
    const std::string group = any_group();
    StreamGroup* found = stream.group(group);
    const bool there = model != nullptr && model->groups.contains(group);
    REQUIRE((found != nullptr) == there);
    return there ? std::optional(Open{&stream, found, &model->groups[group]}) : std::nullopt;
  }
  StreamConsumer& consumer(const Open& open, const std::string& name) {
    StreamConsumer* found = open.group->consumer(name);
    REQUIRE((found != nullptr) == open.model->consumers.contains(name));
    if (found == nullptr) {
      found = &open.group->create_consumer(name, w_.now_ms);
    } else {
      open.group->saw(*found, w_.now_ms);
    }
    open.model->consumers[name] = w_.now_ms;
    return *found;
  }

  void create_group(std::string_view name) {
    Stream& stream = w_.template open<Stream>(name);
    const std::string group = any_group();
    if (stream.group(group) == nullptr) {
      if (!stream.there()) {
        stream.create();
      }
      ModelStream& model = model_[name];
      const StreamId from = random_.chance(1, 2) ? StreamId{} : any_id(model);
      StreamGroup* made = stream.create_group(group, from);
      REQUIRE(made != nullptr);
      ModelGroup& known_group = model.groups[group];
      known_group.last_id = from;
      if (random_.chance(1, 3)) {
        known_group.entries_read = random_.below(9);
        made->set_entries_read(known_group.entries_read);
      }
    }
    stream.save();
  }

  void drop_group(std::string_view name) {
    if (const auto open = open_group(name); open && random_.chance(1, 2)) {
      const std::string group = open->group->name();
      open->stream->drop_group(*open->group);
      open->stream->save();
      REQUIRE(open->stream->group(group) == nullptr);
      model_[name].groups.erase(group);
    }
  }

  // As XREADGROUP with ">".
  void read_group(std::string_view name) {
    const auto open = open_group(name);
    if (!open) {
      return;
    }
    const ModelStream& model = model_[name];
    const std::string who = any_consumer();
    StreamConsumer& to = consumer(*open, who);
    const bool no_ack = random_.chance(1, 8);
    uint64_t count = random_.chance(1, 2) ? 1000 : 1 + random_.below(9);
    for (auto at = model.entries.upper_bound(open->model->last_id);
         at != model.entries.end() && count > 0; ++at, --count) {
      open->stream->entry_delivered(*open->group, at->first);
      if (!no_ack) {
        open->group->deliver(to, at->first, 1, w_.now_ms);
        open->model->pending[at->first] = {who, 1, w_.now_ms};
      }
      open->model->last_id = at->first;
    }
    open->model->entries_read = open->group->entries_read();  // the recorded answers check it
    open->stream->save();
  }

  StreamId any_pending(const Open& open, const ModelStream& model) {
    const auto& pending = open.model->pending;
    return pending.empty() || random_.chance(1, 6)
               ? any_id(model)
               : std::next(pending.begin(), static_cast<ptrdiff_t>(random_.below(pending.size())))
                     ->first;
  }

  void acknowledge(std::string_view name) {
    const auto open = open_group(name);
    if (!open) {
      return;
    }
    for (uint64_t count = random_.chance(1, 5) ? 300 : 1 + random_.below(8); count > 0; --count) {
      const StreamId id = any_pending(*open, model_[name]);
      REQUIRE(open->group->acknowledge(id) == (open->model->pending.erase(id) == 1));
      REQUIRE(!open->group->find(id).has_value());
    }
    open->stream->save();
  }

  // As XCLAIM with FORCE; to oneself, too.
  void claim(std::string_view name) {
    const auto open = open_group(name);
    if (!open) {
      return;
    }
    const std::string who = any_consumer();
    StreamConsumer& to = consumer(*open, who);
    for (uint64_t count = 1 + random_.below(20); count > 0; --count) {
      const StreamId id = any_pending(*open, model_[name]);
      const uint64_t deliveries = random_.below(500);
      const auto at = static_cast<int64_t>(random_.below(2000));
      open->group->deliver(to, id, deliveries, at);
      open->model->pending[id] = {who, deliveries, at};
    }
    open->stream->save();
  }

  void remove_consumer(std::string_view name) {
    const auto open = open_group(name);
    const std::string who = any_consumer();
    StreamConsumer* found = open ? open->group->consumer(who) : nullptr;
    if (found != nullptr) {
      const size_t gone = std::erase_if(open->model->pending,
                                        [&](const auto& p) { return p.second.consumer == who; });
      open->model->consumers.erase(who);
      REQUIRE(open->group->remove_consumer(*found) == gone);
      REQUIRE(open->group->consumer(who) == nullptr);
      open->stream->save();
    }
  }

  // ---- whole keys

  void rename(std::string_view from_name, std::string_view to_name) {
    if (known(from_name) == nullptr || from_name == to_name) {
      return;
    }
    Key to = w_.find(to_name);
    Key from = w_.find(from_name);
    w_.database().rename(from, to);
    model_[to_name] = model_[from_name];
    model_.erase(from_name);
  }
  void copy(std::string_view from_name, std::string_view to_name) {
    if (known(from_name) == nullptr || from_name == to_name) {
      return;
    }
    Key to = w_.find(to_name);
    const Key from = w_.find(from_name);  // last: its root is a view
    w_.database().copy(from, to);
    model_[to_name] = model_[from_name];
  }
  void expire(std::string_view name) {
    if (ModelStream* model = known(name)) {
      model->deadline_ms =
          random_.chance(1, 3) ? 0 : w_.now_ms + 1 + static_cast<int64_t>(random_.below(100));
      Key key = w_.find(name);
      key.meta.expire_at_ms = model->deadline_ms;
      w_.database().update(key);
    }
  }
  void remove(std::string_view name) {
    if (model_.erase(name) == 1) {
      Key key = w_.find(name);
      w_.database().remove(key);
    }
  }

  // ---- reads

  void find(std::string_view name) {
    const Stream& stream = w_.template read<Stream>(name);
    const ModelStream none;
    const ModelStream& model = known(name) != nullptr ? *known(name) : none;
    for (int i = 0; i < 10; ++i) {
      const StreamId id = any_id(model);
      REQUIRE(stream.has(id) == model.entries.contains(id));
      const StreamId to = any_id(model);
      const uint64_t most = 1 + random_.below(30);
      std::vector<StreamId> wanted;
      for (const auto& [at, fields] : model.entries) {
        if (at >= id && at <= to) {
          wanted.push_back(at);
        }
      }
      std::vector<StreamId> found;
      const StreamVisit visit = [&](const StreamEntry& entry) {
        found.push_back(entry.id);
        return found.size() < most;
      };
      stream.range(id, to, visit);
      REQUIRE(std::equal(
          found.begin(), found.end(), wanted.begin(),
          wanted.begin() + static_cast<ptrdiff_t>(std::min<size_t>(wanted.size(), most))));
      found.clear();
      stream.range_back(id, to, visit);
      REQUIRE(std::equal(
          found.begin(), found.end(), wanted.rbegin(),
          wanted.rbegin() + static_cast<ptrdiff_t>(std::min<size_t>(wanted.size(), most))));
    }
  }

  void audit() {
    w_.begin();
    forget_expired();
    for (std::string_view name : kNames) {
      const Stream& stream = w_.template read<Stream>(name);
      const ModelStream* model = known(name);
      REQUIRE(stream.there() == (model != nullptr));
      if (model == nullptr) {
        continue;
      }
      REQUIRE(stream_lines(stream) == lines_of(*model));
      const rocks::Metadata meta = w_.find(name).meta;
      bool& was_spread = spread_[meta.version];
      REQUIRE((meta.spread || !was_spread));  // M10
      was_spread = meta.spread;
      (meta.spread ? spread_seen_ : packed_seen_) = true;
      for (const auto& [group, of] : model->groups) {
        pending_trees_seen_ =
            pending_trees_seen_ || stream.group(group)->record().pending.height > 0;
      }
    }
    const DatabaseReport report = audit_database(w_.database(), w_.database().physical(0));
    REQUIRE_MESSAGE(!report.found, report.found->key << ": " << report.found->fault);
    REQUIRE(report.counts_fit);
    REQUIRE(report.unreachable == 0);  // M4
  }

  World<On> w_;
  Prng random_;
  StreamModel model_;
  std::map<uint64_t, bool> spread_;  // by version
  bool packed_seen_ = false;
  bool spread_seen_ = false;
  bool pending_trees_seen_ = false;
};

TEST_SUITE_BEGIN("types/stream");

TEST_CASE_TEMPLATE("streams do what the model does, undone commands nothing [M1] [M4] [M7] [M8]",
                   On,
                   InMemory,
                   OnRocks,
                   OnTable) {
  INFO(On::kName);
  StreamRun<On>(31, kTinyShape).run(rounds_on<On>(600));
  StreamRun<On>(32, kShape).run(rounds_on<On>(900, 1));
}

TEST_SUITE_END();

}  // namespace
}  // namespace kiwi::resp::types_test
