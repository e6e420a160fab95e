#include "resp/session.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "config/limits.hpp"
#include "resp/session_state.hpp"

namespace kiwi::resp {

namespace limits = config::limits;

namespace {

// A client's next batch is taken to be like its last one: buffers are made that big at once, up to
// this, instead of growing step by step.
constexpr size_t kReserveBytes = 64 * limits::kKiB;

// Whoever says nothing for so long gives its buffers back.
constexpr int64_t kIdleMs = 2000;
// What is read ahead of a client that waits or whose MIGRATE does: it has to be seen when it
// leaves.
constexpr size_t kReadAheadBytes = 64 * limits::kKiB;
static_assert(kReserveBytes <= limits::kPipelineBytes);
static_assert(ClientMemory::kFairBytes <= limits::kOutputPauseBytes, "scarce is not more");

}  // namespace

Session::Session(NodeContext& node, SessionInfo info, int64_t now_ms)
    : state_(std::make_unique<State>(node, std::move(info))) {
  state_->created_ms = now_ms;
  state_->now_ms = now_ms;
  state_->last_active_ms = now_ms;
  state_->self = this;
  state_->belong_as_new();
  node.sessions.enter(state_->info.id, *this);
}

Session::~Session() {
  state_->leave_target();
  state_->node.client_memory.changed(state_->counted_bytes, 0);
  state_->forget_subscriptions();
  state_->turn_tracking_off();
  state_->stop_monitoring();
  state_->forget_hold();
  state_->node.replica_waits.forget(state_->info.id);
  state_->node.faults.remove_of(state_->info.id);
  state_->node.sessions.leave(state_->info.id);
}

void Session::receive(std::string_view bytes, int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  s.last_active_ms = now_ms;
  s.now_ns = s.arrival_ns = s.node.measures.now_ns();
  s.gave_back = false;
  s.node.metrics.net_input_bytes += bytes.size();
  ++s.node.metrics.reads_processed;
  if (s.killed || s.close_after_replies) {
    return;
  }
  s.parser.feed(bytes);
  s.resume();
  if (s.parser.held_bytes() > static_cast<size_t>(s.node.options.client_query_buffer_limit)) {
    ++s.node.metrics.query_limit_disconnections;
    log_warning("Closing client " + s.info.peer_address +
                ": its input is above client-query-buffer-limit.");
    s.kill();
  }
}

void Session::reply(const ReplyBatch& replies, int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  s.now_ns = s.node.measures.now_ns();
  s.flush_asked = false;  // whoever brings replies writes the output
  if (replies.lost) {
    ++s.node.metrics.output_limit_disconnections;
    log_warning("Closing client " + s.info.peer_address +
                (s.in_pieces.read != 0
                     ? ": it read a long reply too slowly, or this node's state was replaced."
                     : ": the reply to one of its writes is too large to be kept; what was "
                       "written stays."));
    s.kill();
    return;
  }
  if (replies.more) {
    CHECK_INVARIANT(replies.parts.size() == 1 && replies.tokens.empty());
    s.take_piece(replies, replies.parts.front());
    s.take_pushes(replies.pushes);
    s.resume();
    return;
  }
  if (replies.read != 0 && replies.read == s.in_pieces.read) {
    s.in_pieces = {};
  }
  for (const ReplyPart& part : replies.parts) {
    // A slot is answered once: after a TIMEOUT, what really became of the command is nobody's.
    if (!s.slots.is_open(part.slot)) {
      continue;
    }
    CHECK_INVARIANT(size_t{part.offset} + part.size <= replies.bytes.size());
    std::string_view bytes = std::string_view(replies.bytes).substr(part.offset, part.size);
    if (bytes.starts_with('-') && !s.slots.has_begun(part.slot)) {
      s.node.measures.count_error(bytes);
    }
    if (s.barrier && s.barrier->slot == part.slot) {
      s.run_publications();  // what a block does to the session comes behind those before it
      s.barrier->kind == Barrier::Kind::kMigrate ? s.answer_migration(replies, bytes)
                                                 : s.answer_barrier(replies, bytes);
    } else {
      s.answer(part.slot, bytes);
    }
  }
  s.take_pushes(replies.pushes);
  s.run_publications();
  s.resume();
}

void Session::tick(int64_t now_ms) {
  State& s = *state_;
  s.now_ms = now_ms;
  s.expire_login();
  int64_t timeout_ms = s.node.options.timeout * 1000;
  const bool listens = s.is_subscriber() || s.monitoring || s.held;
  if (timeout_ms > 0 && idle() && !listens && now_ms - s.last_active_ms > timeout_ms) {
    log_verbose("Closing idle client " + s.info.peer_address + ".");
    s.kill();
    return;
  }
  const bool waits = s.is_blocked() && s.output.empty() && s.unsent_bytes == 0;
  if (!s.gave_back && (idle() || waits) && now_ms - s.last_active_ms >= kIdleMs) {
    s.give_back();
  }
  s.resume();
}

RequestBatch Session::take_requests() {
  State& s = *state_;
  RequestBatch taken = std::exchange(s.requests, {});
  taken.connection = s.info.id;
  taken.tls = s.info.tls;
  taken.face = s.info.face;
  s.usual_request_bytes = std::min(taken.buffer.size(), kReserveBytes);
  s.usual_requests = std::min(taken.requests.size(), kReserveBytes / sizeof(Request));
  return taken;
}

bool Session::has_requests() const { return !state_->requests.requests.empty(); }

std::string Session::take_output() {
  State& s = *state_;
  s.node.metrics.net_output_bytes += s.output.size();
  s.node.metrics.writes_processed += s.output.empty() ? 0 : 1;
  s.usual_output_bytes = std::min(s.output.size(), kReserveBytes);
  return std::exchange(s.output, {});
}

bool Session::has_output() const { return !state_->output.empty(); }

bool Session::wants_more_input() const {
  const State& s = *state_;
  const bool waits = s.is_blocked() || s.awaits_replicas() || s.migrating || s.held;
  const bool ahead = waits && s.parser.unread_bytes() < kReadAheadBytes;
  return !s.paused && ((!s.barrier && !s.deferred) || ahead) && !s.close_after_replies && !s.killed;
}

bool Session::blocked() const { return state_->is_blocked(); }

// Its answer is nobody's; but behind it this session is idle, if nothing else is unanswered.
void Session::end_wait() {
  State& s = *state_;
  if (s.held) {
    s.ignores_pause = true;
    s.resume();
  }
  if (s.awaits_replicas()) {
    s.node.replica_waits.end(s.info.id);
  }
  if (!s.is_blocked() || std::exchange(s.ending_wait, true)) {
    return;
  }
  const bool before = std::exchange(s.skip_this_reply, true);
  s.counted_row = Measures::kNoRow;
  s.unblock(s.info.id, "FORCED");
  s.skip_this_reply = before;
}

bool Session::closing() const { return state_->close_after_replies && state_->slots.empty(); }

bool Session::killed() const { return state_->killed; }

void Session::set_unsent_bytes(size_t bytes) {
  state_->unsent_bytes = bytes;
  state_->resume();
}

std::optional<ReplyTaken> Session::take_taken() {
  State& s = *state_;
  State::InPieces& reply = s.in_pieces;
  if (reply.read == 0) {
    return std::nullopt;
  }
  // In its turn it is the last that was written: what waits behind it waits in the slots. Before,
  // nothing of it has left.
  const bool in_turn = s.slots.first_number() >= reply.slot;
  const size_t here = in_turn ? std::min(reply.here, s.output.size() + s.unsent_bytes) : reply.here;
  reply.left += reply.here - here;
  reply.here = here;
  const bool worth_telling = reply.left >= limits::kReplyPieceBytes || reply.here == 0;
  if (reply.left == 0 || !worth_telling) {
    return std::nullopt;
  }
  return ReplyTaken{reply.read, std::exchange(reply.left, 0)};
}

int64_t Session::last_active_ms() const { return state_->last_active_ms; }

bool Session::idle() const {
  return state_->slots.empty() && state_->output.empty() && state_->unsent_bytes == 0;
}

bool Session::between_commands() const {
  const Transaction& transaction = state_->transaction;
  return idle() && state_->parser.unread_bytes() == 0 && !state_->deferred && !transaction.open &&
         transaction.tokens.empty();
}

ConnectionId Session::id() const { return state_->info.id; }

Measures::Client NodeContext::client_of(ConnectionId id) const {
  Measures::Client client{"?:0", ""};
  sessions.with(id, [&client](Session& session) {
    client = {session.state().info.peer_address, session.state().name};
  });
  return client;
}

// ---------------------------------------------------------------- State

namespace {

// Stops above a bound and goes on below half of it, so that it does not flutter.
bool above(size_t value, size_t bound, bool paused) { return value > (paused ? bound / 2 : bound); }

}  // namespace

void Session::State::process() {
  if (running || killed) {
    return;
  }
  running = true;
  busy = node.is_busy();
  parser.set_bulk_max(node.options.proto_max_bulk_len);
  if (parser.unread_bytes() > 0) {
    output.reserve(usual_output_bytes);
    requests.buffer.reserve(usual_request_bytes);
    requests.requests.reserve(usual_requests);
  }
  const bool scarce = node.client_memory.scarce(node);
  const size_t pipeline_max = scarce ? ClientMemory::kFairBytes : limits::kPipelineBytes;
  const size_t output_max = scarce ? ClientMemory::kFairBytes : limits::kOutputPauseBytes;
  // One read of a client that nothing is known of is expected to bring 1 MiB.
  const size_t expected_max = scarce ? limits::kOutputPauseBytes : limits::kPipelineBytes;
  for (;;) {
    paused = above(slots.size(), limits::kPipelineCommands, paused) ||
             above(slots.request_bytes(), pipeline_max, paused) ||
             above(slots.expected_bytes(), expected_max, paused) ||
             above(output_bytes(), output_max, paused);
    if (paused || barrier || close_after_replies || killed) {
      break;
    }
    if (deferred) {
      if (must_still_wait()) {
        break;
      }
      forget_hold();
      const QueuedLocal command = *std::exchange(deferred, std::nullopt);
      dispatch(std::vector<std::string_view>(command.args.begin(), command.args.end()));
      end_caching(last_command);
      continue;
    }
    parser.set_authenticated(!must_authenticate());
    RequestParser::Event event = parser.next();
    if (event == RequestParser::Event::kNeedMore) {
      break;
    }
    if (event == RequestParser::Event::kError) {
      reply_error(parser.error());
      close_after_replies = true;
      log_verbose("Protocol error from client " + info.peer_address + ": " + parser.error());
      break;
    }
    dispatch(parser.args());
    end_caching(last_command);
  }
  running = false;
}

// Nobody waits for a part whose slot is answered or silent: it has left. Of the barriers only that
// of a blocking command may be for a reply in pieces: it reads when there is something to read.
void Session::State::take_piece(const ReplyBatch& piece, const ReplyPart& part) {
  CHECK_INVARIANT(piece.read != 0);
  CHECK_INVARIANT(!barrier || barrier->slot != part.slot ||
                  barrier->kind == Barrier::Kind::kBlocked);
  CHECK_INVARIANT(part.offset == 0 && part.size == piece.bytes.size());
  if (in_pieces.read != piece.read) {
    in_pieces = {.read = piece.read, .slot = part.slot};
  }
  const bool wanted = slots.is_open(part.slot) && slots.piece(part.slot, piece.bytes, output);
  (wanted ? in_pieces.here : in_pieces.left) += piece.bytes.size();
}

void Session::State::answer(uint64_t slot, std::string_view bytes) {
  CHECK_INVARIANT(slots.is_open(slot));
  const AskedCommand asked = slots.asked(slot);
  node.measures.answered(asked.row, now_ns - asked.arrival_ns,
                         bytes.starts_with('-') && !slots.has_begun(slot));
  tell_outcome(asked.row, bytes.starts_with('-') ? bytes : std::string_view());
  if (!faulted.empty() || cut_off) [[unlikely]] {
    const std::string other = faulted_answer(slot, bytes);
    return killed ? void() : slots.answer(slot, other, output);
  }
  slots.answer(slot, bytes, output);
}

void Session::State::resume() {
  process();
  deliver_published();
  parser.keep_rest();
  check_output_limits();
  count_memory();
}

size_t Session::State::memory_bytes() const {
  return sizeof(Session) + sizeof(State) + parser.memory_bytes() + slots.memory_bytes() +
         output.capacity() + unsent_bytes + scratch.capacity() + transaction.memory_bytes() +
         exec_bytes + blocked_bytes + deferred_bytes() +
         (migrating ? migrating->migration.memory_bytes() + migrating->bytes_out : 0) +
         (is_subscriber() ? pubsub().memory_bytes(info.id) : 0);
}

void Session::State::count_memory() {
  if (killed) {
    return;
  }
  const size_t now = memory_bytes();
  node.client_memory.changed(std::exchange(counted_bytes, now), now);
  node.client_memory.enforce(node);
}

void Session::State::give_back() {
  gave_back = true;
  parser.give_back();
  slots.give_back();
  std::string().swap(output);
  std::string().swap(scratch);
  if (requests.requests.empty()) {
    requests = {};
  }
  usual_request_bytes = usual_requests = usual_output_bytes = 0;
}

void Session::State::check_output_limits() {
  const config::OutputBufferLimits& classes = node.options.client_output_buffer_limit;
  const config::OutputBufferLimit& limit = is_subscriber() ? classes.pubsub : classes.normal;
  auto bytes = static_cast<int64_t>(output_bytes());
  bool over_hard = limit.hard_bytes > 0 && bytes >= limit.hard_bytes;
  bool over_soft = limit.soft_bytes > 0 && bytes >= limit.soft_bytes;
  if (!over_soft) {
    over_soft_limit_since_ms = -1;
  } else if (over_soft_limit_since_ms < 0) {
    over_soft_limit_since_ms = now_ms;
  }
  bool too_long = over_soft && now_ms - over_soft_limit_since_ms > limit.soft_seconds * 1000;
  if (!killed && (over_hard || too_long)) {
    ++node.metrics.output_limit_disconnections;
    log_warning("Closing client " + info.peer_address +
                ": it does not read its replies (client-output-buffer-limit).");
    kill();
  }
}

void Session::State::kill() {
  if (!killed) {
    killed = true;
    node.client_memory.changed(std::exchange(counted_bytes, 0), 0);  // it goes at once
    node.close_connection(info.id);
  }
}

}  // namespace kiwi::resp
