// Executor: commands that count once, by a token (KIWI.ONCE) or by a producer's numbers (KIWI.SEQ).
// The order is the rule: a record beats age, age beats execution. What such a command answers is
// made on every node, from the entry and the state alone, since it becomes part of the state.
#include <algorithm>
#include <string>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/checksum.hpp"
#include "config/base/reuse.hpp"
#include "config/base/sha1.hpp"
#include "config/limits.hpp"
#include "resp/executor_state.hpp"
#include "resp/once_reply.hpp"
#include "resp/once_token.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

namespace {

// Everybody's clock is good enough.
constexpr int64_t kAheadMs = 300'000;

void add_word(Hasher128& hasher, std::string_view word, std::string& size) {
  size.clear();
  put_varint(size, word.size());
  hasher.add(size);
  hasher.add(word);
}

std::string hex_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out.push_back(kDigits[static_cast<uint8_t>(c) >> 4]);
    out.push_back(kDigits[static_cast<uint8_t>(c) & 15]);
  }
  return out;
}

// Those that say what the command does: a client that asks on may wait for longer or shorter.
std::vector<std::string_view> lasting_words(const CommandSpec& row, Args args) {
  std::vector<std::string_view> words(args.begin(), args.end());
  if (row.waiting == nullptr || words.size() < 3) {
    return words;
  }
  switch (row.waiting->timeout) {
    case TimeoutAt::kLast:
      words.pop_back();
      break;
    case TimeoutAt::kFirst:
      words.erase(words.begin() + 1);
      break;
    case TimeoutAt::kOptions:
      for (size_t at = 1; at + 1 < words.size() && !same_word(words[at], "streams");) {
        if (same_word(words[at], "group")) {
          at += 3;
        } else if (same_word(words[at], "block") || same_word(words[at], "count")) {
          words.erase(words.begin() + static_cast<ptrdiff_t>(at),
                      words.begin() + static_cast<ptrdiff_t>(at) + 2);
        } else {
          ++at;
        }
      }
      break;
  }
  return words;
}

}  // namespace

// ---------------------------------------------------------------- whose it is

// By the name: ACL LOAD gives users new numbers and ends their connections, so that is when they
// ask again. The default user is 0, with a number or without. Not negative: kiwi.giveback says it.
uint64_t Executor::State::once_scope(const PackedCommand& command) {
  const uint64_t number = command.user.value_or(acl::kDefaultId);
  if (number == acl::kDefaultId) {
    return 0;
  }
  const acl::Users::Ptr user = context.users().with_id(number);
  return user == nullptr ? number : std::max<uint64_t>(1, checksum64(user->name) >> 1);
}

// ---------------------------------------------------------------- what the command is

// Of its database and its words, without the tokens of WATCH and without timeouts. EVAL counts as
// EVALSHA of its text, for a client may be told to send the one for the other. A block of one
// command is not that command: EXEC's answer has another form, which its session relies on.
Checksum128 Executor::State::fingerprint_of(const Decoded& decoded) {
  Hasher128 hasher;
  std::string size;
  const auto add = [&](const Decoded& one) {
    add_word(hasher, std::to_string(one.command.database), size);
    std::vector<std::string_view> words(one.command.args.begin(), one.command.args.end());
    std::string sha1;
    if (one.row != nullptr) {
      words = lasting_words(*one.row, one.command.args);
      if (words.size() > 1 && one.row->name == "eval") {
        sha1 = hex_of(kiwi::sha1(words[1]));
        words[0] = "evalsha";
      } else if (words.size() > 1 && (one.row->flags & kBySha1) != 0) {
        sha1 = words[1];
        std::ranges::transform(sha1, sha1.begin(), lower_case);
      } else {
        words[0] = one.row->name;
      }
      if (!sha1.empty()) {
        words[0] = "evalsha";
        words[1] = sha1;
      }
    }
    add_word(hasher, std::to_string(words.size()), size);
    for (const std::string_view word : words) {
      add_word(hasher, word, size);
    }
  };
  if (decoded.command.kind == PackedKind::kPlain) {
    add(decoded);
    return hasher.sum();
  }
  add_word(hasher, "exec", size);  // no number of a database
  for (const std::string_view packed : decoded.command.commands) {
    decode(packed, cluster_version, inner);
    if (inner.well_formed && !inner.command.args.empty()) {
      add(inner);
    }
  }
  return hasher.sum();
}

