// struct.*: binary data with the results and the errors of Lua's struct library 0.2, as Redis has
// it, widths and lengths checked.
#include <bit>
#include <cctype>
#include <climits>
#include <cstring>

#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerOption = 10;
constexpr int kIntegerMax = 32;  // bytes
constexpr int kAlignMax = 8;

// Walks over a format: sizes, alignment, byte order.
class Format {
 public:
  Format(lua_State* L, std::string_view text) : L_(L), text_(text.substr(0, text.find('\0'))) {}

  bool ended() const { return at_ == text_.size(); }
  bool little() const { return little_; }
  char next() {
    charge(L_, kStepsPerOption);
    return text_[at_++];
  }

  // Of the option that next() gave.
  size_t size_of(char option) {
    switch (option) {
      case 'B':
      case 'b':
      case 'x':
        return 1;
      case 'H':
      case 'h':
        return sizeof(int16_t);
      case 'L':
      case 'l':
      case 'T':
        return sizeof(int64_t);
      case 'f':
        return sizeof(float);
      case 'd':
        return sizeof(double);
      case 'c':
        return static_cast<size_t>(number(1));
      case 'i':
      case 'I': {
        const int size = number(sizeof(int32_t));
        if (size > kIntegerMax) {
          luaL_error(L_, "integral size %d is larger than limit of %d", size, kIntegerMax);
        }
        return static_cast<size_t>(size);
      }
      default:
        return 0;  // others are not aligned
    }
  }
  // Bytes before an element of that size at that place.
  size_t padding(size_t place, char option, size_t size) const {
    if (size == 0 || option == 'c') {
      return 0;
    }
    const size_t unit = size > align_ ? align_ : size;
    return (unit - (place & (unit - 1))) & (unit - 1);
  }
  // What is no element.
  void control(char option) {
    switch (option) {
      case ' ':
        return;
      case '>':
        little_ = false;
        return;
      case '<':
        little_ = true;
        return;
      case '!': {
        const int align = number(kAlignMax);
        if (align <= 0 || (align & (align - 1)) != 0) {
          luaL_error(L_, "alignment %d is not a power of 2", align);
        }
        align_ = static_cast<size_t>(align);
        return;
      }
      default:
        luaL_argerror(L_, 1, lua_pushfstring(L_, "invalid format option '%c'", option));
    }
  }

 private:
  int number(int otherwise) {
    if (ended() || std::isdigit(static_cast<unsigned char>(text_[at_])) == 0) {
      return otherwise;
    }
    int value = 0;
    for (; !ended() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0; ++at_) {
      const int digit = text_[at_] - '0';
      if (value > INT_MAX / 10 || value * 10 > INT_MAX - digit) {
        luaL_error(L_, "integral size overflow");
      }
      value = value * 10 + digit;
    }
    return value;
  }

  lua_State* L_;
  std::string_view text_;
  size_t at_ = 0;
  bool little_ = true;  // as the machine is
  size_t align_ = 1;
};

bool is_integer_option(char option) { return std::strchr("bBhHlLTiI", option) != nullptr; }

void put_bytes(TextBuffer& out, std::string_view bytes, bool little) {
  if (little) {
    return out.append(bytes);
  }
  out.append(std::string(bytes.rbegin(), bytes.rend()));
}

// As C on x86-64 converts it: what does not fit is not left to the compiler.
uint64_t bits_of(double number) {
  constexpr double kBeyond = 18446744073709551616.0;  // 2^64
  if (number >= 9223372036854775808.0) {
    return number < kBeyond ? static_cast<uint64_t>(number) : 0;
  }
  return static_cast<uint64_t>(to_integer(number));
}

void put_integer(TextBuffer& out, double number, size_t size, bool little) {
  uint64_t bits = bits_of(number);
  char bytes[kIntegerMax];
  for (size_t i = 0; i < size; ++i, bits >>= 8) {
    bytes[i] = static_cast<char>(bits);
  }
  put_bytes(out, {bytes, size}, little);
}

template <class T>
void put_real(TextBuffer& out, T number, bool little) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  put_bytes(out, {bytes, sizeof(T)}, little);
}

// The argument's bytes; `size` 0: all of them. Answers how many there were.
size_t put_text(lua_State* L, TextBuffer& out, int argument, size_t size) {
  const std::string_view text = check_text(L, argument);
  const size_t wanted = size == 0 ? text.size() : size;
  luaL_argcheck(L, text.size() >= wanted, argument + 1, "string too short");
  out.append(text.substr(0, wanted));
  return wanted;
}

