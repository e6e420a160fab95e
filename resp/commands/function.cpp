// FCALL, FCALL_RO, and FUNCTION.
#include <algorithm>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/glob.hpp"
#include "config/base/sha1.hpp"
#include "resp/commands/script_support.hpp"
#include "resp/resp_writer.hpp"
#include "resp/script_engine.hpp"
#include "resp/script_host.hpp"
#include "resp/script_source.hpp"
#include "resp/types/dump/library_payload.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr uint64_t kStepsPerRecord = 1000;

enum class Asked : uint8_t {
  kMayWrite,    // FCALL
  kOnlyReads,   // FCALL_RO
  kSentAsRead,  // FCALL of a function that did not write when the session looked
};

void call(Context& context, Args args, Asked asked, ReplyWriter& reply) {
  Libraries& libraries = context.state().libraries();
  const auto name = libraries.library_of(args[1]);
  if (!name) {
    return reply.error("ERR Function not found");
  }
  const auto words = read_script_words(args, "ERR Bad number of keys provided", reply);
  if (!words) {
    return;
  }
  const std::optional<Library> library = libraries.find(*name);
  CHECK_INVARIANT(library.has_value());  // both records are changed together
  const std::string wanted = Libraries::folded(args[1]);
  const auto function = std::ranges::find_if(library->functions, [&](const LibraryFunction& one) {
    return Libraries::folded(one.name) == wanted;
  });
  CHECK_INVARIANT(function != library->functions.end());
  const bool no_writes = (function->flags & lua::kNoWrites) != 0;
  ReadScripts& known = context.scripts().read_scripts();
  if (no_writes) {
    known.keep_reader(ReadScripts::Kind::kFunction, wanted);
  } else if (asked != Asked::kMayWrite) {
    known.forget_reader(ReadScripts::Kind::kFunction, wanted);
    return reply.error(asked == Asked::kOnlyReads ? kWritesInReadOnly : texts::kFunctionReplaced);
  }
  std::string error;
  const auto source = read_library(library->code, error);
  CHECK_INVARIANT(source.has_value());  // it was read before it was kept
  count_compiling(context, source->code);
  const std::string identity = sha1_hex_of(library->sha1);
  lua::Call call;
  call.code = source->code;
  call.identity = identity;
  call.function = function->name;
  call.shown = function->name;
  call.keys = words->keys;
  call.arguments = words->arguments;
  run_script(context, call, no_writes, reply);
}

// What the code registers; nothing, and what is wrong with it.
std::optional<Library> compile(Context& context,
                               std::string_view code,
                               const LibrarySource& source,
                               const ReplyWriter& reply,
                               std::string& error) {
  Library library{source.name, sha1(code), std::string(code), {}};
  std::vector<lua::Function> registered;
  count_compiling(context, source.code);
  {
    ScriptHost host(context, reply, true);
    lua::Machine& machine = context.scripts().machine();
    const std::string wrong =
        machine.load_library(source.code, sha1_hex_of(library.sha1), host, registered);
    context.state().steps().step(machine.steps_taken() / kStepsPerRecord);
    if (!wrong.empty()) {
      error = "ERR " + wrong;
      return std::nullopt;
    }
  }
  if (registered.empty()) {
    error = "ERR No functions registered";
    return std::nullopt;
  }
  for (const lua::Function& function : registered) {
    library.functions.push_back(
        {function.name, function.described ? std::optional(function.description) : std::nullopt,
         function.flags});
  }
  // Two that differ in case only would be one name of FCALL.
  std::vector<std::string> names;
  for (const LibraryFunction& function : library.functions) {
    names.push_back(Libraries::folded(function.name));
  }
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end()) {
    error = "ERR Function " + *twice + " already exists";
    return std::nullopt;
  }
  // As Redis' LIST has them in no order, ours are in one that does not depend on the code's.
  std::ranges::sort(library.functions, {}, &LibraryFunction::name);
  return library;
}

