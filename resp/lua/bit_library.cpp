// bit.*: 32-bit operations with the results of LuaBitOp, which Redis has.
#include <bit>
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

// As LuaBitOp: the low 32 bits of the number, rounded to the nearest, halves to even.
uint32_t bits_at(lua_State* L, int argument) {
  const double shifted = luaL_checknumber(L, argument) + 6755399441055744.0;  // 2^52 + 2^51
  return static_cast<uint32_t>(std::bit_cast<uint64_t>(shifted));
}

int answer(lua_State* L, uint32_t bits) {
  lua_pushnumber(L, static_cast<int32_t>(bits));
  return 1;
}

template <class Operation>
int fold(lua_State* L, Operation operation) {
  uint32_t bits = bits_at(L, 1);
  for (int i = lua_gettop(L); i > 1; --i) {
    bits = operation(bits, bits_at(L, i));
  }
  return answer(L, bits);
}

template <class Operation>
int shift(lua_State* L, Operation operation) {
  const uint32_t bits = bits_at(L, 1);
  return answer(L, operation(bits, bits_at(L, 2) & 31u));
}

int to_bit(lua_State* L) { return answer(L, bits_at(L, 1)); }
int bit_not(lua_State* L) { return answer(L, ~bits_at(L, 1)); }
int swap_bytes(lua_State* L) { return answer(L, __builtin_bswap32(bits_at(L, 1))); }
int bit_and(lua_State* L) {
  return fold(L, [](uint32_t a, uint32_t b) { return a & b; });
}
int bit_or(lua_State* L) {
  return fold(L, [](uint32_t a, uint32_t b) { return a | b; });
}
int bit_xor(lua_State* L) {
  return fold(L, [](uint32_t a, uint32_t b) { return a ^ b; });
}
int shift_left(lua_State* L) {
  return shift(L, [](uint32_t a, uint32_t n) { return a << n; });
}
int shift_right(lua_State* L) {
  return shift(L, [](uint32_t a, uint32_t n) { return a >> n; });
}
int shift_signed(lua_State* L) {
  return shift(L, [](uint32_t a, uint32_t n) {
    return static_cast<uint32_t>(static_cast<int32_t>(a) >> n);
  });
}
int rotate_left(lua_State* L) {
  return shift(L, [](uint32_t a, uint32_t n) { return std::rotl(a, static_cast<int>(n)); });
}
int rotate_right(lua_State* L) {
  return shift(L, [](uint32_t a, uint32_t n) { return std::rotr(a, static_cast<int>(n)); });
}

// The width is bounded before it is made positive: -2^31 has no positive counterpart.
int to_hex(lua_State* L) {
  uint32_t bits = bits_at(L, 1);
  const int32_t width = lua_isnone(L, 2) ? 8 : static_cast<int32_t>(bits_at(L, 2));
  const bool upper = width < 0;
  const size_t digits = width < -8 || width > 8 ? 8 : static_cast<size_t>(upper ? -width : width);
  char text[8];
  for (size_t i = digits; i-- > 0; bits >>= 4) {
    text[i] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[bits & 15u];
  }
  lua_pushlstring(L, text, digits);
  return 1;
}

}  // namespace

void push_bit(lua_State* L) {
  constexpr luaL_Reg kAll[] = {
      {"tobit", to_bit},       {"bnot", bit_not},         {"band", bit_and},
      {"bor", bit_or},         {"bxor", bit_xor},         {"lshift", shift_left},
      {"rshift", shift_right}, {"arshift", shift_signed}, {"rol", rotate_left},
      {"ror", rotate_right},   {"bswap", swap_bytes},     {"tohex", to_hex}};
  lua_newtable(L);
  for (const luaL_Reg& function : kAll) {
    set_function(L, function.name, function.func);
  }
}

}  // namespace kiwi::resp::lua
