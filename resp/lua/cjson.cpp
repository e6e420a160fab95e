// cjson.*: JSON with the texts and the errors of lua-cjson 2.1.0, which Redis has. Reading:
// cjson_reader.hpp. What a script sets (depths, sparse arrays) lives in its own memory, so it is as
// at the start in the next one.
#include <cmath>
#include <cstdio>
#include <limits>
#include <new>

#include "resp/lua/cjson_reader.hpp"
#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerValue = 20;

JsonOptions& options_of(lua_State* L) {
  return *static_cast<JsonOptions*>(lua_touserdata(L, lua_upvalueindex(1)));
}

// ---------------------------------------------------------------- encoding

class Encoder {
 public:
  Encoder(lua_State* L, const JsonOptions& options) : L_(L), options_(options), out_(L) {}

  // The value on top, which stays.
  void write(int depth) {
    charge(L_, kStepsPerValue);
    switch (lua_type(L_, -1)) {
      case LUA_TSTRING:
        return write_text(text_at(L_, -1));
      case LUA_TNUMBER:
        return write_number(-1);
      case LUA_TBOOLEAN:
        return out_.append(lua_toboolean(L_, -1) != 0 ? "true" : "false");
      case LUA_TNIL:
        return out_.append("null");
      case LUA_TTABLE:
        return write_table(depth + 1);
      case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L_, -1) == nullptr) {
          return out_.append("null");
        }
        break;
      default:
        break;
    }
    refuse(-1, "type not supported");
  }
  void push() const { out_.push(); }

 private:
  void refuse(int index, const char* reason) {
    luaL_error(L_, "Cannot serialise %s: %s", luaL_typename(L_, index), reason);
  }

  void write_table(int depth) {
    if (depth > options_.encode_depth || depth > kJsonDepth || lua_checkstack(L_, 6) == 0) {
      luaL_error(L_, "Cannot serialise, excessive nesting (%d)", depth);
    }
    see_through(L_, lua_gettop(L_));
    const double length = array_length();
    if (length > 0) {
      write_array(length, depth);
    } else {
      write_object(depth);
    }
  }

  // Of the table on top: its highest index; -1: it is no array.
  double array_length() {
    double most = 0;
    double items = 0;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      charge(L_, 1);
      const double key = lua_type(L_, -2) == LUA_TNUMBER ? lua_tonumber(L_, -2) : 0;
      if (!(key >= 1 && std::floor(key) == key)) {
        lua_pop(L_, 2);
        return -1;
      }
      most = key > most ? key : most;
      ++items;
    }
    if (options_.sparse_ratio > 0 && most > items * options_.sparse_ratio &&
        most > options_.sparse_safe) {
      if (!options_.sparse_convert) {
        refuse(-1, "excessively sparse array");
      }
      return -1;
    }
    return most;
  }

  void write_array(double length, int depth) {
    out_.append('[');
    for (double i = 1; i <= length; ++i) {
      if (i > 1) {
        out_.append(',');
      }
      lua_pushnumber(L_, i);
      lua_rawget(L_, -2);
      write(depth);
      lua_pop(L_, 1);
    }
    out_.append(']');
  }

  void write_object(int depth) {
    out_.append('{');
    bool first = true;
    for (lua_pushnil(L_); lua_next(L_, -2) != 0; lua_pop(L_, 1)) {
      if (!first) {
        out_.append(',');
      }
      first = false;
      switch (lua_type(L_, -2)) {
        case LUA_TNUMBER:
          out_.append('"');
          write_number(-2);
          out_.append('"');
          break;
        case LUA_TSTRING:
          write_text(text_at(L_, -2));
          break;
        default:
          refuse(-2, "table key must be a number or string");
      }
      out_.append(':');
      write(depth);
    }
    out_.append('}');
  }

  void write_number(int index) {
    const double number = lua_tonumber(L_, index);
    if (!std::isfinite(number)) {
      if (options_.encode_invalid == JsonOptions::kOff) {
        refuse(index, "must not be NaN or Inf");
      }
      if (options_.encode_invalid == JsonOptions::kNull) {
        return out_.append("null");
      }
      if (std::isnan(number)) {
        return out_.append("nan");
      }
    }
    char text[48];
    const int size = std::snprintf(text, sizeof(text), "%.*g", options_.precision, number);
    out_.append({text, static_cast<size_t>(size)});
  }

  static std::string_view escape_of(char c) {
    switch (c) {
      case '"':
        return "\\\"";
      case '\\':
        return "\\\\";
      case '/':
        return "\\/";
      case '\b':
        return "\\b";
      case '\t':
        return "\\t";
      case '\n':
        return "\\n";
      case '\f':
        return "\\f";
      case '\r':
        return "\\r";
      default:
        return {};
    }
  }

  void write_text(std::string_view text) {
    out_.append('"');
    size_t plain = 0;  // from here on nothing was escaped
    for (size_t i = 0; i < text.size(); ++i) {
      std::string_view escape = escape_of(text[i]);
      char code[8];
      const auto byte = static_cast<unsigned char>(text[i]);
      if (escape.empty() && (byte < 0x20 || byte == 0x7f)) {
        const int size = std::snprintf(code, sizeof(code), "\\u%04x", unsigned{byte});
        escape = {code, static_cast<size_t>(size)};
      }
      if (!escape.empty()) {
        out_.append(text.substr(plain, i - plain));
        out_.append(escape);
        plain = i + 1;
      }
    }
    out_.append(text.substr(plain));
    out_.append('"');
  }

  lua_State* L_;
  const JsonOptions& options_;
  TextBuffer out_;
};

