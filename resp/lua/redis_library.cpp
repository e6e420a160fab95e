// redis.*: what a script asks of its host, with the texts of Redis 7.0 (script_lua.c).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "config/base/sha1.hpp"
#include "config/version.hpp"
#include "resp/lua/registry.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kStepsPerCall = 400;
constexpr uint64_t kStepsPerRecord = 1000;
constexpr size_t kBytesPerStep = 16;
constexpr size_t kArgumentBytesPerStep = 2;  // copied, hashed and compared more than once
constexpr uint64_t kStepsPerNumber = 200;    // written with 17 digits
constexpr uint64_t kStepsPerLine = 1000;     // of a log: about as long
constexpr size_t kLineBytes = 1024;          // longer ones are cut, as in Redis
constexpr lua_Number kVersionNumber = 0x0007000F;

[[noreturn]] void raise_error(lua_State* L, std::string_view text) {
  push_error(L, text);
  raise(L);
}

std::string number_text(lua_Number number) {
  char text[64];
  const int size = std::snprintf(text, sizeof(text), "%.17g", number);
  return std::string(text, static_cast<size_t>(size));
}

// The arguments of a command; nothing else may stand between them and the call, for the vectors
// live in a frame that an error of Lua unwinds.
struct Words {
  std::vector<std::string> numbers;
  std::vector<std::string_view> views;

  uint64_t steps() const {
    size_t bytes = 0;
    for (const std::string_view view : views) {
      bytes += view.size();
    }
    return kStepsPerCall + kStepsPerNumber * numbers.size() + bytes / kArgumentBytesPerStep;
  }
};

// Answers what is wrong with them.
std::string_view read_words(lua_State* L, Words& words) {
  const int count = lua_gettop(L);
  if (count == 0) {
    return "ERR Please specify at least one argument for this redis lib call";
  }
  words.numbers.reserve(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    switch (lua_type(L, i)) {
      case LUA_TNUMBER:
        words.views.push_back(words.numbers.emplace_back(number_text(lua_tonumber(L, i))));
        break;
      case LUA_TSTRING:
        words.views.push_back(text_at(L, i));
        break;
      default:
        return "ERR Lua redis lib command arguments must be strings or integers";
    }
  }
  return {};
}

// Pushes the reply; true: it is an error.
bool call_host(lua_State* L) {
  Words words;
  if (const std::string_view wrong = read_words(L, words); !wrong.empty()) {
    push_error(L, wrong);
    return true;
  }
  charge(L, words.steps());
  Run& run = run_of(L);
  Host::Called called;
  guarded(L, [&] { called = run.host->call(words.views, run.resp); });
  charge(L, called.records * kStepsPerRecord);
  push_reply(L, called.reply);
  return called.reply.kind == ReplyValue::Kind::kError;
}

int redis_call(lua_State* L) {
  if (call_host(L)) {
    return lua_error(L);
  }
  return 1;
}

int redis_pcall(lua_State* L) {
  call_host(L);
  return 1;
}

int single_field(lua_State* L, const char* field) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_error(L, "ERR wrong number or type of arguments");
    return 1;
  }
  lua_createtable(L, 0, 1);
  lua_pushstring(L, field);
  lua_pushvalue(L, 1);
  lua_rawset(L, -3);
  return 1;
}

int error_reply(lua_State* L) {
  if (lua_gettop(L) != 1 || lua_type(L, 1) != LUA_TSTRING) {
    push_error(L, "ERR wrong number or type of arguments");
    return 1;
  }
  // "-CODE text" has its first word; any other text gets one.
  std::string text(text_at(L, 1));
  if (!text.empty() && text.front() == '-') {
    text.erase(0, 1);
    if (text.find(' ') == std::string::npos) {
      text.insert(0, "ERR ");
    }
  } else if (text.find(' ') == std::string::npos) {
    text.insert(0, "ERR ");
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "err");
  push(L, text);
  lua_rawset(L, -3);
  return 1;
}

int status_reply(lua_State* L) { return single_field(L, "ok"); }

int sha1hex(lua_State* L) {
  if (lua_gettop(L) != 1) {
    raise_error(L, "ERR wrong number of arguments");
  }
  size_t size = 0;
  const char* bytes = lua_tolstring(L, 1, &size);
  const std::string_view text(bytes == nullptr ? "" : bytes, size);
  charge(L, text.size());
  push(L, sha1_hex(text));
  return 1;
}

