// MIGRATE of one session: carries out what Migration wants done. Nothing more of the connection is
// parsed until it is over.
#include <utility>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

using Step = Migration::Step;

void Session::State::migrate(MigrateOrder order) {
  CHECK_INVARIANT(!migrating && !barrier && !transaction.open);
  const LaterReply later = defer();
  migrating.emplace(Migrating{Migration(std::move(order)), later.to.slot, database});
  take_step(Step::kRead);
}

namespace {

// A silent request, whose answer is the next step's. Its place in the order is behind the client's
// own slot, which is open.
void ask(Session::State& s, RequestKind kind, size_t begin) {
  const bool replies_off = std::exchange(s.replies_off, true);
  s.counted_row = Measures::kNoRow;  // MIGRATE counts with the client's slot
  s.forward(kind, begin, kind != RequestKind::kWrite);
  s.replies_off = replies_off;
  s.barrier = Barrier{s.requests.requests.back().slot, Barrier::Kind::kMigrate};
}

void ask_keys(Session::State& s, RequestKind kind, std::string_view command) {
  const std::vector<std::string>& keys = s.migrating->migration.order().keys;
  std::vector<std::string_view> words{command};
  words.insert(words.end(), keys.begin(), keys.end());
  const size_t begin = s.requests.buffer.size();
  s.begin_packed(command.starts_with("kiwi."));
  pack_command(s.requests.buffer, s.migrating->database, words);
  ask(s, kind, begin);
}

void ask_to_delete(Session::State& s) {
  const Migration& migration = s.migrating->migration;
  // Of a user who may be allowed nothing but MIGRATE.
  std::vector<std::string_view> words{s.limited != nullptr ? "kiwi.migrated" : "del"};
  words.insert(words.end(), migration.doomed().begin(), migration.doomed().end());
  std::string del;
  pack_command(del, s.migrating->database, words);
  const size_t begin = s.requests.buffer.size();
  s.begin_packed(s.limited != nullptr);
  pack_transaction(s.requests.buffer, s.migrating->database, migration.tokens(), {&del, 1});
  ask(s, RequestKind::kWrite, begin);
  // MIGRATE was allowed when it was said, which may be long ago.
  s.requests.acl_version = kUnchecked;
}

// Its answer comes in the client's slot, by way of the node: the connection may go meanwhile.
void ask_target(Session::State& s) {
  Migrating& m = *s.migrating;
  if (s.node.exchanges == config::limits::kExchanges) {
    return s.take_step(m.migration.exchanged(
        "-ERR too many MIGRATE wait for their targets on this node, nothing was sent: try again "
        "later\r\n"));
  }
  const MigrateOrder& order = m.migration.order();
  Exchange exchange{order.host, order.port, {}, m.migration.replies(), order.timeout_ms};
  exchange.request = m.migration.take_request();
  CHECK_INVARIANT(!s.barrier && exchange.replies > 0 && m.bytes_out == 0);
  s.barrier = Barrier{m.slot, Barrier::Kind::kMigrate};
  m.bytes_out = exchange.request.capacity();
  ++s.node.exchanges;
  m.cancel = s.node.admin.exchange(
      std::move(exchange), [node = &s.node, to = ReplySlot{s.info.id, m.slot}](std::string bytes) {
        ReplyBatch batch;
        batch.connection = to.connection;
        batch.parts.push_back({to.slot, 0, static_cast<uint32_t>(bytes.size())});
        batch.bytes = std::move(bytes);
        node->deliver(std::move(batch));
      });
}

}  // namespace

void Session::State::leave_target() {
  if (!migrating || migrating->bytes_out == 0) {
    return;
  }
  CHECK_INVARIANT(migrating->step == Step::kExchange && node.exchanges != 0);
  --node.exchanges;
  migrating->bytes_out = 0;
  if (const ExchangeCancel cancel = std::exchange(migrating->cancel, nullptr)) {
    cancel();
  }
}

void Session::State::take_step(Step step) {
  migrating->step = step;
  switch (step) {
    case Step::kRead:
      migrating->watched = false;
      return ask_keys(*this, RequestKind::kWatch, "watch");
    case Step::kExchange:
      return ask_target(*this);
    case Step::kDelete:
      return ask_to_delete(*this);
    case Step::kAnswer:
      break;
  }
  CHECK_INVARIANT(slots.is_open(migrating->slot) && !barrier);
  const Migrating over = *std::exchange(migrating, std::nullopt);
  answer(over.slot, over.migration.answer());
}

void Session::State::answer_migration(const ReplyBatch& batch, std::string_view bytes) {
  CHECK_INVARIANT(migrating && barrier && slots.is_open(barrier->slot));
  CHECK_INVARIANT((barrier->slot == migrating->slot) == (migrating->step == Step::kExchange));
  const uint64_t slot = std::exchange(barrier, std::nullopt)->slot;
  Migration& migration = migrating->migration;
  Step next = Step::kAnswer;
  switch (migrating->step) {
    case Step::kRead:
      if (!std::exchange(migrating->watched, true)) {
        // Tokens first: what is read behind them is not older than they are.
        next = migration.watched(bytes, batch.tokens);
        slots.answer(slot, bytes, output);
        return next == Step::kRead ? ask_keys(*this, RequestKind::kRead, "kiwi.migrate")
                                   : take_step(next);
      }
      next = migration.read(bytes);
      break;
    case Step::kExchange:
      leave_target();
      return take_step(migration.exchanged(bytes));
    case Step::kDelete:
      next = migration.deleted(bytes);
      break;
    case Step::kAnswer:
      CHECK_INVARIANT(false);
  }
  slots.answer(slot, {}, output);
  take_step(next);
}

}  // namespace kiwi::resp
