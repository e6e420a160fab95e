// Replies of a turn, gathered by connection.
#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

ReplyGroups::Draft ReplyGroups::begin(const ReplySlot& to) {
  if (to.connection == 0 || (!closed_.empty() && closed_.contains(to.connection))) {
    return {};
  }
  if (batches_.empty() || last_ != to.connection) {
    auto [it, fresh] = index_.try_emplace(to.connection, batches_.size());
    if (fresh) {
      batches_.emplace_back().connection = to.connection;
    }
    last_ = to.connection;
    last_index_ = it->second;
  }
  ReplyBatch& batch = batches_[last_index_];
  CHECK_INVARIANT(batch.connection == to.connection);
  if (batch.lost) {
    return {};
  }
  const size_t offset = batch.bytes.size();
  auto left = [this](size_t bounds, size_t used) {
    return bounds * reply_bytes_max_ - std::min(bounds * reply_bytes_max_, used);
  };
  auto room = [&](size_t share) {
    return std::max(small_, std::min(left(share, offset), left(share + 1, bytes_)));
  };
  return {&batch, offset, batch.tokens.size(),
          ReplySpace{.bytes = &batch.bytes,
                     .read_end = offset + std::min(reply_bytes_max_, room(kReadShare)),
                     .write_end = offset + room(kWriteShare)}};
}

// Whatever else the turn had for the connection goes with it.
void ReplyGroups::lose(ReplyBatch& batch) {
  for (const ReplyPart& part : batch.parts) {
    CHECK_INVARIANT(bytes_ >= part.size);
    bytes_ -= part.size;
  }
  const ConnectionId connection = batch.connection;
  batch = ReplyBatch{};
  batch.connection = connection;
  batch.lost = true;
}

void ReplyGroups::end(const Draft& draft, uint64_t slot) {
  if (draft.space.lost) {
    CHECK_INVARIANT(draft.batch != nullptr);
    lose(*draft.batch);
  } else if (draft.batch != nullptr) {
    CHECK_INVARIANT(draft.offset <= draft.batch->bytes.size());
    bytes_ += draft.batch->bytes.size() - draft.offset;
    draft.batch->parts.push_back({slot, static_cast<uint32_t>(draft.offset),
                                  static_cast<uint32_t>(draft.batch->bytes.size() - draft.offset)});
  }
}

void ReplyGroups::discard(const Draft& draft) {
  if (draft.batch != nullptr) {
    CHECK_INVARIANT(draft.offset <= draft.batch->bytes.size());
    CHECK_INVARIANT(draft.tokens <= draft.batch->tokens.size());
    draft.batch->bytes.resize(draft.offset);
    draft.batch->tokens.resize(draft.tokens);
  }
}

// Dropping what nobody will read saves work and is not needed for anything else, so the set may
// forget: whoever delivers the replies does not find the connection either.
void ReplyGroups::close(ConnectionId connection) {
  constexpr size_t kRemembered = 4096;
  if (closed_.size() >= kRemembered) {
    closed_.clear();
  }
  closed_.insert(connection);
}

std::vector<ReplyBatch> ReplyGroups::take() {
  index_.clear();
  bytes_ = 0;
  last_ = 0;
  std::erase_if(batches_, [this](const ReplyBatch& batch) {
    return (batch.parts.empty() && !batch.lost) || closed_.contains(batch.connection);
  });
  return std::exchange(batches_, {});
}

}  // namespace kiwi::resp