int log_text(lua_State* L) {
  const int count = lua_gettop(L);
  if (count < 2) {
    raise_error(L, "ERR redis.log() requires two arguments or more.");
  }
  if (lua_isnumber(L, 1) == 0) {
    raise_error(L, "ERR First argument must be a number (log level).");
  }
  const int64_t level = to_integer(lua_tonumber(L, 1));
  if (level < 0 || level > static_cast<int64_t>(LogLevel::kWarning)) {
    raise_error(L, "ERR Invalid debug level.");
  }
  charge(L, kStepsPerLine);
  std::string line;  // no longer than it is shown: one text may come as thousands of arguments
  for (int i = 2; i <= count; ++i) {
    if (lua_isstring(L, i) != 0) {
      const std::string_view text = text_at(L, i);
      charge(L, 1 + text.size() / kBytesPerStep);
      line.append(line.empty() ? "" : " ").append(text.substr(0, kLineBytes));
      line.resize(std::min(line.size(), kLineBytes));
    }
  }
  if (Host* host = run_of(L).host) {
    guarded(L, [&] { host->log(static_cast<LogLevel>(level), line); });
  }
  return 0;
}

int set_resp(lua_State* L) {
  if (lua_gettop(L) != 1) {
    raise_error(L, "ERR redis.setresp() requires one argument.");
  }
  const int64_t version = to_integer(lua_tonumber(L, 1));
  if (version != 2 && version != 3) {
    raise_error(L, "ERR RESP version must be 2 or 3.");
  }
  run_of(L).resp = static_cast<int>(version);
  return 0;
}

// Everything is replicated, by the call that runs the script: checked, and without effect.
int set_repl(lua_State* L) {
  if (lua_gettop(L) != 1) {
    raise_error(L, "ERR redis.set_repl() requires two arguments.");
  }
  const int64_t flags = to_integer(lua_tonumber(L, 1));
  if ((flags & ~int64_t{3}) != 0) {
    raise_error(
        L, "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
  }
  return 0;
}

int acl_check_command(lua_State* L) {
  Words words;
  if (const std::string_view wrong = read_words(L, words); !wrong.empty()) {
    raise_error(L, wrong);
  }
  charge(L, words.steps());
  bool known = false;
  bool allowed = false;
  Run& run = run_of(L);
  guarded(L, [&] {
    known = run.host->knows(words.views);
    allowed = known && run.host->may_call(words.views);
  });
  if (!known) {
    raise_error(L, "ERR Invalid command passed to redis.acl_check_cmd()");
  }
  lua_pushboolean(L, allowed ? 1 : 0);
  return 1;
}

int answer_true(lua_State* L) {
  lua_pushboolean(L, 1);
  return 1;
}

int answer_false(lua_State* L) {
  lua_pushboolean(L, 0);
  return 1;
}

int answer_nothing(lua_State*) { return 0; }

void set_number(lua_State* L, const char* name, lua_Number number) {
  lua_pushnumber(L, number);
  lua_setfield(L, -2, name);
}

// What both tables have.
void set_log(lua_State* L) {
  set_function(L, "log", log_text);
  set_number(L, "LOG_DEBUG", static_cast<int>(LogLevel::kDebug));
  set_number(L, "LOG_VERBOSE", static_cast<int>(LogLevel::kVerbose));
  set_number(L, "LOG_NOTICE", static_cast<int>(LogLevel::kNotice));
  set_number(L, "LOG_WARNING", static_cast<int>(LogLevel::kWarning));
}

}  // namespace

void push_redis(lua_State* L) {
  lua_newtable(L);
  set_log(L);
  constexpr luaL_Reg kFunctions_[] = {{"call", redis_call},
                                      {"pcall", redis_pcall},
                                      {"error_reply", error_reply},
                                      {"status_reply", status_reply},
                                      {"sha1hex", sha1hex},
                                      {"setresp", set_resp},
                                      {"set_repl", set_repl},
                                      {"acl_check_cmd", acl_check_command},
                                      {"replicate_commands", answer_true},
                                      {"breakpoint", answer_false},
                                      {"debug", answer_nothing}};
  for (const luaL_Reg& function : kFunctions_) {
    set_function(L, function.name, function.func);
  }
  set_number(L, "REPL_NONE", 0);
  set_number(L, "REPL_AOF", 1);
  set_number(L, "REPL_SLAVE", 2);
  set_number(L, "REPL_REPLICA", 2);
  set_number(L, "REPL_ALL", 3);
  push(L, config::kRedisVersion);
  lua_setfield(L, -2, "REDIS_VERSION");
  set_number(L, "REDIS_VERSION_NUM", kVersionNumber);
}