const CommandSpec* Executor::State::meant_by(const CommandSpec& row, Args& args) const {
  const size_t words = words_in_front(row);
  if ((row.flags & kWraps) == 0 || args.size() <= words) {
    return &row;
  }
  args = args.subspan(words);
  return resolve_command(args, cluster_version).row;
}

bool Executor::State::takes(const CommandSpec* row, Args args) const {
  row = row != nullptr ? meant_by(*row, args) : nullptr;
  return row != nullptr && (row->flags & kTakes) != 0;
}

// ---------------------------------------------------------------- answers

void Executor::State::give(std::string_view bytes, bool lost, ReplySpace& out) {
  if (out.bytes == nullptr) {
    return;
  }
  if (lost || bytes.size() > out.write_end - std::min(out.write_end, out.bytes->size())) {
    out.lost = true;
    out.bytes = nullptr;
    return;
  }
  out.bytes->append(bytes);
}

void Executor::State::refuse_once(std::string_view text, ReplySpace& out, int version) {
  RespWriter(out.bytes, version).error(text);
}

void Executor::State::replay(const OnceRecord& known,
                             const Decoded& decoded,
                             ReplySpace& out,
                             int version) {
  const uint64_t here = out.bytes != nullptr ? 1 : 0;
  if (!known.kept || (known.shaped && known.resp != version)) {
    once_counts.done += here;
    return refuse_once(known.kept ? texts::once_done_otherwise(known.index.value)
                                  : texts::once_done(known.index.value),
                       out, version);
  }
  once_counts.replays += here;
  if (here != 0) {
    const bool block = decoded.command.kind == PackedKind::kTransaction;
    give(reply_in(version, known.resp, known.reply, block), false, out);
  }
}

// What was taken was maybe given to nobody yet: from now on it was.
void Executor::State::answer_known(OnceRecord& known,
                                   const Once::Name& name,
                                   const Decoded& decoded,
                                   ReplySpace& out,
                                   int version) {
  const uint64_t here = out.bytes != nullptr ? 1 : 0;
  if (known.closed) {
    once_counts.closed += here;
    return refuse_once(texts::kOnceClosed, out, version);
  }
  if (known.fingerprint != fingerprint_of(decoded)) {
    once_counts.mismatch += here;
    return refuse_once(texts::kOnceMismatch, out, version);
  }
  if (known.takes && !known.claimed) {
    known.claimed = true;
    known.changed = applying->index;
    database.once().put(name, known);
  }
  replay(known, decoded, out, version);
}

std::string Executor::State::once_refusal(const Decoded& decoded,
                                          const Once::Name& name,
                                          const Moment& moment) {
  const auto token_ms = static_cast<int64_t>(name.ms);  // 48 bits
  int64_t forgotten_ms = database.once().forgotten_until_ms(moment.now_ms);
  if (mutant(Mutant::kOnceFloorIgnored)) {
    forgotten_ms = moment.now_ms - database.once().limits().window_ms;
  }
  if (token_ms > moment.now_ms + kAheadMs) {
    return texts::once_clock(token_ms - moment.now_ms);
  }
  if (token_ms <= forgotten_ms) {
    return texts::once_expired(forgotten_ms);
  }
  const PackedCommand& command = decoded.command;
  if (command.once->watched && command.tokens.empty()) {
    return std::string(texts::kExpectsWatch);
  }
  return {};
}

bool Executor::State::is_decided(const PackedCommand& command) {
  if (!command.once || command.once->form != OnceMark::Form::kToken) {
    return false;
  }
  const std::string_view token = command.once->name;
  const auto known =
      database.once().find({once_token_ms(token), once_scope(command), once_token_name(token)});
  return known && !known->unused;
}

