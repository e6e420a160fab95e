// The inside of a Session, for session*.cpp and the handlers of local commands only.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "resp/acl/trail.hpp"
#include "resp/command.hpp"
#include "resp/faults.hpp"
#include "resp/help.hpp"
#include "resp/maintenance.hpp"
#include "resp/measures.hpp"
#include "resp/migration.hpp"
#include "resp/node_context.hpp"
#include "resp/parser.hpp"
#include "resp/reply_size.hpp"
#include "resp/reply_slots.hpp"
#include "resp/resp_writer.hpp"
#include "resp/session.hpp"

namespace kiwi::resp {

// A local command inside MULTI: it is executed when the answer of EXEC is here, and its reply takes
// its place among the others. So it changes the session only if the transaction went through.
struct QueuedLocal {
  size_t position = 0;  // among all queued commands
  const CommandSpec* row = nullptr;
  std::vector<std::string> args;
};

// By what they stand for. A key that is watched twice keeps its first token.
struct TokenOrder {
  using is_transparent = void;
  using Place = std::pair<uint32_t, std::string_view>;  // logical number, key

  static Place place(const WatchToken& token) { return {token.database, token.key}; }
  static const Place& place(const Place& place) { return place; }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return place(a) < place(b);
  }
};

// What stands in front of a command or a block that counts once.
struct AskedOnce {
  OnceMark::Form form = OnceMark::Form::kToken;
  std::string name;  // OnceMark::name
  uint64_t number = 0;
  uint64_t after = 0;
  bool watched = false;

  OnceMark mark(int resp_version) const {
    return {form, name, number, after, static_cast<uint8_t>(resp_version), watched};
  }
};

// How old what reads show may be.
struct ReadLevel {
  RequestKind kind = RequestKind::kRead;  // or kStaleRead, kAtLeast, kMaxLag
  int64_t number = 0;                     // kAtLeast: index; kMaxLag: milliseconds
};

// A command whose answer KIWI.FAULT takes.
struct FaultedSlot {
  uint64_t id = 0;  // of Faults::begin()
  FaultKind kind = FaultKind::kLostReply;
};

// MULTI .. EXEC, and what WATCH saw.
struct Transaction {
  bool open = false;
  bool broken = false;  // a command was refused while queueing: EXEC answers EXECABORT
  bool writes = false;
  bool may_be_long = false;  // one of its reads
  uint32_t database = 0;     // what SELECT inside the block chose for the commands after it
  size_t count = 0;
  size_t bytes = 0;
  std::vector<std::string> packed;  // the data commands
  std::vector<QueuedLocal> locals;
  std::set<WatchToken, TokenOrder> tokens;
  size_t token_bytes = 0;                // in the packed block, at most
  uint64_t acl_version = kNeedsNoCheck;  // the oldest by which one of them was checked
  std::unique_ptr<AskedOnce> once;       // of the block; few connections have one
  bool tokens_lost = false;  // a WATCH failed: EXEC must not believe that nothing changed (F11)

  size_t memory_bytes() const { return bytes + token_bytes + tokens.size() * kTokenMemory; }

 private:
  static constexpr size_t kTokenMemory = 96;  // of a node of the set, beside what token_bytes has
};

// Nothing more of the connection is parsed until this slot is answered.
struct Barrier {
  enum class Kind : uint8_t {
    kWatch,     // EXEC needs its tokens (F11)
    kExec,      // local commands of the block may change the session
    kMigrate,   // the next step of MIGRATE
    kInterest,  // the other nodes have heard that this one has a subscriber
    kBlocked,   // a blocking command
    kLogin,     // what was acknowledged before a login is about to be refused
    kReplicas,  // WAIT
  };
  uint64_t slot = 0;
  Kind kind = Kind::kWatch;
};

// A MIGRATE under way. What it asks of this node's state is forwarded in silent slots behind the
// client's own, in which the target's answer arrives, too.
struct Migrating {
  Migration migration;
  uint64_t slot = 0;  // the client's
  uint32_t database = 0;
  Migration::Step step = Migration::Step::kRead;
  bool watched = false;  // kRead: the tokens are there, the keys are not
  // What is with the target, until it answers, and how that ends. It is this client's memory (F47).
  size_t bytes_out = 0;
  ExchangeCancel cancel = nullptr;
};