// ---------------------------------------------------------------- while a library is loaded

bool is_name(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_") == std::string_view::npos;
}

namespace {

// The flags on top; false: one of them is none.
bool read_flags(lua_State* L, uint32_t& flags) {
  for (int i = 1;; ++i) {
    lua_rawgeti(L, -1, i);
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      return true;
    }
    uint32_t flag = 0;
    for (const FlagName& known : kFlagNames) {
      if (lua_type(L, -1) == LUA_TSTRING && text_at(L, -1) == known.name) {
        flag = known.flag;
      }
    }
    lua_pop(L, 1);
    if (flag == 0) {
      return false;
    }
    flags |= flag;
    charge(L, 1);
  }
}

// Outside of the script's memory, which does not bound it there: one text may be that of thousands
// of functions. So it is counted before it is copied.
std::string copy_of(lua_State* L, int index) {
  const std::string_view text = text_at(L, index);
  charge(L, text.size() / kArgumentBytesPerStep);
  return std::string(text);
}

// From the table at 1: pushes the callback.
Function read_named(lua_State* L) {
  Function function;
  bool callback = false;
  lua_pushnil(L);  // 2: will be the callback
  for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
    if (lua_isstring(L, -2) == 0) {
      raise_error(L, "ERR named argument key given to redis.register_function is not a string");
    }
    if (lua_type(L, -2) == LUA_TNUMBER) {  // text_at() would change the key that lua_next() needs
      raise_error(L, "ERR unknown argument given to redis.register_function");
    }
    const std::string_view name = text_at(L, -2);
    if (name == "function_name") {
      if (lua_isstring(L, -1) == 0) {
        raise_error(L,
                    "ERR function_name argument given to redis.register_function must be a string");
      }
      function.name = copy_of(L, -1);
    } else if (name == "description") {
      if (lua_isstring(L, -1) == 0) {
        raise_error(L,
                    "ERR description argument given to redis.register_function must be a string");
      }
      function.description = copy_of(L, -1);
      function.described = true;
    } else if (name == "callback") {
      if (!lua_isfunction(L, -1)) {
        raise_error(L, "ERR callback argument given to redis.register_function must be a function");
      }
      callback = true;
      lua_pushvalue(L, -1);
      lua_replace(L, 2);
    } else if (name == "flags") {
      if (!lua_istable(L, -1)) {
        raise_error(L,
                    "ERR flags argument to redis.register_function must be a table representing "
                    "function flags");
      }
      if (!read_flags(L, function.flags)) {
        raise_error(L, "ERR unknown flag given");
      }
    } else {
      raise_error(L, "ERR unknown argument given to redis.register_function");
    }
  }
  if (function.name.empty()) {
    raise_error(L, "ERR redis.register_function must get a function name argument");
  }
  if (!callback) {
    raise_error(L, "ERR redis.register_function must get a callback argument");
  }
  return function;
}

int register_function(lua_State* L) {
  const int count = lua_gettop(L);
  if (count < 1 || count > 2) {
    raise_error(L, "ERR wrong number of arguments to redis.register_function");
  }
  Function function;
  if (count == 1) {
    if (!lua_istable(L, 1)) {
      raise_error(
          L,
          "ERR calling redis.register_function with a single argument is only applicable to "
          "Lua table (representing named arguments).");
    }
    function = read_named(L);
  } else {
    if (lua_isstring(L, 1) == 0) {  // a number is one, too
      raise_error(L, "ERR first argument to redis.register_function must be a string");
    }
    if (!lua_isfunction(L, 2)) {
      raise_error(L, "ERR second argument to redis.register_function must be a function");
    }
    function.name = copy_of(L, 1);
  }
  std::vector<Function>* loads = run_of(L).loads;
  if (loads == nullptr) {
    raise_error(L, "ERR redis.register_function can only be called on FUNCTION LOAD command");
  }
  if (!is_name(function.name)) {
    raise_error(L, "ERR " + std::string(kBadName));
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, kFunctions);
  push(L, function.name);
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1)) {
    raise_error(L, "ERR Function already exists in the library");
  }
  lua_pop(L, 1);
  push(L, function.name);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  loads->push_back(std::move(function));
  return 0;
}

}  // namespace

void push_redis_of_load(lua_State* L) {
  lua_newtable(L);
  set_log(L);
  set_function(L, "register_function", register_function);
}

}  // namespace kiwi::resp::lua