void Executor::State::look_at_tokens() {
  constexpr size_t kUserBytes = sizeof(uint64_t);
  for (const std::string& name : waiters.tokens()) {
    const std::string_view token = std::string_view(name).substr(kUserBytes);
    const auto known = database.once().find(
        {once_token_ms(token), get_be<uint64_t>(name), once_token_name(token)});
    if (known && !known->unused) {
      waiters.token_decided(name);
    }
  }
}

// Who waits with a token that was closed is told so.
void Executor::State::tell_if_closed(const CommandSpec& row, Args args, uint64_t user) {
  const CommandSpec* meant = meant_by(row, args);
  if (meant == nullptr || meant->name != "kiwi.token|close" || !arity_fits(*meant, args.size())) {
    return;
  }
  if (const std::optional<std::string> token = read_once_token(args[2])) {
    waiters.token_decided(Waiters::token_name(user, *token));
  }
}

// ---------------------------------------------------------------- execution

// Into a buffer, in one protocol, whoever waits for it. Its reads have a bound of their own, since
// every node takes them.
Executor::State::Attempt Executor::State::attempt(Decoded& decoded, const Moment& moment) {
  namespace limits = config::limits;
  const bool plain = decoded.command.kind == PackedKind::kPlain;
  const size_t left = limits::kOnceEntryBytes - std::min(limits::kOnceEntryBytes, entry_once_bytes);
  Attempt done;
  done.takes = plain && takes(decoded.row, decoded.command.args);
  ReplySpace space;
  give_back_if_big(once_reply);
  once_reply.clear();
  space.bytes = &once_reply;
  space.read_end = limits::kReplyBytes;
  space.write_end =
      !done.takes ? limits::kReplyBytes
                  : std::max(limits::kOnceShortBytes, std::min(left, limits::kOnceTakenBytes));
  space.undo_if_lost = done.takes;
  context.forget_found();
  std::swap(entry_read_steps, entry_once_steps);
  execute_inner(decoded, moment, space, decoded.command.once->resp);
  std::swap(entry_read_steps, entry_once_steps);
  done.lost = space.lost;
  done.shaped = space.shaped;
  done.takes = done.takes || (!plain && block_takes);
  const bool missing = plain && context.found_no_script() && !mutant(Mutant::kOnceNoScriptKept);
  const bool nil = !plain && once_reply.starts_with("*-1") && mutant(Mutant::kOnceNilNotKept);
  done.done = !keeps_waiting && !missing && !nil;
  return done;
}

OnceRecord Executor::State::record_of(const Attempt& attempt,
                                      const Decoded& decoded,
                                      const Checksum128& fingerprint,
                                      size_t kept_max,
                                      const Moment& moment) {
  CHECK_INVARIANT(applying != nullptr && attempt.done);
  namespace limits = config::limits;
  const size_t bytes = once_reply.size();
  OnceRecord record;
  record.changed = record.index = applying->index;
  record.revision = database.record().mutation_counter;
  record.stamp_ms = moment.now_ms;
  record.fingerprint = fingerprint;
  record.resp = decoded.command.once->resp;
  record.shaped = attempt.shaped;
  record.takes = attempt.takes && decoded.command.kind == PackedKind::kPlain;
  record.kept =
      !attempt.lost && bytes <= kept_max &&
      (bytes <= limits::kOnceShortBytes || bytes + entry_once_bytes <= limits::kOnceEntryBytes);
  if (record.kept) {
    record.reply = once_reply;
    entry_once_bytes += bytes;
  }
  return record;
}