// PUBLISH and SPUBLISH run when everything before them is answered, so that who gets the message
// sees what its publisher wrote before.
struct WaitingPublication {
  uint64_t slot = 0;
  Publication publication;
};

inline constexpr size_t kKeepScratchBytes = 4096;

// The place of a reply that comes later (RAFT.NODE ADD waits for the log). Its connection may go
// meanwhile; it must be answered once, from the client loop. Copyable, for callbacks.
struct LaterReply {
  NodeContext* node = nullptr;
  ReplySlot to;
  int resp_version = 2;

  template <class Write>  // write(ReplyWriter&)
  void answer(Write&& write) const {
    ReplyBatch batch;
    batch.connection = to.connection;
    RespWriter writer(&batch.bytes, resp_version);
    write(writer);
    batch.parts.push_back({to.slot, 0, static_cast<uint32_t>(batch.bytes.size())});
    node->deliver(std::move(batch));
  }
};

// A login that is not right by what this node knows.
struct Login {
  QueuedLocal command;
  int64_t until_ms = 0;
};

struct Session::State {
  State(NodeContext& node_in, SessionInfo info_in) : node(node_in), info(std::move(info_in)) {}

  Session* self = nullptr;
  NodeContext& node;
  SessionInfo info;
  int64_t created_ms = 0;
  int64_t now_ms = 0;  // monotonic, of the last call
  int64_t last_active_ms = 0;
  int64_t now_ns = 0;      // of Measures, when something last came or was answered
  int64_t arrival_ns = 0;  // when bytes last came

  // ---- what the client chose
  int resp_version = 2;
  uint32_t database = 0;
  acl::Users::Ptr user;  // of Accounts, as it is now
  // The same if what it asks has to be looked at; nullptr: the default user without any bound.
  const acl::NamedUser* limited = nullptr;
  bool authenticated = false;
  // Without a password, by a node that did not know yet what the cluster has: what it learns until
  // it serves counts for this connection, too.
  bool let_in_early = false;
  bool user_gone = false;        // it was deleted, and the connection is about to end
  std::unique_ptr<Login> login;  // behind a kLogin barrier
  ReadLevel reads;               // READONLY, KIWI.READ
  std::string name;
  std::string library_name;
  std::string library_version;
  bool no_evict = false;
  bool no_touch = false;
  bool redirects = false;               // CLIENT CAPA redirect
  std::optional<Endpoint> maintenance;  // CLIENT MAINT_NOTIFICATIONS
  bool told_to_move = false;            // by such a message: it will go by itself
  bool replies_off = false;             // CLIENT REPLY OFF
  bool skip_next_reply = false;         // CLIENT REPLY SKIP: the next command's
  bool skip_this_reply = false;

  Transaction transaction;
  std::optional<Barrier> barrier;
  std::vector<QueuedLocal> exec_locals;        // of the block behind a kExec barrier
  size_t exec_bytes = 0;                       // what it held while it was queued
  size_t exec_count = 0;                       // all its commands
  std::optional<Migrating> migrating;          // behind a kMigrate barrier
  std::optional<QueuedLocal> subscribing;      // behind a kInterest barrier
  std::optional<QueuedLocal> deferred;         // must_wait(): parsed, and nothing behind it is
  std::list<WaitingPublication> publications;  // their turn has not come
  // What subscribers get of this turn's: together, so that each is written to once.
  Pushes published;
  bool tracking = false;         // it is one of node.tracking's clients
  bool caching = false;          // CLIENT CACHING marks the next command, or block
  bool monitoring = false;       // it is one of node.monitors
  bool flush_asked = false;      // its owner will look at `output`: there are lines of MONITOR
  bool held = false;             // `deferred` waits for the end of CLIENT PAUSE
  bool ignores_pause = false;    // the connection is to end
  PubSub::Counts subscriptions;  // of node.pubsub
  size_t blocked_bytes = 0;      // what its wait holds elsewhere, behind a kBlocked barrier
  bool ending_wait = false;      // Session::end_wait()