// Ends the command, and takes back what it did, if one of its functions is another library's.
void add(Context& context, const Library& library) {
  Libraries& libraries = context.state().libraries();
  for (const LibraryFunction& function : library.functions) {
    context.state().step();
    if (libraries.library_of(function.name)) {
      throw Undone("ERR Function " + function.name + " already exists");
    }
  }
  if (!libraries.add(library)) {
    throw Undone("ERR there would be more than " + std::to_string(Libraries::kCount) +
                 " libraries, or more than " + std::to_string(Libraries::kBytes) +
                 " bytes of them");
  }
  // Who hears that they were replaced asks for them as what they are now.
  for (const LibraryFunction& function : library.functions) {
    if ((function.flags & lua::kNoWrites) == 0) {
      context.scripts().read_scripts().forget_reader(ReadScripts::Kind::kFunction,
                                                     Libraries::folded(function.name));
    }
  }
}

std::string syntax_text(Args args) {
  return "ERR unknown subcommand or wrong number of arguments for '" +
         std::string(quoted_word(args[1])) + "'. Try FUNCTION HELP.";
}

}  // namespace

// So many libraries.
uint64_t functions_cost(Context& context, Args) {
  return context.state().libraries().total().libraries;
}

void fcall(Context& context, Args args, ReplyWriter& reply) {
  call(context, args, Asked::kMayWrite, reply);
}

void fcall_ro(Context& context, Args args, ReplyWriter& reply) {
  call(context, args, Asked::kOnlyReads, reply);
}

void fcall_as_read(Context& context, Args args, ReplyWriter& reply) {
  call(context, args, Asked::kSentAsRead, reply);
}

// ---------------------------------------------------------------- FUNCTION

void function_load(Context& context, Args args, ReplyWriter& reply) {
  const std::string_view code = args.back();
  bool replace = false;
  for (std::string_view option : args.subspan(2, args.size() - 3)) {
    if (!same_word(option, "replace")) {
      return reply.error("ERR Unknown option given: " + std::string(quoted_word(option)));
    }
    replace = true;
  }
  std::string error;
  const auto source = read_library(code, error);
  if (!source) {
    return reply.error(error);
  }
  Libraries& libraries = context.state().libraries();
  const std::optional<Library> old = libraries.find(source->name);
  if (old && !replace) {
    return reply.error("ERR Library '" + source->name + "' already exists");
  }
  const auto library = compile(context, code, *source, reply, error);
  if (!library) {
    return reply.error(error);
  }
  if (old) {
    libraries.remove(*old);
  }
  add(context, *library);
  reply.bulk(library->name);
}

void function_delete(Context& context, Args args, ReplyWriter& reply) {
  Libraries& libraries = context.state().libraries();
  const std::optional<Library> library = libraries.find(args[2]);
  if (!library) {
    return reply.error("ERR Library not found");
  }
  libraries.remove(*library);
  reply.ok();
}

void function_flush(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 3) {
    return reply.error(syntax_text(args));
  }
  if (args.size() == 3 && !same_word(args[2], "sync") && !same_word(args[2], "async")) {
    return reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  context.state().libraries().flush();
  reply.ok();
}

namespace {

void write_function(const LibraryFunction& function, ReplyWriter& reply) {
  reply.map(3);
  reply.bulk("name");
  reply.bulk(function.name);
  reply.bulk("description");
  if (function.description) {
    reply.bulk(*function.description);
  } else {
    reply.null();
  }
  reply.bulk("flags");
  reply.set(
      static_cast<size_t>(std::ranges::count_if(lua::kFlagNames, [&](const lua::FlagName& name) {
        return (function.flags & name.flag) != 0;
      })));
  for (const lua::FlagName& name : lua::kFlagNames) {
    if ((function.flags & name.flag) != 0) {
      reply.simple(name.name);
    }
  }
}

void write_library(const Library& library, bool with_code, ReplyWriter& reply) {
  reply.map(with_code ? 4 : 3);
  reply.bulk("library_name");
  reply.bulk(library.name);
  reply.bulk("engine");
  reply.bulk("LUA");
  reply.bulk("functions");
  reply.array(library.functions.size());
  for (const LibraryFunction& function : library.functions) {
    write_function(function, reply);
  }
  if (with_code) {
    reply.bulk("library_code");
    reply.bulk(library.code);
  }
}

}  // namespace

