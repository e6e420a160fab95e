#include "resp/batch.hpp"

#include <memory>
#include <utility>

#include "config/base/bytes.hpp"
#include "config/base/check.hpp"
#include "config/base/reuse.hpp"
#include "resp/once_token.hpp"

namespace kiwi::resp {

namespace {

constexpr uint8_t kTokenExists = 1;
constexpr uint8_t kTokenFields = 2;  // their next deadline follows; the other flag bits are 0
constexpr uint8_t kOnceWatched = 1;

bool read_token(ByteReader& in, WatchToken& token) {
  uint64_t database = in.varint();
  token.database = static_cast<uint32_t>(database);
  token.incarnation = in.le<uint64_t>();
  token.key = in.sized();
  uint8_t flags = in.le<uint8_t>();
  token.exists = (flags & kTokenExists) != 0;
  token.counter = in.le<uint64_t>();
  token.fields_until_ms = (flags & kTokenFields) != 0 ? in.le<int64_t>() : 0;
  return in.ok() && database <= UINT32_MAX && (flags & ~(kTokenExists | kTokenFields)) == 0;
}

// A list's length as the bytes claim it: at least one byte stands behind each of its items.
bool plausible(const ByteReader& in, uint64_t count) {
  return in.ok() && count <= in.rest().size();
}

bool read_once(ByteReader& in, OnceMark& mark) {
  const uint8_t form = in.le<uint8_t>();
  mark.form = static_cast<OnceMark::Form>(form);
  mark.name = in.sized();
  const bool producer = mark.form == OnceMark::Form::kProducer;
  mark.number = producer ? in.varint() : 0;
  mark.after = producer ? in.varint() : 0;
  mark.resp = in.le<uint8_t>();
  const uint8_t flags = in.le<uint8_t>();
  mark.watched = (flags & kOnceWatched) != 0;
  const bool known =
      producer || (mark.form == OnceMark::Form::kToken && mark.name.size() > kOnceTokenHead);
  return in.ok() && known && !mark.name.empty() && (mark.resp == 2 || mark.resp == 3) &&
         (flags & ~kOnceWatched) == 0;
}

bool read_plain(ByteReader& in, PackedCommand& into) {
  uint64_t argc = in.varint();
  if (argc == 0 || !plausible(in, argc)) {
    return false;
  }
  for (uint64_t i = 0; i < argc; ++i) {
    into.args.push_back(in.sized());
  }
  return in.done();
}

bool read_transaction(ByteReader& in, PackedCommand& into) {
  uint64_t tokens = in.varint();
  if (!plausible(in, tokens)) {
    return false;
  }
  for (uint64_t i = 0; i < tokens; ++i) {
    if (!read_token(in, into.tokens.emplace_back())) {
      return false;
    }
  }
  uint64_t commands = in.varint();
  if (!plausible(in, commands)) {
    return false;
  }
  for (uint64_t i = 0; i < commands; ++i) {
    into.commands.push_back(in.sized());
  }
  return in.done();
}

}  // namespace

void pack_command(std::string& out, uint32_t database, Args args) {
  CHECK_INVARIANT(!args.empty());
  put_u8(out, static_cast<uint8_t>(PackedKind::kPlain));
  put_varint(out, database);
  put_varint(out, args.size());
  for (std::string_view arg : args) {
    put_sized(out, arg);
  }
}

void pack_transaction(std::string& out,
                      uint32_t database,
                      std::span<const WatchToken> tokens,
                      std::span<const std::string> commands) {
  put_u8(out, static_cast<uint8_t>(PackedKind::kTransaction));
  put_varint(out, database);
  put_varint(out, tokens.size());
  for (const WatchToken& token : tokens) {
    put_varint(out, token.database);
    put_le(out, token.incarnation);
    put_sized(out, token.key);
    put_u8(out, static_cast<uint8_t>((token.exists ? kTokenExists : 0) |
                                     (token.fields_until_ms != 0 ? kTokenFields : 0)));
    put_le(out, token.counter);
    if (token.fields_until_ms != 0) {
      put_le(out, token.fields_until_ms);
    }
  }
  put_varint(out, commands.size());
  for (const std::string& command : commands) {
    put_sized(out, command);
  }
}

void begin_of_user(std::string& out, uint64_t user) {
  put_u8(out, static_cast<uint8_t>(PackedKind::kOfUser));
  put_varint(out, user);
}

void pack_as_user(std::string& out, uint64_t user, std::string_view command) {
  begin_of_user(out, user);
  out.append(command);
}

void pack_once(std::string& out, const OnceMark& mark) {
  CHECK_INVARIANT(!mark.name.empty() && (mark.resp == 2 || mark.resp == 3));
  put_u8(out, static_cast<uint8_t>(PackedKind::kOnce));
  put_u8(out, static_cast<uint8_t>(mark.form));
  put_sized(out, mark.name);
  if (mark.form == OnceMark::Form::kProducer) {
    put_varint(out, mark.number);
    put_varint(out, mark.after);
  }
  put_u8(out, mark.resp);
  put_u8(out, mark.watched ? kOnceWatched : 0);
}

void pack_serve(std::string& out, std::string_view command) {
  const std::string_view whole = command;
  ByteReader in(command);
  auto kind = static_cast<PackedKind>(in.le<uint8_t>());
  if (kind == PackedKind::kOfUser) {
    in.varint();
    command = in.rest();
    kind = static_cast<PackedKind>(in.le<uint8_t>());
  }
  if (kind == PackedKind::kOnce) {
    OnceMark mark;
    CHECK_INVARIANT(read_once(in, mark));
    command = in.rest();
  }
  out.append(whole.substr(0, whole.size() - command.size()));
  CHECK_INVARIANT(!command.empty() && static_cast<PackedKind>(command[0]) == PackedKind::kPlain);
  put_u8(out, static_cast<uint8_t>(PackedKind::kServe));
  out.append(command);
}

bool unpack_command(std::string_view bytes, PackedCommand& into) {
  give_back_if_big(into.args);
  give_back_if_big(into.tokens);
  give_back_if_big(into.commands);
  into.args.clear();
  into.tokens.clear();
  into.commands.clear();
  into.user.reset();
  into.once.reset();
  into.serve = false;
  ByteReader in(bytes);
  auto kind = in.le<uint8_t>();
  if (kind == static_cast<uint8_t>(PackedKind::kOfUser)) {
    into.user = in.varint();
    kind = in.le<uint8_t>();
  }
  if (kind == static_cast<uint8_t>(PackedKind::kOnce)) {
    if (!read_once(in, into.once.emplace())) {
      return false;
    }
    kind = in.le<uint8_t>();
  }
  if (kind == static_cast<uint8_t>(PackedKind::kServe)) {
    kind = in.le<uint8_t>();
    if (kind != static_cast<uint8_t>(PackedKind::kPlain)) {
      return false;
    }
    into.serve = true;
  }
  const uint64_t database = in.varint();
  if (!in.ok() || database > UINT32_MAX) {
    return false;
  }
  into.database = static_cast<uint32_t>(database);
  switch (kind) {
    case static_cast<uint8_t>(PackedKind::kPlain):
      into.kind = PackedKind::kPlain;
      return read_plain(in, into);
    case static_cast<uint8_t>(PackedKind::kTransaction):
      into.kind = PackedKind::kTransaction;
      return read_transaction(in, into);
    default:
      return false;
  }
}

// The first command has exactly its room, so that a large one, or one alone, wastes none.
void BatchBuilder::make_room(size_t bytes) {
  if (body_.empty()) {
    body_.reserve(kHeaderBytesMax + bytes);
    body_.resize(kHeaderBytesMax);
  }
}

void BatchBuilder::add(std::string_view packed_command) {
  make_room(kVarintBytesMax + packed_command.size());
  put_sized(body_, packed_command);
  ++count_;
}

// What the buffer grew to beyond its content stays with the payload: less than as much again.
SharedBytes BatchBuilder::take() {
  make_room(0);
  std::string header;  // of a usual batch, so short that it allocates nothing
  put_u8(header,
         static_cast<uint8_t>(acl_version_ ? BatchFormat::kWithUsers : BatchFormat::kPlain));
  put_varint(header, count_);
  if (acl_version_) {
    put_varint(header, *acl_version_);
  }
  CHECK_INVARIANT(header.size() <= kHeaderBytesMax);
  const size_t begin = kHeaderBytesMax - header.size();
  header.copy(body_.data() + begin, header.size());
  auto whole = std::make_shared<const std::string>(std::exchange(body_, {}));
  count_ = 0;
  acl_version_.reset();
  const std::string_view payload = std::string_view(*whole).substr(begin);
  return SharedBytes(std::move(whole), payload);
}

bool BatchReader::knows_format_of(std::string_view payload) {
  if (payload.empty()) {
    return true;
  }
  const auto format = static_cast<BatchFormat>(payload.front());
  return format == BatchFormat::kPlain || format == BatchFormat::kWithUsers;
}

BatchReader::BatchReader(std::string_view payload) {
  ByteReader in(payload);
  const auto format = static_cast<BatchFormat>(in.le<uint8_t>());
  uint64_t count = in.varint();
  if (format == BatchFormat::kWithUsers) {
    acl_version_ = in.varint();
  }
  ok_ = knows_format_of(payload) && plausible(in, count);
  if (ok_) {
    count_ = count;
    rest_ = in.rest();
  }
}

std::optional<std::string_view> BatchReader::next() {
  if (!ok_) {
    return std::nullopt;
  }
  if (given_ == count_) {
    ok_ = rest_.empty();
    return std::nullopt;
  }
  ByteReader in(rest_);
  std::string_view command = in.sized();
  if (!in.ok()) {
    ok_ = false;
    return std::nullopt;
  }
  if (!acl_version_ && !command.empty() &&
      static_cast<PackedKind>(command.front()) == PackedKind::kOfUser) {
    ok_ = false;
    return std::nullopt;
  }
  rest_ = in.rest();
  ++given_;
  return command;
}

}  // namespace kiwi::resp