int pack(lua_State* L) {
  Format format(L, check_text(L, 1));
  lua_pushnil(L);  // what is missing is nil
  TextBuffer out(L);
  int argument = 2;
  while (!format.ended()) {
    const char option = format.next();
    size_t size = format.size_of(option);
    for (size_t pad = format.padding(out.text().size(), option, size); pad > 0; --pad) {
      out.append('\0');
    }
    if (is_integer_option(option)) {
      put_integer(out, luaL_checknumber(L, argument++), size, format.little());
    } else if (option == 'x') {
      out.append('\0');
    } else if (option == 'f') {
      put_real(out, static_cast<float>(luaL_checknumber(L, argument++)), format.little());
    } else if (option == 'd') {
      put_real(out, luaL_checknumber(L, argument++), format.little());
    } else if (option == 'c' || option == 's') {
      put_text(L, out, argument++, size);
      if (option == 's') {
        out.append('\0');
      }
    } else {
      format.control(option);
    }
  }
  out.push();
  return 1;
}

double read_integer(std::string_view bytes, bool little, bool is_signed) {
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char byte = little ? bytes[bytes.size() - 1 - i] : bytes[i];
    bits = bits << 8 | static_cast<unsigned char>(byte);
  }
  if (!is_signed || bytes.empty()) {
    return static_cast<double>(bits);
  }
  if (bytes.size() < sizeof(bits)) {
    const uint64_t mask = ~uint64_t{0} << (bytes.size() * 8 - 1);
    bits |= (bits & mask) != 0 ? mask : 0;
  }
  return static_cast<double>(static_cast<int64_t>(bits));
}

template <class T>
double read_real(std::string_view bytes, bool little) {
  char copy[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    copy[i] = bytes[little ? i : sizeof(T) - 1 - i];
  }
  T number;
  std::memcpy(&number, copy, sizeof(T));
  return static_cast<double>(number);
}

void check_data(lua_State* L, std::string_view data, size_t at, size_t size) {
  luaL_argcheck(L, size <= data.size() && at <= data.size() - size, 2, "data string too short");
}

// 'c': so many bytes, or, if it says 0, as many as the number says that was read before, which
// goes.
size_t read_text(lua_State* L, std::string_view data, size_t at, size_t size, int& count) {
  if (size == 0) {
    if (count == 0 || lua_isnumber(L, -1) == 0) {
      luaL_error(L, "format 'c0' needs a previous size");
    }
    size = bits_of(lua_tonumber(L, -1));
    lua_pop(L, 1);
    --count;
    check_data(L, data, at, size);
  }
  push(L, data.substr(at, size));
  ++count;
  return size;
}

int unpack(lua_State* L) {
  Format format(L, check_text(L, 1));
  const std::string_view data = check_text(L, 2);
  const auto place = static_cast<size_t>(to_integer(luaL_optnumber(L, 3, 1)));
  luaL_argcheck(L, place > 0, 3, "offset must be 1 or greater");
  size_t at = place - 1;
  int count = 0;
  while (!format.ended()) {
    const char option = format.next();
    size_t size = format.size_of(option);
    at += format.padding(at, option, size);
    check_data(L, data, at, size);
    luaL_checkstack(L, 2, "too many results");
    if (is_integer_option(option)) {
      const bool is_signed = std::islower(static_cast<unsigned char>(option)) != 0;
      lua_pushnumber(L, read_integer(data.substr(at, size), format.little(), is_signed));
      ++count;
    } else if (option == 'f') {
      lua_pushnumber(L, read_real<float>(data.substr(at, size), format.little()));
      ++count;
    } else if (option == 'd') {
      lua_pushnumber(L, read_real<double>(data.substr(at, size), format.little()));
      ++count;
    } else if (option == 'c') {
      size = read_text(L, data, at, size, count);
    } else if (option == 's') {
      const size_t end = data.find('\0', at);
      if (end == std::string_view::npos) {
        luaL_error(L, "unfinished string in data");
      }
      charge(L, (end - at) / 16);
      push(L, data.substr(at, end - at));
      ++count;
      size = end - at + 1;
    } else if (option != 'x') {
      format.control(option);
    }
    at += size;
  }
  lua_pushnumber(L, static_cast<lua_Number>(at + 1));
  return count + 1;
}

int size_of(lua_State* L) {
  Format format(L, check_text(L, 1));
  size_t at = 0;
  while (!format.ended()) {
    const char option = format.next();
    const size_t size = format.size_of(option);
    at += format.padding(at, option, size);
    if (option == 's') {
      return luaL_argerror(L, 1, "option 's' has no fixed size");
    }
    if (option == 'c' && size == 0) {
      return luaL_argerror(L, 1, "option 'c0' has no fixed size");
    }
    if (std::isalnum(static_cast<unsigned char>(option)) == 0) {
      format.control(option);
    }
    at += size;
  }
  lua_pushnumber(L, static_cast<lua_Number>(at));
  return 1;
}

}  // namespace

void push_struct(lua_State* L) {
  lua_newtable(L);
  set_function(L, "pack", pack);
  set_function(L, "unpack", unpack);
  set_function(L, "size", size_of);
}

}  // namespace kiwi::resp::lua
