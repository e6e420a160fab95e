// cmsgpack.*: MessagePack with the bytes and the errors of lua-cmsgpack 0.4.0, which Redis has.
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "config/base/bytes.hpp"
#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerValue = 20;
constexpr int kPackDepth = 16;    // of tables; deeper ones are nil
constexpr int kReadDepth = 1000;  // the original ends where Lua's stack does

// ---------------------------------------------------------------- packing

template <class T>
void put_number(TextBuffer& out, char head, T value) {
  std::string bytes(1, head);
  put_be(bytes, value);
  out.append(bytes);
}

void put_integer(TextBuffer& out, int64_t n) {
  if (n >= 0) {
    const auto u = static_cast<uint64_t>(n);
    if (u <= 127) {
      return out.append(static_cast<char>(u));
    }
    if (u <= 0xff) {
      return put_number(out, '\xcc', static_cast<uint8_t>(u));
    }
    if (u <= 0xffff) {
      return put_number(out, '\xcd', static_cast<uint16_t>(u));
    }
    if (u <= 0xffffffff) {
      return put_number(out, '\xce', static_cast<uint32_t>(u));
    }
    return put_number(out, '\xcf', u);
  }
  if (n >= -32) {
    return out.append(static_cast<char>(n));
  }
  if (n >= -128) {
    return put_number(out, '\xd0', static_cast<uint8_t>(n));
  }
  if (n >= -32768) {
    return put_number(out, '\xd1', static_cast<uint16_t>(n));
  }
  if (n >= std::numeric_limits<int32_t>::min()) {
    return put_number(out, '\xd2', static_cast<uint32_t>(n));
  }
  put_number(out, '\xd3', static_cast<uint64_t>(n));
}

void put_real(TextBuffer& out, double value) {
  // What a float cannot hold becomes infinite in C as well, and differs then.
  const float narrow = static_cast<float>(value);
  if (static_cast<double>(narrow) == value) {
    return put_number(out, '\xca', std::bit_cast<uint32_t>(narrow));
  }
  put_number(out, '\xcb', std::bit_cast<uint64_t>(value));
}

bool is_integer(double n) { return std::isfinite(n) && static_cast<double>(to_integer(n)) == n; }

// The head of what has a length: up to `short_max` in one byte, then in 8 bits if there is such a
// head, in 16 and in 32.
struct Heads {
  unsigned char short_head;
  uint64_t short_max;
  char bits8;  // 0: none
  char bits16;
  char bits32;
};
constexpr Heads kStrings{0xa0, 31, '\xd9', '\xda', '\xdb'};
constexpr Heads kArrays{0x90, 15, 0, '\xdc', '\xdd'};
constexpr Heads kMaps{0x80, 15, 0, '\xde', '\xdf'};

void put_length(TextBuffer& out, const Heads& heads, uint64_t length) {
  if (length <= heads.short_max) {
    return out.append(static_cast<char>(heads.short_head | length));
  }
  if (heads.bits8 != 0 && length <= 0xff) {
    return put_number(out, heads.bits8, static_cast<uint8_t>(length));
  }
  if (length <= 0xffff) {
    return put_number(out, heads.bits16, static_cast<uint16_t>(length));
  }
  put_number(out, heads.bits32, static_cast<uint32_t>(length));
}

// Of the table on top: does it hold 1 to n, and nothing else? Counts what it holds.
bool is_array(lua_State* L, uint64_t& count) {
  bool array = true;
  double most = 0;
  count = 0;
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    charge(L, 1);
    ++count;
    const double key = lua_type(L, -2) == LUA_TNUMBER ? lua_tonumber(L, -2) : 0;
    array = array && key > 0 && is_integer(key);
    most = key > most ? key : most;
  }
  return array && most == static_cast<double>(count);
}

void pack_value(lua_State* L, TextBuffer& out, int level);