  // ---- the way of the bytes
  RequestParser parser;
  ReplySlots slots;
  RequestBatch requests;
  std::string output;
  std::string scratch;  // a local reply on its way into a slot
  size_t usual_request_bytes = 0;
  size_t usual_requests = 0;
  size_t usual_output_bytes = 0;
  size_t unsent_bytes = 0;
  size_t counted_bytes = 0;  // of this session in node.client_memory
  // The reply that comes in pieces: which, what of it is here, and what left and was not told.
  struct InPieces {
    uint64_t read = 0;  // 0: none does
    uint64_t slot = 0;
    size_t here = 0;
    size_t left = 0;
  };
  InPieces in_pieces;
  bool gave_back = false;  // since it was last active
  int64_t over_soft_limit_since_ms = -1;
  bool paused = false;                      // too much unanswered or unsent (F28)
  bool running = false;                     // process() is on the stack
  bool busy = false;                        // a script ran for too long when process() began
  bool in_block = false;                    // a local command of MULTI is executed
  std::unique_ptr<AskedOnce> once;          // of the command that is dispatched
  std::optional<ReadLevel> read_level;      // the same: another one than `reads`
  std::optional<FaultedSlot> next_fault;    // of the command that is handed on next
  std::map<uint64_t, FaultedSlot> faulted;  // by slot
  bool cut_off = false;                     // half an answer was the last that it gets
  bool close_after_replies = false;
  bool killed = false;
  const CommandSpec* last_command = nullptr;
  uint16_t counted_row = Measures::kNoRow;  // of what is dispatched: it counts when it is answered

  // ---- session.cpp
  void process();  // parses and answers until input, or room for answers, is used up
  void resume();   // that, and what belongs behind it
  void check_output_limits();
  void count_memory();  // into node.client_memory
  void give_back();     // what an idle client does not need
  size_t memory_bytes() const;
  bool is_blocked() const { return barrier && barrier->kind == Barrier::Kind::kBlocked; }
  bool awaits_replicas() const { return barrier && barrier->kind == Barrier::Kind::kReplicas; }
  size_t output_bytes() const { return output.size() + unsent_bytes + slots.held_bytes(); }
  void kill();

  void take_piece(const ReplyBatch& piece, const ReplyPart& part);
  // Of an open slot: counts it, and hands its answer on.
  void answer(uint64_t slot, std::string_view bytes);
  AskedCommand asked() const { return {counted_row, arrival_ns}; }

  // ---- session_once.cpp
  // Takes what stands in front of a command off `args`. An error's text, or nothing; no words are
  // left when they were about a block.
  std::string take_prefix(const CommandSpec& row, Args& args);
  std::string take_once(const CommandSpec& row, Args& args);
  void begin_once_block();
  void set_read_level();  // of the connection
  std::string take_read_level(Args& args);
  std::string refusal_to_count(const CommandSpec& row, Args args) const;

  // ---- session_faults.cpp
  bool fault_before(std::string_view command);
  void note_fault(uint64_t slot);
  std::string faulted_answer(uint64_t slot, std::string_view bytes);

