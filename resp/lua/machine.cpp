#include "resp/lua/machine.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "config/base/check.hpp"
#include "resp/lua/registry.hpp"
#include "resp/lua/runtime.hpp"
#include "resp/lua/symbols.hpp"

namespace kiwi::resp::lua {

namespace {

constexpr uint64_t kUnbounded = std::numeric_limits<uint64_t>::max() / 2;
constexpr uint64_t kStepsPerCodeByte = 10;
constexpr size_t kImageBytesPerStep = 4;  // that are copied, and touched for the first time

void* allocate(void* arena, void* block, size_t old_bytes, size_t new_bytes) {
  return reallocate(*static_cast<ArenaHeader*>(arena), block, old_bytes, new_bytes);
}

// ---------------------------------------------------------------- the base image

void open(lua_State* L, lua_CFunction library) {
  lua_pushcfunction(L, library);
  lua_pushliteral(L, "");
  lua_call(L, 1, 0);
}

// What Redis 7.0 shows; everything else that Lua's own libraries bring is gone.
constexpr const char* kShown[] = {
    "_VERSION", "assert",   "collectgarbage", "coroutine", "error",        "gcinfo", "getmetatable",
    "ipairs",   "load",     "loadstring",     "math",      "next",         "pairs",  "pcall",
    "rawequal", "rawget",   "rawset",         "select",    "setmetatable", "string", "table",
    "tonumber", "tostring", "type",           "unpack",    "xpcall"};

// Pushes the table behind _G: what is shown of the globals, the libraries locked.
void push_globals(lua_State* L) {
  lua_newtable(L);
  for (const char* name : kShown) {
    lua_getglobal(L, name);
    if (lua_istable(L, -1)) {
      lock(L, false);
    }
    lua_setfield(L, -2, name);
  }
  struct Library {
    const char* name;
    void (*push)(lua_State*);
  };
  for (const Library& library :
       {Library{"bit", push_bit}, Library{"cjson", push_cjson}, Library{"cmsgpack", push_cmsgpack},
        Library{"struct", push_struct}}) {
    library.push(L);
    lock(L, false);
    lua_setfield(L, -2, library.name);
  }
  push_redis(L);
  lock(L, false);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, kRedisTable);
  lua_setfield(L, -2, "redis");
  push_redis_of_load(L);
  lock(L, true);
  lua_rawseti(L, LUA_REGISTRYINDEX, kRedisOfLoad);
  lua_rawgeti(L, LUA_REGISTRYINDEX, kErrorHandler);
  lua_setfield(L, -2, "__redis__err__handler");
}

// Adds source and line to what was raised, as Redis' handler does.
int handle_error(lua_State* L) {
  lua_settop(L, 1);
  if (!lua_istable(L, 1)) {
    push_tostring(L, 1);
    lua_pushliteral(L, "ERR ");
    lua_insert(L, -2);
    lua_concat(L, 2);
    lua_createtable(L, 0, 3);
    lua_insert(L, -2);
    lua_setfield(L, -2, "err");
    lua_replace(L, 1);
  }
  lua_Debug where;
  bool known = lua_getstack(L, 1, &where) != 0 && lua_getinfo(L, "Sl", &where) != 0;
  if (known && *where.what == 'C') {
    known = lua_getstack(L, 2, &where) != 0 && lua_getinfo(L, "Sl", &where) != 0;
  }
  if (known && !is_locked(L, 1)) {
    lua_pushliteral(L, "source");
    lua_pushstring(L, where.source);
    lua_rawset(L, 1);
    lua_pushliteral(L, "line");
    lua_pushinteger(L, where.currentline);
    lua_rawset(L, 1);
  }
  return 1;
}

int build(lua_State* L) {
  CHECK_INVARIANT(tables_are_counted(L));
  lua_newtable(L);
  lua_rawseti(L, LUA_REGISTRYINDEX, kLockedTables);
  lua_pushcfunction(L, handle_error);
  lua_rawseti(L, LUA_REGISTRYINDEX, kErrorHandler);
  lua_createtable(L, 2, 0);
  lua_pushliteral(L, "error in error handling");
  lua_rawseti(L, -2, 1);
  lua_pushliteral(L, "script stopped");
  lua_rawseti(L, -2, 2);
  lua_rawseti(L, LUA_REGISTRYINDEX, kKeptTexts);
  for (lua_CFunction library : {luaopen_base, luaopen_table, luaopen_string, luaopen_math}) {
    open(L, library);
  }
  open_base(L);
  open_tables(L);
  open_strings(L);
  open_patterns(L);
  open_math(L);
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lock(L, false);
  lua_rawseti(L, LUA_REGISTRYINDEX, kStringMeta);
  lua_pop(L, 1);

  push_globals(L);
  const int globals = lua_gettop(L);
  lua_pushliteral(L, "");  // methods of strings: the table that `string` is, locked
  lua_getmetatable(L, -1);
  lua_getfield(L, globals, "string");
  lua_setfield(L, -2, "__index");
  lua_settop(L, globals);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, kGlobals);
  lua_pushvalue(L, -1);
  lock(L, true);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "_G");
  lua_replace(L, LUA_GLOBALSINDEX);
  lua_settop(L, 0);
  lua_sethook(L, count_hook, LUA_MASKCOUNT, kInstructionsPerHook);
  lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