// The table on top, which stays.
void pack_table(lua_State* L, TextBuffer& out, int level) {
  uint64_t count = 0;
  see_through(L, lua_gettop(L));
  if (is_array(L, count)) {
    put_length(out, kArrays, count);
    for (uint64_t i = 1; i <= count; ++i) {
      lua_rawgeti(L, -1, static_cast<int>(i));
      pack_value(L, out, level + 1);
      lua_pop(L, 1);
    }
    return;
  }
  put_length(out, kMaps, count);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    pack_value(L, out, level + 1);
    lua_pop(L, 1);
    pack_value(L, out, level + 1);
  }
}

// The value on top, which stays.
void pack_value(lua_State* L, TextBuffer& out, int level) {
  luaL_checkstack(L, 5, "in function mp_encode_lua_type");
  charge(L, kStepsPerValue);
  switch (lua_type(L, -1)) {
    case LUA_TSTRING: {
      const std::string_view text = text_at(L, -1);
      put_length(out, kStrings, text.size());
      return out.append(text);
    }
    case LUA_TBOOLEAN:
      return out.append(lua_toboolean(L, -1) != 0 ? '\xc3' : '\xc2');
    case LUA_TNUMBER: {
      const double number = lua_tonumber(L, -1);
      return is_integer(number) ? put_integer(out, to_integer(number)) : put_real(out, number);
    }
    case LUA_TTABLE:
      if (level < kPackDepth) {
        return pack_table(L, out, level);
      }
      break;
    default:
      break;
  }
  out.append('\xc0');
}

int pack(lua_State* L) {
  const int count = lua_gettop(L);
  if (count == 0) {
    return luaL_argerror(L, 0, "MessagePack pack needs input.");
  }
  TextBuffer out(L);
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(L, i);
    pack_value(L, out, 0);
    lua_pop(L, 1);
  }
  out.push();
  return 1;
}

// ---------------------------------------------------------------- unpacking

class Unpacker {
 public:
  Unpacker(lua_State* L, std::string_view bytes) : L_(L), in_(bytes) {}

  size_t left() const { return in_.size(); }

  // Pushes the next value.
  void read(int depth) {
    if (depth > kReadDepth) {
      luaL_error(L_, "stack overflow (in function mp_decode_to_lua_array)");
    }
    luaL_checkstack(L_, 4, "in function mp_decode_to_lua_type");
    charge(L_, kStepsPerValue);
    const auto head = static_cast<unsigned char>(take(1)[0]);
    if (head <= 0x7f) {
      return lua_pushnumber(L_, head);
    }
    if (head >= 0xe0) {
      return lua_pushnumber(L_, static_cast<signed char>(head));
    }
    if (head <= 0x8f) {
      return read_map(head & 0x0f, depth);
    }
    if (head <= 0x9f) {
      return read_array(head & 0x0f, depth);
    }
    if (head <= 0xbf) {
      return read_text(head & 0x1f);
    }
    read_long(head, depth);
  }

 private:
  void read_long(unsigned char head, int depth) {
    switch (head) {
      case 0xc0:
        return lua_pushnil(L_);
      case 0xc2:
      case 0xc3:
        return lua_pushboolean(L_, head == 0xc3 ? 1 : 0);
      case 0xca:
        return lua_pushnumber(L_, std::bit_cast<float>(number<uint32_t>()));
      case 0xcb:
        return lua_pushnumber(L_, std::bit_cast<double>(number<uint64_t>()));
      case 0xcc:
        return push_number<uint8_t>();
      case 0xcd:
        return push_number<uint16_t>();
      case 0xce:
        return push_number<uint32_t>();
      case 0xcf:  // as Lua 5.1's integers are: signed
        return push_number<int64_t>();
      case 0xd0:
        return push_number<int8_t>();
      case 0xd1:
        return push_number<int16_t>();
      case 0xd2:
        return push_number<int32_t>();
      case 0xd3:
        return push_number<int64_t>();
      case 0xd9:
        return read_text(number<uint8_t>());
      case 0xda:
        return read_text(number<uint16_t>());
      case 0xdb:
        return read_text(number<uint32_t>());
      case 0xdc:
        return read_array(number<uint16_t>(), depth);
      case 0xdd:
        return read_array(number<uint32_t>(), depth);
      case 0xde:
        return read_map(number<uint16_t>(), depth);
      case 0xdf:
        return read_map(number<uint32_t>(), depth);
      default:
        luaL_error(L_, "Bad data format in input.");
    }
  }