  // ---- session_dispatch.cpp
  Resolved resolve(Args& args, std::vector<std::string_view>& space, std::string& why);
  void dispatch(Args args);
  void carry_out(const CommandSpec* row, Args args);
  void run(const CommandSpec& row, Args args);  // that is not refused, nor queued
  std::optional<std::string> script_of(const CommandSpec& row, Args args) const;
  // The name under which it is sent as a read; empty: it is not.
  std::string_view name_as_read(const CommandSpec& row, Args args) const;
  std::vector<std::string_view> words_sent(const CommandSpec& row,
                                           Args args,
                                           std::string& script) const;
  // For what stands before it: else a message that its own connection published before it would
  // find other subscriptions.
  bool must_wait(const CommandSpec& row) const;
  // Why a command that is known is refused before it runs; empty: it is not.
  std::string refusal_of(const CommandSpec& row, size_t argc) const;
  bool is_let(config::DebugAccess access) const;  // everybody, or clients of this machine
  size_t deferred_bytes() const;
  // A reply larger than `room` becomes an error.
  void run_local(const CommandSpec& row, Args args, RespWriter& reply, size_t room);
  void reply_error(std::string_view text);  // a whole reply that is one error
  // Refuses a command before it ran: also breaks a transaction that is being queued.
  void reject(const CommandSpec* row, std::string_view text);
  // Hands the packed command that begins at `begin` of requests.buffer to the router.
  void forward(RequestKind kind, size_t begin, bool may_be_long = false);
  // The same for one that waits if there is nothing for it (F31).
  void block(const WaitFor& wait, size_t begin, bool may_be_long);
  // CLIENT UNBLOCK, `how` is its reason or FORCED; the answer comes later.
  void unblock(ConnectionId connection, std::string_view how);
  // What a local command asks of the whole cluster: its answer is that of this internal write. A
  // block of MULTI has no place for it.
  void forward_write(Args argv);
  // For a local handler that writes no reply: takes its place in the order, to be answered later.
  // Not in_block: a block of MULTI has no place for it.
  LaterReply defer();
  // Not between WATCH and EXEC, also on a READONLY connection: a value older than its token would
  // pass for unchanged (F11).
  ReadLevel level_of_reads(bool watches) const {
    return watches ? ReadLevel{} : read_level.value_or(reads);
  }
  bool is_silent() const { return replies_off || skip_this_reply; }

  // ---- session_users.cpp
  void belong_to(acl::Users::Ptr to);
  void belong_as_new();  // to whom its certificate names, else to the default user
  bool must_authenticate() const { return !authenticated && node.accounts.login_wanted(); }
  bool log_in(std::string_view as, std::string_view password);
  // Noted; the error.
  std::string_view login_refused(std::string_view as, std::string_view command);
  bool ask_login(const CommandSpec& row, Args args);
  std::string run_login();  // it is known now; the reply
  void expire_login();
  // Of who is limited: why this is refused; empty: it is not.
  std::string denial_of(const CommandSpec& row, Args args);
  bool may_say(std::string_view command) const;
  // Before pack_command() into requests.buffer: whose it is. `made`: it is an internal command that
  // this session makes of what its client said; one without a number would be the node's own.
  void begin_packed(bool made = false);
  bool subscriptions_allowed() const;
  acl::Doer doer() const;
  // For the audit log: of commands of operators. `error`: the reply, if it was one.
  void tell_outcome(uint16_t row, std::string_view error) const {
    if (node.trail) [[unlikely]] {
      write_outcome(row, error);
    }
  }
  void write_outcome(uint16_t row, std::string_view error) const;
  void users_changed();
  void lose_user();
  std::string changes_users(const CommandSpec& row,
                            Args args,
                            std::vector<std::string>& words) const;
  // The error's text; empty: `words` may leave the session.
  std::string hide_passwords(Args args, std::vector<std::string>& words) const;

  // ---- session_faces.cpp
  // Its face knows no such thing, and says so.
  bool has_no(const CommandSpec& row) const;
  bool is_sentinel() const { return info.face == Face::kSentinel; }
  // Of clients that follow it: the error that sends them to the leader; empty: it is taken here.
  bool takes_advice() const { return info.face == Face::kCluster || redirects; }
  std::string advice_for(const CommandSpec& row, Args args) const;

  // ---- session_migration.cpp
  // Takes the place of the reply; a block of MULTI has no place for it.
  void migrate(MigrateOrder order);
  void answer_migration(const ReplyBatch& batch, std::string_view bytes);
  void take_step(Migration::Step step);
  void leave_target();  // its answer is here, or nobody waits for it