// ---------------------------------------------------------------- compiling

struct Source {
  std::string_view code;
  bool library = false;
  bool loaded = false;
  std::string error;
};

// What went wrong as a text, with its first word if a host said it.
std::string text_of_error(lua_State* L) {
  if (lua_istable(L, -1)) {
    lua_pushliteral(L, "err");
    lua_rawget(L, -2);
  }
  const std::string text(lua_isstring(L, -1) != 0 ? text_at(L, -1) : "ERR unknown error");
  return text;
}

void set_global(lua_State* L, const char* name, RegistryPlace value) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, kGlobals);
  lua_rawgeti(L, LUA_REGISTRYINDEX, value);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

int compile(lua_State* L) {
  Source& source = *static_cast<Source*>(lua_touserdata(L, 1));
  lua_settop(L, 0);
  const char* chunk = source.library ? "@user_function" : "@user_script";
  if (!source.code.empty() && source.code.front() == LUA_SIGNATURE[0]) {
    source.error = std::string(chunk + 1) + ": only text is compiled";
    return 0;
  }
  // A collection while a chunk is parsed could free its name.
  lua_gc(L, LUA_GCSTOP, 0);
  begin_compiling();
  const int status = luaL_loadbuffer(L, source.code.data(), source.code.size(), chunk);
  lua_gc(L, LUA_GCRESTART, 0);
  if (status != 0) {
    source.error = std::string(source.library ? "Error compiling function: " : "");
    source.error += text_of_error(L);
    return 0;
  }
  lua_rawseti(L, LUA_REGISTRYINDEX, kCode);
  source.loaded = true;
  if (!source.library) {
    return 0;
  }
  lua_newtable(L);
  lua_rawseti(L, LUA_REGISTRYINDEX, kFunctions);
  set_global(L, "redis", kRedisOfLoad);
  lua_rawgeti(L, LUA_REGISTRYINDEX, kErrorHandler);
  lua_rawgeti(L, LUA_REGISTRYINDEX, kCode);
  if (lua_pcall(L, 0, 0, 1) != 0) {
    source.loaded = false;
    source.error = "Error registering functions: " + text_of_error(L);
  }
  set_global(L, "redis", kRedisTable);
  lua_settop(L, 0);
  return 0;
}

// ---------------------------------------------------------------- running

void push_texts(lua_State* L, Args texts) {
  lua_createtable(L, static_cast<int>(texts.size()), 0);
  for (size_t i = 0; i < texts.size(); ++i) {
    push(L, texts[i]);
    lua_rawseti(L, -2, static_cast<int>(i + 1));
  }
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c == '\r' || c == '\n'; }, ' ');
  return line;
}

