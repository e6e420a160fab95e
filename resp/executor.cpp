#include "resp/executor.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "raft/codec.hpp"
#include "resp/executor_state.hpp"

namespace kiwi::resp {

// ---------------------------------------------------------------- entries

Executor::State::State(rocks::Keyspace& keyspace, const ExecutorOptions& opts)
    : store(&keyspace),
      options(opts),
      database(keyspace, opts.entry_work_max, opts.shape),
      sessions(keyspace, opts.group),
      scripts(opts.group, ScriptEngine::Place::kFixed, opts.read_scripts),
      stopwatch(opts.measures),
      context(database, scripts, stopwatch),
      replies(opts.reply_bytes_max) {
  queued = database.record().index;
  database.choose_events();
  take_settings();
  database.report_to(&waiters.waited_keys());
  database.effects().on_large_entry([this] { large_entry(); });
  users_changes = database.users().changes();
  context.on_refusal([this](acl::Denied denied, acl::Where where, std::string_view object) {
    if (options.on_refusal && asking != 0) {
      options.on_refusal({asking, denied, where, std::string(object)});
    }
  });
  allow_rests();
}

Executor::State::State(rocks::Reader& view, const ExecutorOptions& opts)
    : store(nullptr),
      options(opts),
      database(view, opts.entry_work_max, opts.shape),
      scripts(opts.group, ScriptEngine::Place::kAnywhere, opts.read_scripts),
      stopwatch(opts.measures),
      context(database, scripts, stopwatch),
      replies(opts.reply_bytes_max) {
  database.steps().stop_on(opts.stop);
  queued = database.record().index;
  context.user_view().stay(opts.users != nullptr ? opts.users
                                                 : std::make_shared<const acl::Users>());
  take_settings();
}

// F46: what a later version means this build cannot know, so it must not apply one more entry. The
// turn is not committed yet: the state stays readable for it.
void Executor::State::take_settings() {
  cluster_version = database.settings().cluster_version();
  if (cluster_version > options.cluster_version_max) {
    fatal("this cluster is at version " + std::to_string(cluster_version) +
          ", and this build supports versions up to " +
          std::to_string(options.cluster_version_max) +
          ": start this node with the build that the other members run, or a later one. Its data "
          "is intact");
  }
  if (const uint64_t changes = database.settings().changes(); changes != settings_changes) {
    settings_changes = changes;
    effects.settings_changed = true;
    database.choose_events();  // a change may have been taken back
  }
}

bool Executor::State::is_own(const raft::ProposalNumber& number) const {
  return number.node == options.node && number.incarnation == options.incarnation &&
         number.epoch == options.epoch && number.group == options.group;
}

std::shared_ptr<const PendingBatch> Executor::State::take_pending(
    const raft::ProposalNumber& number) {
  auto it = pending.find(number.sequence);
  if (it == pending.end()) {
    return nullptr;
  }
  auto batch = std::move(it->second);
  pending.erase(it);
  CHECK_INVARIANT(batch->sequence == number.sequence);
  taken_batches.push_back(batch);
  return batch;
}

namespace {

// Checked whole before anything runs, so that an entry is applied whole or not at all.
bool well_formed(std::string_view payload) {
  BatchReader reader(payload);
  while (reader.next()) {
  }
  return reader.ok();
}

}  // namespace

void Executor::State::apply_batch(const raft::Entry& entry) {
  if (!sessions.accept(entry.number)) {
    return;
  }
  std::string_view payload = entry.payload.view();
  if (!BatchReader::knows_format_of(payload)) {
    fatal("log entry " + std::to_string(entry.index.value) +
          " holds a batch in a newer format; run the version that wrote it");
  }
  bool own = is_own(entry.number);
  auto batch = own ? take_pending(entry.number) : nullptr;
  if (well_formed(payload)) {
    run_commands(entry, batch.get());
  } else {  // its origin is broken; every node finds the same (F30)
    refuse_commands(batch.get());
  }
  if (own) {
    effects.settled.push_back({entry.number.sequence, true, {}});
  }
}

void Executor::State::apply_void(const raft::Entry& entry) {
  if (!sessions.accept(entry.number) || !is_own(entry.number)) {
    return;
  }
  // The reads that waited between its commands are linearizable here, and here they cannot see a
  // later write of their connection (F6).
  if (auto batch = take_pending(entry.number)) {
    Moment moment{.now_ms = entry.stamp_ms, .seed = entry.seed, .ordinal = 0, .may_write = false};
    stopwatch.begin();
    for (const PendingOp& op : batch->ops) {
      ReplyGroups::Draft draft =
          op.kind != RequestKind::kWrite ? replies.begin(op.to) : ReplyGroups::Draft{};
      if (draft.batch != nullptr) {
        decode(op.packed, cluster_version, between);
        stopwatch.whose(op.to.connection);
        asking = op.to.connection;
        run_read(asker_of(op), between, moment, draft);
        end_lap(between);
        remember_keys(op.to, between);
        end_read(draft, op.to.slot);
      }
    }
    return_serves(*batch);
  }
  effects.settled.push_back({entry.number.sequence, false, {}});
}

void Executor::State::apply_configuration(const raft::Entry& entry) {
  auto configuration = raft::decode_configuration(entry.payload.view());
  if (!configuration) {
    fatal("log entry " + std::to_string(entry.index.value) +
          " holds an unreadable configuration: " + configuration.error().text);
  }
  sessions.apply_configuration(*configuration);
}

void Executor::State::apply_entry(const raft::Entry& entry) {
  CHECK_INVARIANT(entry.index == database.record().index + 1);
  CHECK_INVARIANT(entry.stamp_ms >= database.record().stamp_ms);
  CHECK_INVARIANT(entry.term >= database.record().term);
  CHECK_INVARIANT(applying == nullptr && !database.effects().marked());
  entry_commands = 0;
  entry_steps = 0;
  entry_read_steps = 0;
  entry_once_bytes = 0;
  entry_once_steps = 0;
  applying = &entry;
  const bool skips = must_skip(entry);
  skipped = skipped || skips;
  database.begin_entry(entry.index);
  switch (entry.kind) {
    case raft::EntryKind::kBatch:
      if (skips) {
        apply_void(entry);
      } else {
        apply_batch(entry);
      }
      break;
    case raft::EntryKind::kVoid:
      apply_void(entry);
      break;
    case raft::EntryKind::kConfiguration:
      apply_configuration(entry);
      break;
    case raft::EntryKind::kNoop:
      opened_term = true;
      break;
    case raft::EntryKind::kTick:
      break;
  }
  database.end_entry(entry.index, entry.term, entry.stamp_ms);
  take_settings();
  take_users();
  settle_comparison();
  applying = nullptr;
}

void Executor::State::settle_comparison() {
  Comparison& comparison = database.comparison();
  if (const std::optional<Comparison::Claim> claim = comparison.take_claim()) {
    const std::string index = std::to_string(claim->index.value);
    const std::string node = std::to_string(options.node.value);
    const std::string checksum = std::to_string(claim->checksum);
    const std::string_view argv[] = {"kiwi.checksum", index, node, checksum};
    pack_command(effects.proposals.emplace_back(), 0, argv);
  }
  if (!comparison.this_differs()) {
    return;
  }
  const std::string sentence =
      "the state of this node is not what a majority of the members have: at log entry " +
      std::to_string(comparison.asked()->index.value) + " its checksum was " +
      std::to_string(comparison.asked()->checksum) + ", theirs " +
      std::to_string(comparison.majority()) +
      ". It must not serve. Keep a copy of its data directory for those who look for the reason, "
      "then start it with an empty one: it takes a snapshot of the others";
  if (options.on_difference) {
    options.on_difference(sentence);
  }
  fatal(sentence);
}

namespace {

std::string name_of(const raft::Entry& entry) {
  return config::option_text(config::SkipEntry{entry.index.value, raft::entry_checksum(entry)});
}

}  // namespace

// F30: for an entry that ends every node at every start. Its number counts, as with a void.
bool Executor::State::must_skip(const raft::Entry& entry) const {
  if (entry.index.value != options.skip_entry.index) {
    return false;
  }
  const std::string name = name_of(entry);
  if (raft::entry_checksum(entry) != options.skip_entry.checksum) {
    fatal("skip-entry names a log entry " + config::option_text(options.skip_entry) +
          ", but the log of this node has " + name + ": nothing was skipped; correct the option");
  }
  if (entry.kind != raft::EntryKind::kBatch) {
    fatal("skip-entry names entry " + name +
          ", which holds no commands of clients: only those can be skipped; remove the option");
  }
  log_error("SKIPPED: the commands of log entry " + name +
            " were not executed on this node, as skip-entry says. Every node of the cluster must "
            "skip it, or their states differ; remove the option at the next start.");
  return true;
}

// It may be more than the machine has: then the last line of the log has to say which it was.
void Executor::State::large_entry() const {
  if (applying != nullptr) {
    log_warning("Log entry " + name_of(*applying) +
                " writes or copies much that its clients did not send. Should this node die of it "
                "again and again, --skip-entry " +
                name_of(*applying) + " applies it as nothing (see the README)");
  }
}

// Once for each: nothing else says which entry it is, if no room is ever made.
void Executor::State::tell_entry_waits() {
  if (applying == nullptr || std::exchange(waits_told, applying->index) == applying->index) {
    return;
  }
  log_warning("Log entry " + name_of(*applying) +
              " waits in its middle for room on the disk. Make room, and it goes on; or "
              "--skip-entry " +
              name_of(*applying) + " applies it as nothing (see the README)");
}

void Executor::State::out_of_memory() const {
  if (applying == nullptr) {
    fatal("out of memory while executing a command");
  }
  const std::string name = name_of(*applying);
  fatal("out of memory while executing log entry " + name +
        ": give this node more memory. If no node can ever execute it, start each one once with "
        "--skip-entry " +
        name + ", which applies it as nothing (see the README)");
}

// One turn's entries; whole ones, one commit. A kNoop ends the turn, so that the session rows that
// go with it are the ones right after it (F23).
bool Executor::State::apply_turn() {
  turn_commands = 0;
  turn_reply_bytes = replies.bytes() + options.turn_bytes_max;
  bool any = false;
  held = false;
  if (queue.empty()) {
    return false;
  }
  CHECK_INVARIANT(store != nullptr);
  committed = database.record();
  const uint32_t pressure = store->pressure();
  effects.pressure = pressure;
  held = pressure >= rocks::StateStore::kPressureFull;
  if (held) {
    return false;
  }
  while (!queue.empty() && !rested && turn_commands < options.turn_commands_max &&
         store->pending_bytes() < options.turn_bytes_max &&
         database.outward().bytes() < options.turn_bytes_max &&
         replies.bytes() < turn_reply_bytes) {
    raft::Entry entry = std::move(queue.front());
    queue.pop_front();
    apply_entry(entry);
    ++turn_commands;  // an entry costs something even if it holds no command
    any = true;
    if (entry.kind == raft::EntryKind::kNoop) {
      break;
    }
  }
  if (!any) {
    return false;
  }
  CHECK_INVARIANT(database.record().index <= queued);
  if (rested) {  // else nothing went below the turn since pressure was asked
    await_room();
  }
  sessions.end_turn();
  database.end_turn();
  store->commit(database.record().index);
  taken_batches.clear();
  effects.applied_moved = true;
  return true;
}

// ---------------------------------------------------------------- the class

Executor::Executor(rocks::Keyspace& keyspace, const ExecutorOptions& options)
    : state_(std::make_unique<State>(keyspace, options)) {}
Executor::Executor(rocks::Reader& view, const ExecutorOptions& options)
    : state_(std::make_unique<State>(view, options)) {}
Executor::~Executor() { state_->abandon(); }

LogIndex Executor::applied() const { return state_->record().index; }
Term Executor::applied_term() const { return state_->record().term; }
int64_t Executor::applied_stamp_ms() const { return state_->record().stamp_ms; }
const Settings& Executor::settings() const { return state_->database.settings(); }
std::vector<raft::SessionRow> Executor::session_rows() const { return state_->sessions.rows(); }

void Executor::expect(std::shared_ptr<const PendingBatch> batch) {
  uint64_t sequence = batch->sequence;
  CHECK_INVARIANT(sequence != 0);
  state_->pending[sequence] = std::move(batch);
}

void Executor::forget(uint64_t sequence) {
  if (const auto it = state_->pending.find(sequence); it != state_->pending.end()) {
    state_->lose_serves(*it->second);
    state_->pending.erase(it);
  }
}

void Executor::run_reads(ReadBatch batch) {
  LogIndex index = batch.index;
  state_->waiting.emplace(index, State::WaitingReads{std::move(batch), 0, {}, {}});
}

void Executor::apply(std::vector<raft::Entry> entries) {
  for (raft::Entry& entry : entries) {
    CHECK_INVARIANT(entry.index == state_->queued + 1);
    state_->queued = entry.index;
    state_->queue.push_back(std::move(entry));
  }
}

void Executor::forget_connection(ConnectionId connection) {
  State& s = *state_;
  s.replies.close(connection);
  s.waiters.connection_closed(connection);
  if (auto it = s.aside_of.find(connection); it != s.aside_of.end()) {
    CHECK_INVARIANT(s.long_aside >= it->second.long_ones);
    s.long_aside -= it->second.long_ones;
    for (const uint64_t id : it->second.ids) {
      s.aside.erase(id);
      s.long_reads_dropped.push_back(id);
      s.reads_done.push_back(id);
    }
    s.aside_of.erase(it);
  }
}

void Executor::take_over(Executor& old) {
  State& s = *state_;
  CHECK_INVARIANT(s.queue.empty() && s.pending.empty() && s.waiting.empty());
  CHECK_INVARIANT(&old != this && old.state_->options.group == s.options.group);
  CHECK_INVARIANT(!old.rests() && !rests());
  s.pending = std::exchange(old.state_->pending, {});
  s.waiting = std::exchange(old.state_->waiting, {});
  s.reads_executed = old.state_->reads_executed;
  s.replies = std::move(old.state_->replies);
  s.waiters = std::move(old.state_->waiters);
  s.waiters.look_at_all();
  s.look_at_tokens();
  s.long_reads = old.state_->long_reads;
  s.long_replies = std::move(old.state_->long_replies);
  s.long_answered = std::exchange(old.state_->long_answered, {});
  s.aside = std::exchange(old.state_->aside, {});
  s.aside_of = std::exchange(old.state_->aside_of, {});
  s.long_aside = std::exchange(old.state_->long_aside, 0);
  s.commands = old.state_->commands;
  s.skipped = old.state_->skipped;
  s.failures = old.state_->failures;
  s.once_counts = old.state_->once_counts;
  s.context.add(old.state_->context.stats());
  for (const raft::SessionRow& row : s.sessions.rows()) {
    if (row.node == s.options.node && row.incarnation == s.options.incarnation &&
        row.epoch == s.options.epoch) {
      std::erase_if(s.pending, [&](const auto& item) {
        const bool covered = item.first <= row.sequence;
        if (covered) {
          s.lose_serves(*item.second);  // their effects are in, the replies are lost
        }
        return covered;
      });
    }
  }
}

void Executor::listen(const Listening& listening) { state_->database.outward().listen(listening); }

bool Executor::work() {
  State& s = *state_;
  try {
    if (!s.work_on_turn()) {
      return true;
    }
  } catch (const std::bad_alloc&) {
    s.out_of_memory();
  }
  const bool more_reads = s.run_ready_reads();
  const bool more_waits = s.look_at_waits();
  s.database.give_back_buffers();
  return more_reads || more_waits || (!s.queue.empty() && !s.held);
}

bool Executor::held() const { return state_->held; }

ExecutorEffects Executor::take_effects() {
  State& s = *state_;
  ExecutorEffects taken;
  if (!s.rests) {  // else nothing of the turn is true before it is committed
    taken = std::exchange(s.effects, {});
    taken.replies = s.replies.take();
    taken.outward = s.database.outward().take();
    taken.expirations = s.context.take_expire_commands();
    if (std::exchange(s.opened_term, false)) {
      taken.sessions = s.sessions.rows();
    }
    if (s.pending.empty() && s.waiting.empty()) {
      s.replies.forget_closed();  // nothing is left that could answer them
    }
  }
  taken.applied = applied();
  s.take_long_replies(taken.replies);
  taken.long_reads_expired = std::exchange(s.long_reads_expired, {});
  taken.long_reads_dropped = std::exchange(s.long_reads_dropped, {});
  std::ranges::copy(std::exchange(s.reads_done, {}), std::back_inserter(taken.reads.done));
  return taken;
}

}  // namespace kiwi::resp