void function_list(Context& context, Args args, ReplyWriter& reply) {
  bool with_code = false;
  std::optional<std::string_view> pattern;
  for (size_t at = 2; at < args.size(); ++at) {
    if (!with_code && same_word(args[at], "withcode")) {
      with_code = true;
    } else if (!pattern && same_word(args[at], "libraryname")) {
      if (at + 1 == args.size()) {
        return reply.error("ERR library name argument was not given");
      }
      pattern = args[++at];
    } else {
      return reply.error("ERR Unknown argument " + std::string(quoted_word(args[at])));
    }
  }
  const size_t begin = reply.where();
  size_t count = 0;
  context.state().libraries().for_each([&](const Library& library) {
    context.state().step();
    if (!pattern || glob_match(*pattern, library.name, true)) {
      write_library(library, with_code, reply);
      ++count;
    }
    return true;
  });
  const size_t head = reply.where();
  reply.array(count);
  reply.put_first(begin, head);
}

// What runs nobody can see: no command is served meanwhile.
void function_stats(Context& context, Args, ReplyWriter& reply) {
  const Libraries::Total total = context.state().libraries().total();
  reply.map(2);
  reply.bulk("running_script");
  reply.null();
  reply.bulk("engines");
  reply.map(1);
  reply.bulk("LUA");
  reply.map(2);
  reply.bulk("libraries_count");
  reply.integer(static_cast<int64_t>(total.libraries));
  reply.bulk("functions_count");
  reply.integer(static_cast<int64_t>(total.functions));
}

void function_dump(Context& context, Args, ReplyWriter& reply) {
  std::string payload;
  context.state().libraries().for_each([&](const Library& library) {
    context.state().step();
    dump::put_library(payload, library.code);
    return true;
  });
  dump::close_libraries(payload);
  reply.bulk(payload);
}

namespace {

std::string_view text_of(dump::LibrariesError error) {
  switch (error) {
    case dump::LibrariesError::kFrame:
      return "ERR DUMP payload version or checksum are wrong";
    case dump::LibrariesError::kNoType:
      return "ERR can not read data type";
    case dump::LibrariesError::kOther:
      return "ERR given type is not a function";
    case dump::LibrariesError::kDamaged:
    case dump::LibrariesError::kNone:
      break;
  }
  return "ERR failed loading the given functions payload";
}

// What a payload holds, compiled; it has to fit together before any of it counts.
std::vector<Library> compile_all(Context& context,
                                 const std::vector<std::string>& codes,
                                 const ReplyWriter& reply) {
  std::vector<Library> libraries;
  std::string error;
  for (const std::string& code : codes) {
    context.state().effects().spend(code.size());
    const auto source = read_library(code, error);
    if (!source) {
      throw Undone(error);
    }
    if (std::ranges::find(libraries, source->name, &Library::name) != libraries.end()) {
      throw Undone("ERR Library '" + source->name + "' already exists");
    }
    auto library = compile(context, code, *source, reply, error);
    if (!library) {
      throw Undone(error);
    }
    libraries.push_back(std::move(*library));
  }
  return libraries;
}

}  // namespace

void function_restore(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 4) {
    return reply.error(syntax_text(args));
  }
  const std::string_view policy = args.size() == 4 ? args[3] : "append";
  const bool flush = same_word(policy, "flush");
  const bool replace = same_word(policy, "replace");
  if (!flush && !replace && !same_word(policy, "append")) {
    return reply.error(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  Libraries& libraries = context.state().libraries();
  Effects& effects = context.state().effects();
  std::vector<std::string> codes;
  const auto before_unpacking = [&effects](size_t, size_t size) { effects.spend(size); };
  const dump::LibrariesError wrong = dump::read_libraries(args[2], before_unpacking, codes);
  if (wrong != dump::LibrariesError::kNone) {
    return reply.error(text_of(wrong));
  }
  const std::vector<Library> restored = compile_all(context, codes, reply);
  if (flush) {
    libraries.flush();
  }
  for (const Library& library : restored) {
    const std::optional<Library> old = libraries.find(library.name);
    if (old && !replace) {
      throw Undone("ERR Library " + library.name + " already exists");
    }
    if (old) {
      libraries.remove(*old);
    }
  }
  for (const Library& library : restored) {
    add(context, library);
  }
  reply.ok();
}

}  // namespace kiwi::resp::commands