  std::string_view take(size_t size) {
    if (size > in_.size()) {
      luaL_error(L_, "Missing bytes in input.");
    }
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }
  template <class T>
  T number() {
    return get_be<T>(take(sizeof(T)));
  }
  template <class T>
  void push_number() {
    using Bits = std::make_unsigned_t<T>;
    lua_pushnumber(L_, static_cast<lua_Number>(static_cast<T>(number<Bits>())));
  }
  void read_text(size_t size) { push(L_, take(size)); }

  void read_array(uint32_t count, int depth) {
    lua_newtable(L_);
    for (uint32_t i = 1; i <= count; ++i) {
      lua_pushnumber(L_, i);
      read(depth + 1);
      lua_rawset(L_, -3);
    }
  }
  void read_map(uint32_t count, int depth) {
    lua_newtable(L_);
    for (; count > 0; --count) {
      read(depth + 1);
      read(depth + 1);
      lua_rawset(L_, -3);
    }
  }

  lua_State* L_;
  std::string_view in_;
};

// The text at 1, from offset on, at most `limit` values; both 0: all of it.
int unpack_from(lua_State* L, int limit, int offset) {
  const std::string_view text = check_text(L, 1);
  if (offset < 0 || limit < 0) {
    return luaL_error(L, "Invalid request to unpack with offset of %d and limit of %d.", offset,
                      static_cast<int>(text.size()));
  }
  if (static_cast<size_t>(offset) > text.size()) {
    return luaL_error(L, "Start offset %d greater than input length %d.", offset,
                      static_cast<int>(text.size()));
  }
  const bool all = limit == 0 && offset == 0;
  const int most = all ? std::numeric_limits<int>::max() : limit;
  Unpacker in(L, text.substr(static_cast<size_t>(offset)));
  int count = 0;
  for (; in.left() > 0 && count < most; ++count) {
    in.read(0);
  }
  if (all) {
    return count;
  }
  luaL_checkstack(L, 1, "in function mp_unpack_full");
  lua_pushinteger(L, in.left() == 0 ? -1 : static_cast<lua_Integer>(text.size() - in.left()));
  lua_insert(L, 2);
  return count + 1;
}

int unpack(lua_State* L) { return unpack_from(L, 0, 0); }

int unpack_one(lua_State* L) {
  const int offset = luaL_optint(L, 2, 0);
  lua_settop(L, 1);
  return unpack_from(L, 1, offset);
}

int unpack_limit(lua_State* L) {
  const int limit = luaL_checkint(L, 2);
  const int offset = luaL_optint(L, 3, 0);
  lua_settop(L, 1);
  return unpack_from(L, limit, offset);
}

}  // namespace

void push_cmsgpack(lua_State* L) {
  lua_newtable(L);
  set_function(L, "pack", pack);
  set_function(L, "unpack", unpack);
  set_function(L, "unpack_one", unpack_one);
  set_function(L, "unpack_limit", unpack_limit);
  constexpr struct {
    const char* name;
    const char* text;
  } kTexts[] = {{"_NAME", "cmsgpack"},
                {"_VERSION", "lua-cmsgpack 0.4.0"},
                {"_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"},
                {"_DESCRIPTION", "MessagePack C implementation for Lua"}};
  for (const auto& field : kTexts) {
    lua_pushstring(L, field.text);
    lua_setfield(L, -2, field.name);
  }
}

}  // namespace kiwi::resp::lua