int encode(lua_State* L) {
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  Encoder encoder(L, options_of(L));
  encoder.write(0);
  encoder.push();
  return 1;
}

int decode(lua_State* L) {
  luaL_argcheck(L, lua_gettop(L) == 1, 1, "expected 1 argument");
  JsonReader(L, options_of(L), check_text(L, 1)).read_all();
  return 1;
}

// ---------------------------------------------------------------- options

void take_arguments(lua_State* L, int most) {
  luaL_argcheck(L, lua_gettop(L) <= most, most + 1, "found too many arguments");
  lua_settop(L, most);
}

// Changes it if the argument is there, and pushes what it is now.
int integer_option(lua_State* L, int argument, int& setting, int least, int most) {
  if (!lua_isnil(L, argument)) {
    const int value = luaL_checkint(L, argument);
    char text[64];
    std::snprintf(text, sizeof(text), "expected integer between %d and %d", least, most);
    luaL_argcheck(L, least <= value && value <= most, 1, text);
    setting = value;
  }
  lua_pushinteger(L, setting);
  return 1;
}

// One of "off", "on" and maybe "null"; off and on also as booleans, and pushed as such.
int switch_option(lua_State* L, int argument, int& setting, bool has_null) {
  constexpr const char* kTwo[] = {"off", "on", nullptr};
  constexpr const char* kThree[] = {"off", "on", "null", nullptr};
  if (!lua_isnil(L, argument)) {
    setting = lua_isboolean(L, argument)
                  ? lua_toboolean(L, argument)
                  : luaL_checkoption(L, argument, nullptr, has_null ? kThree : kTwo);
  }
  if (setting == JsonOptions::kNull) {
    lua_pushliteral(L, "null");
  } else {
    lua_pushboolean(L, setting);
  }
  return 1;
}

int encode_sparse_array(lua_State* L) {
  constexpr int kAny = std::numeric_limits<int>::max();
  JsonOptions& options = options_of(L);
  take_arguments(L, 3);
  switch_option(L, 1, options.sparse_convert, false);
  integer_option(L, 2, options.sparse_ratio, 0, kAny);
  integer_option(L, 3, options.sparse_safe, 0, kAny);
  return 3;
}

int encode_max_depth(lua_State* L) {
  take_arguments(L, 1);
  return integer_option(L, 1, options_of(L).encode_depth, 1, std::numeric_limits<int>::max());
}

int decode_max_depth(lua_State* L) {
  take_arguments(L, 1);
  return integer_option(L, 1, options_of(L).decode_depth, 1, std::numeric_limits<int>::max());
}

int encode_number_precision(lua_State* L) {
  constexpr int kDigits = 14;
  take_arguments(L, 1);
  return integer_option(L, 1, options_of(L).precision, 1, kDigits);
}

int encode_keep_buffer(lua_State* L) {  // nothing is kept
  take_arguments(L, 1);
  return switch_option(L, 1, options_of(L).keep_buffer, false);
}

int encode_invalid_numbers(lua_State* L) {
  take_arguments(L, 1);
  return switch_option(L, 1, options_of(L).encode_invalid, true);
}

int decode_invalid_numbers(lua_State* L) {
  take_arguments(L, 1);
  return switch_option(L, 1, options_of(L).decode_invalid, false);
}

int new_library(lua_State* L) {
  push_cjson(L);
  return 1;
}

}  // namespace

void push_cjson(lua_State* L) {
  constexpr luaL_Reg kAll[] = {{"encode", encode},
                               {"decode", decode},
                               {"encode_sparse_array", encode_sparse_array},
                               {"encode_max_depth", encode_max_depth},
                               {"decode_max_depth", decode_max_depth},
                               {"encode_number_precision", encode_number_precision},
                               {"encode_keep_buffer", encode_keep_buffer},
                               {"encode_invalid_numbers", encode_invalid_numbers},
                               {"decode_invalid_numbers", decode_invalid_numbers},
                               {"new", new_library}};
  lua_newtable(L);
  new (lua_newuserdata(L, sizeof(JsonOptions))) JsonOptions();
  for (const luaL_Reg& function : kAll) {
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, function.func, 1);
    lua_setfield(L, -3, function.name);
  }
  lua_pop(L, 1);
  lua_pushlightuserdata(L, nullptr);
  lua_setfield(L, -2, "null");
  lua_pushliteral(L, "cjson");
  lua_setfield(L, -2, "_NAME");
  lua_pushliteral(L, "2.1.0");
  lua_setfield(L, -2, "_VERSION");
}

}  // namespace kiwi::resp::lua