std::string text_field(lua_State* L, const char* name) {
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  const std::string text(lua_isstring(L, -1) != 0 ? text_at(L, -1) : std::string_view());
  lua_pop(L, 1);
  return text;
}

// The error on top.
void write_failure(lua_State* L, const Call& call, ReplyWriter& reply) {
  std::string text;
  if (lua_istable(L, -1)) {
    text = text_field(L, "err");
    if (text.empty()) {
      text = "ERR unknown error";
    }
    const std::string source = text_field(L, "source");
    const std::string line = text_field(L, "line");
    if (!source.empty() && !line.empty()) {
      text += " script: " + std::string(call.shown) + ", on " + source + ":" + line + ".";
    }
  } else {
    const std::string_view said = lua_isstring(L, -1) != 0 ? text_at(L, -1) : "execution failure";
    text = "ERR Error running script " + std::string(call.shown) + ", " +
           std::string(said.substr(0, 100));
  }
  guarded(L, [&] { reply.error(one_line(text)); });
}

}  // namespace

struct Machine::Task {
  const Call* call = nullptr;
  ReplyWriter* reply = nullptr;
  size_t image_bytes = 0;  // beyond the libraries' that every script has

  static int run(lua_State* L) {
    Task& task = *static_cast<Task*>(lua_touserdata(L, 1));
    const Call& call = *task.call;
    lua_settop(L, 0);
    // Both whether they were needed here or not: what was kept differs from node to node.
    charge(L, call.code.size() * kStepsPerCodeByte + task.image_bytes / kImageBytesPerStep);
    lua_rawgeti(L, LUA_REGISTRYINDEX, kErrorHandler);
    int arguments = 0;
    if (call.function.empty()) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, kGlobals);
      push_texts(L, call.keys);
      lua_setfield(L, -2, "KEYS");
      push_texts(L, call.arguments);
      lua_setfield(L, -2, "ARGV");
      lua_pop(L, 1);
      lua_rawgeti(L, LUA_REGISTRYINDEX, kCode);
    } else {
      lua_rawgeti(L, LUA_REGISTRYINDEX, kFunctions);
      push(L, call.function);
      lua_rawget(L, -2);
      lua_remove(L, -2);
      push_texts(L, call.keys);
      push_texts(L, call.arguments);
      arguments = 2;
    }
    const int status = lua_pcall(L, arguments, 1, 1);
    charge(L, 1);  // raises if the run is over
    if (status == 0) {
      write_reply(L, *task.reply);
    } else {
      write_failure(L, call, *task.reply);
    }
    return 0;
  }
};

Machine::Machine(std::shared_ptr<Arena> arena) : arena_(std::move(arena)) {
  CHECK_INVARIANT(arena_ != nullptr);
  build_base();
}

Machine::~Machine() = default;

void Machine::build_base() {
  CHECK_INVARIANT(arena_->header().run == nullptr);
  arena_->clear();
  ArenaHeader& header = arena_->header();
  header.meter.steps_max = kUnbounded;
  Run run;
  header.run = &run;
  lua_State* L = lua_newstate(allocate, &header);
  CHECK_INVARIANT(L != nullptr);
  const int status = lua_cpcall(L, build, nullptr);
  CHECK_INVARIANT(status == 0);
  state_ = L;
  base_ = arena_->image();
  header.run = nullptr;
}

void Machine::restore(std::string_view image, Run& run, uint64_t steps_max) {
  CHECK_INVARIANT(arena_->header().run == nullptr);  // nobody rests in the middle of a run
  arena_->restore(image);
  ArenaHeader& header = arena_->header();
  header.run = &run;
  header.meter = {.steps = 0, .steps_max = steps_max, .rested = 0, .stop = Stop::kNone};
}

const std::string* Machine::known(const std::string& key, std::string_view code) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    return nullptr;
  }
  if (found->second->code != code) {
    image_bytes_ -= found->second->bytes.size() + found->second->code.size();
    images_.erase(found->second);
    by_key_.erase(found);
    return nullptr;
  }
  images_.splice(images_.begin(), images_, found->second);
  return &images_.front().bytes;
}