void Executor::State::execute_once(Decoded& decoded, Moment moment, ReplySpace& out, int version) {
  const OnceMark& mark = *decoded.command.once;
  if (!moment.may_write) {  // what only reads may be done twice
    return execute_inner(decoded, moment, out, version);
  }
  // Rights count before records do: what a user may not ask any more it is not told again either,
  // and a refusal is no outcome that counts. In a block each command is asked for, as always, but
  // for one of a user who is gone: nothing of it would be executed.
  const bool plain = decoded.command.kind == PackedKind::kPlain;
  const bool fits = plain && decoded.row != nullptr && decoded.row->is_data() &&
                    arity_fits(*decoded.row, decoded.command.args.size());
  if (asker_gone && !plain) [[unlikely]] {
    const std::string_view exec[] = {exec_row->name};
    return refuse_once(denied(*exec_row, exec), out, version);
  }
  if (must_check && fits) {
    if (const std::string why = denied(*decoded.row, decoded.command.args); !why.empty()) {
      return refuse_once(why, out, version);
    }
  }
  moment.kept_reply = true;
  moment.quiet = out.bytes == nullptr;
  if (mark.form == OnceMark::Form::kProducer) {
    return execute_numbered(decoded, moment, out, version);
  }
  Once& once = database.once();
  const Once::Name name{once_token_ms(mark.name), moment.user, once_token_name(mark.name)};
  std::optional<OnceRecord> known = once.find(name);
  const bool is_known = known && !known->unused && !mutant(Mutant::kOnceAgeFirst);
  if (is_known) {
    return answer_known(*known, name, decoded, out, version);
  }
  if (const std::string refusal = once_refusal(decoded, name, moment); !refusal.empty()) {
    if (out.bytes != nullptr) {
      once_counts.clock += refusal.starts_with("ONCECLOCK") ? 1 : 0;
      once_counts.expired += refusal.starts_with("ONCEEXPIRED") ? 1 : 0;
    }
    return refuse_once(refusal, out, version);
  }
  if (known && !known->unused) {  // the mutant
    return answer_known(*known, name, decoded, out, version);
  }
  const Checksum128 fingerprint = fingerprint_of(decoded);
  const Attempt done = attempt(decoded, moment);
  if (done.done) {
    const size_t most = done.takes ? config::limits::kOnceTakenBytes : once.limits().reply;
    once.put(name, record_of(done, decoded, fingerprint, most, moment));
    if (waiters.anybody() && !mutant(Mutant::kOnceWaiterNotWoken)) {
      waiters.token_decided(Waiters::token_name(moment.user, mark.name));
    }
  }
  if (!keeps_waiting) {
    give(once_reply, done.lost, out);
  }
}

// KIWI.SEQ: n counts if the last one that did is the one it names. No clock decides.
void Executor::State::execute_numbered(Decoded& decoded,
                                       const Moment& moment,
                                       ReplySpace& out,
                                       int version) {
  const OnceMark& mark = *decoded.command.once;
  Producers& producers = database.producers();
  const std::optional<ProducerRow> row = producers.find(moment.user, mark.name);
  const uint64_t last = row ? row->number : 0;
  const uint64_t here = out.bytes != nullptr ? 1 : 0;
  const Checksum128 fingerprint = fingerprint_of(decoded);
  if (row && mark.number == last) {
    if (row->last.fingerprint != fingerprint) {
      once_counts.mismatch += here;
      return refuse_once(texts::kOnceMismatch, out, version);
    }
    return replay(row->last, decoded, out, version);
  }
  if (mark.number <= last) {
    once_counts.done += here;
    return refuse_once(texts::once_superseded(last), out, version);
  }
  if (mark.after != last) {
    once_counts.gap += here;
    return refuse_once(texts::once_gap(last), out, version);
  }
  if (mark.watched && decoded.command.tokens.empty()) {  // a block whose WATCH failed (F11)
    return refuse_once(texts::kExpectsWatch, out, version);
  }
  if (!row && !producers.has_room()) {
    return refuse_once(texts::kNoRoomForProducer, out, version);
  }
  const Attempt done = attempt(decoded, moment);
  if (done.done) {
    producers.put(
        moment.user, mark.name,
        {mark.number, record_of(done, decoded, fingerprint, Producers::kReplyBytes, moment)});
  }
  give(once_reply, done.lost, out);
}

}  // namespace kiwi::resp
