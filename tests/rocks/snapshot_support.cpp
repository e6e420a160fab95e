#include "tests/rocks/snapshot_support.hpp"

namespace kiwi::rocks::test {

using resp::packed;

// ---------------------------------------------------------------- histories

std::string History::collection_command(uint32_t database) {
  switch (random_.below(16)) {
    case 0:
      return packed({"rpush", key(), word(), word(), word()}, database);
    case 1:
      return packed({"lpush", key(), word()}, database);
    case 10:
    case 11:
      return list_command(database);
    case 12: {  // now and then longer than a chunk
      const std::string element(random_.chance(1, 40) ? 600'000 : random_.below(40), 'e');
      return packed({"rpush", key(), element, word(), element}, database);
    }
    case 2:
      return packed({"lpop", key(), "2"}, database);
    case 3:
      return packed({"sadd", key(), word(), word()}, database);
    case 4:
      return packed({"srem", key(), word(), word()}, database);
    case 5:
      return packed({"lrem", key(), "0", word()}, database);
    case 6:
    case 7:
      return packed({"hset", key(), word(), word(), word(), word()}, database);
    case 8:
      return packed({"hdel", key(), word(), word()}, database);
    case 9:
    case 13:
      return packed({"hsetex", key(), "px", std::to_string(1 + random_.below(4000)), "fields", "2",
                     word(), word(), word(), word()},
                    database);
    case 14:
      return packed({"hpexpire", key(), std::to_string(1 + random_.below(4000)), "fields", "2",
                     word(), word()},
                    database);
    default:
      return packed({"sunionstore", key(), key(), key()}, database);
  }
}

std::string History::list_command(uint32_t database) {
  switch (random_.below(5)) {
    case 0:
      return packed({"lmove", key(), key(), "left", "right"}, database);
    case 1:
      return packed({"linsert", key(), "before", word(), word()}, database);
    case 2:
      return packed({"lset", key(), word(), word()}, database);
    case 3:
      return packed({"ltrim", key(), "1", "-2"}, database);
    default:
      return packed({"rpop", key(), word()}, database);
  }
}

std::string History::whole_key_command(uint32_t database) {
  switch (random_.below(9)) {
    case 0:
    case 1:
      return packed({"del", key(), key()}, database);
    case 2:
      return packed({"pexpire", key(), std::to_string(1 + random_.below(4000))}, database);
    case 3:
      return packed({"persist", key()}, database);
    case 4:
      return packed({"rename", key(), key()}, database);
    case 5:
      return packed({"copy", key(), key(), "replace"}, database);
    case 6:
      return packed({"move", key(), std::to_string(random_.below(3))}, database);
    case 7:
      return random_.chance(1, 12) ? packed({"flushdb"}, database)
                                   : packed({"del", key()}, database);
    default:
      return random_.chance(1, 6) ? packed({"swapdb", "0", "1"}) : packed({"get", key()}, database);
  }
}

std::string History::command() {
  const auto database = static_cast<uint32_t>(random_.below(3));
  switch (random_.below(5)) {
    case 0:
    case 1:
      return collection_command(database);
    case 2:
      return whole_key_command(database);
    case 3:
      return packed({"psetex", key(), std::to_string(1 + random_.below(6000)), word()}, database);
    default:
      // Now and then longer than a chunk.
      return packed(
          {"set", key(), std::string(random_.chance(1, 150) ? 600'000 : random_.below(200), 'v')},
          database);
  }
}

void History::add(const std::vector<std::string>& commands) {
  log_.batch({NodeId{2}, resp::incarnation_of(2), 1, ++sequence_}, commands);
}

void History::grow(int entries) {
  for (int i = 0; i < entries; ++i) {
    log_.stamp_ms += static_cast<int64_t>(random_.below(40));
    std::vector<std::string> commands;
    for (uint64_t n = 1 + random_.below(4); n > 0; --n) {
      commands.push_back(command());
    }
    add(commands);
  }
}

// ---------------------------------------------------------------- nodes

StateNode::StateNode(const std::string& directory, uint64_t write_buffer, Engine engine) {
  KeyspaceOptions options;
  options.path = directory;
  options.block_cache_bytes = 1 << 20;
  options.write_buffer_bytes = write_buffer;
  options.metadata_cache_bytes = 1 << 20;
  options.table_bytes = 64 << 10;
  auto opened =
      engine == Engine::kTable ? open_table_keyspace(options) : open_plain_keyspace(options);
  REQUIRE(opened.has_value());
  keyspace_ = std::move(*opened);
  resp::ExecutorOptions executor;
  executor.shape = {24, 24, 24, 48, 24};  // so that collections come in both forms
  node_ = std::make_unique<resp::Node>(*keyspace_, executor);
}

void StateNode::apply(const std::vector<raft::Entry>& entries) {
  node_->executor().apply(entries);
  while (node_->executor().work() || node_->executor().held()) {
  }
  (void)node_->executor().take_effects();
}

std::string StateNode::checkpoint(const std::string& directory) {
  std::promise<Result<LogIndex>> made;
  keyspace_->checkpoint(directory,
                        [&](Result<LogIndex> result) { made.set_value(std::move(result)); });
  REQUIRE(made.get_future().get().has_value());
  return directory;
}

// ---------------------------------------------------------------- transfers

std::unique_ptr<SnapshotSource> source_at(const std::string& directory, uint8_t sender) {
  auto source = SnapshotSource::open(directory, sender_life(sender));
  REQUIRE(source.has_value());
  return std::move(*source);
}

std::unique_ptr<ReadOnlyState> opened_state(const std::string& directory) {
  auto state = ReadOnlyState::open(directory);
  REQUIRE(state.has_value());
  return std::move(*state);
}

void check_same_state(const std::string& directory, const std::string& other) {
  auto a = opened_state(directory);
  auto b = opened_state(other);
  for (int family = 0; family < kFamilies; ++family) {
    auto left = a->cursor(static_cast<Family>(family), {}, {});
    auto right = b->cursor(static_cast<Family>(family), {}, {});
    for (; left->valid() && right->valid(); left->next(), right->next()) {
      INFO("family ", family, " ", hex(left->key()), " and ", hex(right->key()));
      REQUIRE(left->key() == right->key());
      REQUIRE(left->value() == right->value());
    }
    REQUIRE(left->valid() == right->valid());
  }
}

uint64_t send_files(SnapshotSource& source, FullTarget& target, uint64_t bytes_max) {
  uint64_t sent = 0;
  for (const FullTarget::Missing& part : target.missing()) {
    for (uint64_t at = part.offset; at < part.offset + part.bytes && sent < bytes_max;) {
      auto chunk = source.read(part.file, at, kSnapshotChunkBytes);
      REQUIRE(chunk.has_value());
      REQUIRE(!chunk->empty());
      REQUIRE(target.write(part.file, at, *chunk).has_value());
      at += chunk->size();
      sent += chunk->size();
    }
  }
  return sent;
}

DeltaResult send_delta(SnapshotSource& source, const std::string& own_checkpoint) {
  auto target = DeltaTarget::open(own_checkpoint);
  REQUIRE(target.has_value());
  auto stream = source.delta((*target)->base());
  if (!stream) {
    return {stream.error(), 0, 0};
  }
  DeltaResult result{Error{Errc::kInvalid, ""}, 0, 0};
  for (;;) {
    auto chunk = (*stream)->next();
    REQUIRE(chunk.has_value());
    if (!chunk->has_value()) {
      break;
    }
    REQUIRE((*chunk)->size() <= kSnapshotChunkBytes);
    result.bytes += (*chunk)->size();
    ++result.chunks;
    if (auto applied = (*target)->apply(**chunk); !applied) {
      result.info = applied.error();
      return result;
    }
  }
  REQUIRE((*target)->complete());
  result.info = (*target)->finish();
  return result;
}

}  // namespace kiwi::rocks::test