const std::string* Machine::keep(std::string key, std::string_view code, std::string bytes) {
  image_bytes_ += bytes.size() + code.size();
  images_.push_front({std::move(key), std::string(code), std::move(bytes)});
  by_key_[images_.front().key] = images_.begin();
  while (images_.size() > 1 && (images_.size() > kImages || image_bytes_ > kImageBytes)) {
    CHECK_INVARIANT(image_bytes_ >= images_.back().bytes.size() + images_.back().code.size());
    image_bytes_ -= images_.back().bytes.size() + images_.back().code.size();
    by_key_.erase(images_.back().key);
    images_.pop_back();
  }
  return &images_.front().bytes;
}

// Always the same steps from the same base, so that it does not matter what was kept.
const std::string* Machine::compiled(std::string_view code,
                                     std::string_view identity,
                                     bool library,
                                     Host* host,
                                     std::vector<Function>* functions,
                                     std::string& error) {
  std::string key = (library ? "f" : "s") + std::string(identity);
  if (const std::string* image = functions == nullptr ? known(key, code) : nullptr) {
    return image;
  }
  Run run;
  std::vector<Function> nobody;
  run.host = host;
  run.loads = library ? (functions != nullptr ? functions : &nobody) : nullptr;
  restore(base_, run, library ? kLoadSteps : kUnbounded);
  ArenaHeader& header = arena_->header();
  Source source{code, library, false, {}};
  {
    const MeterOfThread counts(header);
    const int status = lua_cpcall(static_cast<lua_State*>(state_), compile, &source);
    if (status != 0 || header.meter.stop != Stop::kNone) {
      source.loaded = false;
      source.error =
          header.meter.stop == Stop::kSteps ? "it needs too many steps" : "not enough memory";
    } else if (library && header.top > kLibraryBytes) {
      source.loaded = false;
      source.error =
          "the library uses more than " + std::to_string(kLibraryBytes) + " bytes of memory";
    }
  }
  header.run = nullptr;
  if (run.thrown) {
    std::rethrow_exception(run.thrown);
  }
  if (!source.loaded) {
    error = source.error;
    return nullptr;
  }
  if (functions != nullptr) {
    if (const std::string* image = known(key, code)) {
      return image;
    }
  }
  return keep(std::move(key), code, arena_->image());
}

std::string Machine::compile_error(std::string_view code, std::string_view identity) {
  std::string error;
  compiled(code, identity, false, nullptr, nullptr, error);
  return error;
}

std::string Machine::load_library(std::string_view code,
                                  std::string_view identity,
                                  Host& host,
                                  std::vector<Function>& functions) {
  std::string error;
  compiled(code, identity, true, &host, &functions, error);
  return error;
}

Stop Machine::run(const Call& call, Host& host, ReplyWriter& reply) {
  std::string error;
  const bool library = !call.function.empty();
  const std::string* image =
      compiled(call.code, call.identity, library, library ? &host : nullptr, nullptr, error);
  if (image == nullptr) {  // it was compiled before, or its error was answered
    throw std::logic_error("a script that does not compile: " + error);
  }
  Run run;
  run.host = &host;
  restore(*image, run, call.steps_max);
  ArenaHeader& header = arena_->header();
  CHECK_INVARIANT(image->size() >= base_.size());
  Task task{&call, &reply, image->size() - base_.size()};
  int status = 0;
  {
    const MeterOfThread counts(header);
    status = lua_cpcall(static_cast<lua_State*>(state_), Task::run, &task);
  }
  header.run = nullptr;
  if (run.thrown) {
    std::rethrow_exception(run.thrown);
  }
  if (header.meter.stop == Stop::kNone && status != 0) {
    throw std::runtime_error("a script failed outside of its own code");
  }
  return header.meter.stop;
}

}  // namespace kiwi::resp::lua