  // ---- session_pubsub.cpp
  // Of its name space: a Sentinel's events are no messages of the data's clients.
  PubSub& pubsub() const { return is_sentinel() ? node.sentinel_pubsub : node.pubsub; }
  bool is_subscriber() const {
    return subscriptions[Topic::kChannel] + subscriptions[Topic::kPattern] +
               subscriptions[Topic::kShard] !=
           0;
  }
  // RESP2 has no other way to tell messages from replies: only few commands are taken.
  bool takes_few_commands() const { return is_subscriber() && resp_version == 2; }
  // SUBSCRIBE and its like. The first one of the node waits until the others have heard of it.
  void change_subscriptions(const CommandSpec& row, Args args);
  std::string run_subscribing();  // they have; the reply
  void subscribe(Topic topic, std::string_view channel, ReplyWriter& reply);
  void unsubscribe(Topic topic, std::string_view channel, ReplyWriter& reply);
  void unsubscribe_all(Topic topic, ReplyWriter& reply);
  void tell_interest();
  void forget_subscriptions();
  void publish(const CommandSpec& row, Args args);
  void run_publications();  // whose turn has come
  void deliver_published();
  // The number of receivers, if it is known already.
  std::optional<uint64_t> run_publication(Publication publication, uint64_t slot);
  bool wants(const PushMessage& message) const;
  void push(const PushMessage& message);
  void take_pushes(const std::vector<Push>& messages);  // that were on their way for a while

  // ---- session_monitor.cpp
  void start_monitoring();
  void stop_monitoring();
  // run(), and its lines. `said`: what the client said, if that is something else.
  void run_watched(const CommandSpec& row, Args args, Args said);
  void show_block();  // the commands of the block that EXEC is about to execute
  void take_monitor_line(std::string_view line);

  // ---- session_pause.cpp
  bool is_paused(const CommandSpec& row, Args args) const;  // CLIENT PAUSE holds it
  void hold(const CommandSpec& row, Args args, size_t prefix);
  void forget_hold();
  bool must_still_wait() const;  // `deferred`

  // ---- session_tracking.cpp
  void turn_tracking_off();
  // CLIENT CACHING holds until a command behind it is over that is no CLIENT, or a block.
  void end_caching(const CommandSpec* row) {
    const bool goes_on = held || transaction.open;  // what is held has not run yet
    caching = caching && (goes_on || (row != nullptr && row->name.starts_with("client|")));
  }

  // ---- session_transaction.cpp
  std::optional<uint32_t> database_selected(std::string_view number) const;  // by SELECT
  void queue(const CommandSpec& row, Args args);
  void exec(RespWriter& reply);
  void watch(Args args, ReplyWriter& reply);
  void discard_transaction();  // and forget the tokens
  void answer_barrier(const ReplyBatch& batch, std::string_view bytes);
  void keep_tokens(const std::vector<WatchToken>& tokens);
  void forget_tokens();
  // `room`: for the replies of a block's local commands, what is left.
  void run_queued(const QueuedLocal& local, RespWriter& reply, size_t& room);
  std::string join_replies(const std::vector<QueuedLocal>& locals,
                           size_t room,
                           std::string_view bytes);

  // Calls write(ReplyWriter&) for a reply that takes its turn behind unanswered commands. `loud`:
  // CLIENT REPLY does not silence it.
  template <class Write>
  void reply_now(Write&& write, bool loud = false);
};

template <class Write>
void Session::State::reply_now(Write&& write, bool loud) {
  // Not into the slot itself: a handler may forward (EXEC), which moves the slots.
  bool direct = slots.empty();
  std::string& out = direct ? output : scratch;
  size_t before = out.size();
  RespWriter writer(&out, resp_version);
  write(writer);
  // Asked now: CLIENT REPLY and RESET decide about their own replies already.
  if (is_silent() && !loud) {
    out.resize(before);
  }
  if (out.size() > before && out[before] == '-') {
    node.measures.count_error(std::string_view(out).substr(before));
  }
  if (!direct && !scratch.empty()) {
    slots.reply(scratch);
    scratch.clear();
    if (scratch.capacity() > kKeepScratchBytes) {
      std::string().swap(scratch);
    }
  }
}

// The rows that clients of that face may know: internal ones are unknown.
Resolved resolve_for_client(const NodeContext& node, Args args, Face face);
std::string unknown_command_text(Args args);
std::string unknown_subcommand_text(Args args);
// Whether a read may look at many records, as far as one can tell without the state.
bool may_be_long(const CommandSpec& row, size_t argc);
std::string arity_text(const CommandSpec& row);
// Does CONFIG SET change the default user's password? That is the whole cluster's, too.
bool names_password(Args names_and_values);
// A line of CLIENT LIST, without its end.
std::string describe_client(const Session::State& s, int64_t now_ms);

}  // namespace kiwi::resp
