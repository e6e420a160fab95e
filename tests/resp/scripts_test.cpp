// Scripts at apply: what they do is a function of the log, bounded, and undone as one
// (SERVICES 2; what they answer: recorded/script*.txt).
#include "resp/types/scripts.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "config/base/sha1.hpp"
#include "resp/long_read.hpp"
#include "resp/lua/arena.hpp"
#include "resp/script_engine.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {

TEST_SUITE_BEGIN("resp/scripts");

namespace {

struct World {
  explicit World(const ExecutorOptions& options = {}) : node(keyspace, options) { node.start(); }
  std::string eval(const std::string& script, std::vector<std::string> arguments = {}) {
    std::vector<std::string> argv{"eval", script, "0"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return node.run(argv);
  }

  rocks::MemoryKeyspace keyspace;
  Node node;
};

// Two nodes of one log: the first is the origin of everything, the second of nothing.
struct TwoNodes {
  TwoNodes() : second(second_state, other_options()) {
    first.log().members({member(1), member(2)});
    deliver();
  }
  static ExecutorOptions other_options() {
    ExecutorOptions options = Node::own({});
    options.node = NodeId{2};
    options.incarnation = incarnation_of(2);
    return options;
  }
  std::string write(const std::vector<std::string>& argv) { return write_packed(packed(argv)); }
  std::string write_packed(const std::string& command) {
    auto batch = std::make_shared<PendingBatch>();
    const raft::ProposalNumber number = first.next_number();
    batch->sequence = number.sequence;
    batch->ops.push_back({{1, 0}, RequestKind::kWrite, 2, {}});
    first.executor().expect(batch);
    first.log().batch(number, {command});
    return Node::bytes_of(deliver());
  }
  ExecutorEffects deliver() {
    const std::vector<raft::Entry> entries = first.log().entries;
    second.apply(entries);
    while (second.work()) {
    }
    ExecutorEffects effects = first.deliver();
    CHECK(first.executor().state_checksum() == second.state_checksum());
    return effects;
  }
  std::string eval(const std::string& script, std::vector<std::string> arguments = {}) {
    std::vector<std::string> argv{"eval", script, "0"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return write(argv);
  }

  rocks::MemoryKeyspace first_state;
  rocks::MemoryKeyspace second_state;
  Node first{first_state};
  Executor second;
};

constexpr const char* kSmallBudget = "1000000";

std::string block_of(const std::vector<std::string>& commands) {
  std::string block;
  pack_transaction(block, 0, {}, commands);
  return block;
}

std::string stopped(const std::string& steps) {
  return "-ERR script stopped: more than " + steps + " steps, all that it did was undone\r\n";
}

}  // namespace

TEST_CASE("what a script wrote before an error stays, beyond the budget nothing does [2.4]") {
  World w;
  CHECK(w.eval("redis.call('set','a',1) error('x')").starts_with("-ERR user_script:1: x"));
  CHECK(w.node("get a") == "$1\r\n1\r\n");
  CHECK(w.node("kiwi.setting lua-steps-max " + std::string(kSmallBudget)) == "+OK\r\n");
  const std::string endless = "redis.call('set','b',1) while true do end";
  CHECK(w.eval(endless) == stopped(kSmallBudget));
  CHECK(w.node("get b") == "$-1\r\n");
  CHECK(w.node("script exists " + sha1_hex(endless)) == "*1\r\n:0\r\n");  // undone, too
  CHECK(w.eval("return 1") == ":1\r\n");
}

TEST_CASE("the executor tells how many scripts and functions there are, and what they take") {
  World w;
  CHECK(w.node.executor().scripts().scripts == 0);
  CHECK(w.node.executor().scripts().arena_bytes == 0);
  w.eval("return 1");
  w.eval("return 2");
  w.node.run({"script", "load", "return 3"});
  w.node.run({"script", "load", "return 1"});  // one that EVAL left
  w.node.run({"script", "load", "return 3"});
  w.node.run({"function", "load",
              "#!lua name=lib\nredis.register_function('f', function() return 1 end)"});
  const ScriptStatus status = w.node.executor().scripts();
  CHECK(status.scripts == 3);
  CHECK(status.script_bytes >= 3 * 8);
  CHECK(status.libraries == 1);
  CHECK(status.functions == 1);
  CHECK(status.library_bytes > 50);
  CHECK(status.image_bytes > 10'000);
  CHECK(status.arena_bytes > 10'000);
  w.node.run({"script", "flush"});
  w.node.run({"function", "flush"});
  CHECK(w.node.executor().scripts().scripts == 0);
  CHECK(w.node.executor().scripts().libraries == 0);
}

TEST_CASE("no pcall, coroutine, metamethod or comparison goes on beyond the budget [2.4]") {
  TwoNodes w;
  w.write({"kiwi.setting", "lua-steps-max", kSmallBudget});
  for (const char* script :
       {"while true do pcall(function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) "
        "end",
        "while true do local c = coroutine.wrap(function() while true do end end) pcall(c) end",
        "local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() while true do end "
        "end)",
        "return string.find(string.rep('a', 28), string.rep('a?', 28) .. string.rep('a', 28))",
        "return string.match(string.rep('a', 5000), '.-.-.-.-.-b')",
        "return string.gsub(string.rep('a', 100000), 'a*b', '')",
        "return string.rep('x', 30000000)", "local s = 'x' while true do s = s .. s end",
        "while true do redis.call('ping') end", "while true do redis.sha1hex('x') end",
        "while true do cjson.encode({1, 2, 3}) end",
        "while true do cjson.decode('[1,[2,[3]]]') end", "while true do cmsgpack.pack(1) end",
        "while true do struct.pack('i4', 1) end", "while true do loadstring('return 1') end",
        "while true do collectgarbage() end", "for i = 1, 1e9 do local x = 2 ^ 0.5 end",
        "while true do math.sin(1) end", "while true do tostring({}) end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do table.concat(t) end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do unpack(t) end",
        // What no instruction counts, one call or one lookup at a time.
        "table.insert({}, -2147483648, 1)", "table.insert({}, 2, 1) table.insert({}, -2e8, 1)",
        "local t = {} for i = 1, 100000 do t[i] = i end for i = 2, 99999 do t[i] = nil end "
        "while true do next(t, 1) end",
        "collectgarbage('setpause', 0) collectgarbage('setstepmul', 0) while true do local t = {} "
        "end",
        "local t = {} for i = 1, 100000 do t[2^52 + (2^19 - i) * 2^32 + i] = i end",
        "local p = string.rep('x', 50) local t = {} for i = 1, 100000 do "
        "t[i] = p .. string.rep('y', 900) .. i .. string.rep('z', 900) end while true do end",
        "while true do loadstring(string.rep('a and ', 10000) .. 'a') end",
        "return string.find(string.rep('a', 20000), '%f[' .. string.rep('b', 20000) .. ']')",
        "local a = string.rep('\\0', 1000000) while true do local b = a < a .. 'x' end",
        "local s = string.rep(' ', 1000000) while true do tonumber(s) end",
        "local p = string.rep('x', 1000000) while true do string.find('', p) end",
        "local t = {} for i = 0, 24 do t[2^i] = 1 end while true do table.foreachi(t, type) end"}) {
    CAPTURE(script);
    const std::string answer = w.eval(std::string("redis.call('set','k',1) ") + script);
    CHECK(answer.starts_with("-ERR"));
    CHECK(w.first("get k") == "$-1\r\n");
  }
}

// Each ends by itself, after far fewer instructions than the budget has steps.
TEST_CASE("what one instruction or call walks over counts [2.4]") {
  TwoNodes w;
  w.write({"kiwi.setting", "lua-steps-max", kSmallBudget});
  for (const char* script :
       {// The length of a table that makes Lua look one by one.
        "local t, j = {}, 2^14 + 1 while j <= 2^31 do t[j] = 1 j = j * 2 end "
        "for i = 1, 2^14 do t[i] = 1 end for i = 1, 100 do local n = #t end",
        // A rehash for each second key, which leaves the sizes as they were.
        "local t = {} for i = 1, 2^15 do t[i] = 1 end "
        "for k = 0.5, 400, 2 do t[k] = 1 t[k + 1] = 1 t[k] = nil t[k + 1] = nil end",
        // A chain, gone along from its begin for each key.
        "local t = {} for i = 1, 150 do t[2^52 + (2^19 - i) * 2^32 + i] = i end "
        "for i = 1, 20 do for k in pairs(t) do end end",
        "local t = {} for i = 1, 2^15 do t[i] = 1 end for i = 2, 2^15 - 1 do t[i] = nil end "
        "for i = 1, 200 do next(t, 1) end",
        // Calls that error() passes to find a line.
        "local function f(n) if n > 0 then return 1 + f(n - 1) end "
        "for i = 1, 100 do pcall(error, 'x', 15000) end return 0 end f(15000)",
        "for i = 1, 12000 do local s = i .. '' end",
        "local s = string.rep('x', 100000) for i = 1, 20 do string.format('%q', s) end",
        "local s = string.rep(string.rep('x', 1000), 300) "
        "for i = 1, 10 do redis.pcall('exists', s) end"}) {
    CAPTURE(script);
    const std::string answer = w.eval(std::string("redis.call('set','k',1) ") + script);
    CHECK(answer == stopped(kSmallBudget));
    CHECK(w.first("get k") == "$-1\r\n");
  }
  // Not what a table of a usual kind takes.
  CHECK(w.eval("local t = {} for i = 1, 1000 do t[i] = i t['k' .. i] = i end local n = 0 "
               "for k in pairs(t) do n = n + 1 end for i = 1, 1000 do n = n + #t end return n") ==
        ":1002000\r\n");
}

TEST_CASE("what scripts nest ends in an error before the stack does") {
  TwoNodes w;
  for (const char* script :
       {"local function f() return (string.gsub('x', 'x', f)) end return f()",
        "local function f() return pcall(f) and 1 end return f()",
        "local function f() return 1 + coroutine.wrap(f)() end return f()",
        "local function f() table.sort({2, 1}, f) end return f()",
        "local function f() return 1 + f() end return f()",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
        "return loadstring(string.rep('(', 10000))",
        "return loadstring('return ' .. string.rep('{', 10000))",
        "local t = {} for i = 1, 5000 do t = {t} end return t",
        "local t = {} for i = 1, 5000 do t = {t} end return cjson.encode(t)",
        "cjson.decode_max_depth(100000) return cjson.decode(string.rep('[', 50000))",
        "return cmsgpack.unpack(string.rep('\\145', 50000))",
        "return string.find(string.rep('a', 100000), string.rep('(a', 31))",
        "return string.match(string.rep('a', 100000), string.rep('a?', 5000) .. 'b')"}) {
    CAPTURE(script);
    const std::string answer = w.eval(script);  // which one matters less than that there is one
    CHECK_FALSE(answer.empty());
    CHECK(w.eval("return 1") == ":1\r\n");
  }
}

TEST_CASE("more memory than the arena has ends a script, and it is undone [2.3]") {
  TwoNodes w;
  for (const char* script :
       {"local t = {} for i = 1, 1e9 do t[i] = string.rep(i .. ' ', 20000) end",
        "return string.rep('x', 300000000)",
        "local s = string.rep('x', 200000000) return s .. s"}) {
    CAPTURE(script);
    const std::string answer = w.eval(std::string("redis.call('set','k',1) ") + script);
    CHECK(answer ==
          "-ERR script stopped: more memory than 256 MiB, all that it did was undone\r\n");
    CHECK(w.first("get k") == "$-1\r\n");
  }
  CHECK(w.eval("return #string.rep('x', 1000000)") == ":1000000\r\n");
}

TEST_CASE("what could differ between nodes does not: a script for each [2.3]") {
  TwoNodes w;
  // Another history: what the first node ran as reads, and cached, does not show.
  for (int i = 0; i < 200; ++i) {
    w.first.run({"eval_ro",
                 "local t = {} for i = 1, 100 do t[{}] = i end return " + std::to_string(i), "0"});
  }
  w.write({"sadd", "s", "a", "b", "c", "d", "e", "f", "g"});
  w.write({"hset", "h", "a", "1", "b", "2", "c", "3", "d", "4"});
  w.write({"rpush", "l", "3", "1", "2"});
  for (const char* script :
       {"local t = {} for i = 1, 100 do t[{}] = i end "
        "local r = {} for k, v in pairs(t) do r[#r + 1] = v end return table.concat(r, ',')",
        "return tostring({}) .. tostring(function() end) .. "
        "tostring(coroutine.create(function() end))",
        "return string.format('%s %s', tostring({}), tostring(redis))",
        "local s = '' for i = 1, 100 do s = s .. i end return collectgarbage('count') .. s",
        "local r = {} for i = 1, 20 do r[i] = math.random(1000) end return table.concat(r, ',')",
        "math.randomseed(7) return math.random() .. ''",
        "local t = redis.call('time') return t[1] .. t[2]",
        "return table.concat(redis.call('srandmember', 's', 3), ',')",
        "return redis.call('spop', 's') .. redis.call('spop', 's')",
        "return redis.call('randomkey')",
        "return table.concat(redis.call('hrandfield', 'h', -5))",
        "return table.concat(redis.call('smembers', 's'), ',')",
        "return table.concat(redis.call('keys', '*'), ',')",
        "return math.sin(1) .. math.exp(1.5) .. math.log(10) .. 2 ^ 0.3 .. math.tan(0.7)",
        "return string.format('%.17g', 1 / 3)",
        "return tostring(0 / 0) .. tostring(-(0 / 0))",
        "local t = setmetatable({}, {__gc = 1}) return tostring(#t)",
        "return cjson.encode({a = 1, b = 2, c = {3, 4}, d = 'x', e = true})",
        "return redis.call('object', 'encoding', 's') .. redis.call('memory', 'usage', 'h')",
        "redis.call('set', 'e', 1, 'px', 10) return redis.call('pttl', 'e')",
        "return redis.call('publish', 'c', 'm')",
        "return redis.call('dbsize')",
        "return redis.call('scan', 0, 'count', 100)[1]",
        "return redis.pcall('nope').err .. redis.pcall('get').err"}) {
    CAPTURE(script);
    // What it saw becomes part of the state, so the checksums would differ.
    const std::string store = "local function f() " + std::string(script) +
                              " end redis.call('set', 'saw', tostring(f()))";
    CHECK(w.eval(store) == "$-1\r\n");
  }
}

TEST_CASE("a script is alike on a node that compiled it long ago and on one that never did") {
  TwoNodes w;
  const std::string script =
      "local t = {} for i = 1, 50 do t[{}] = i end local r = {} "
      "for k, v in pairs(t) do r[#r + 1] = v end "
      "redis.call('set', 'k', table.concat(r, ',') .. tostring({}) .. collectgarbage('count'))";
  w.eval(script);
  // The images of compiled scripts are 128: the first node's goes, the second's may be another.
  for (int i = 0; i < 150; ++i) {
    w.first.run({"eval_ro", "return " + std::to_string(i), "0"});
  }
  w.eval(script);
  w.write({"evalsha", sha1_hex(script), "0"});
}

TEST_CASE("each call inside draws its own random numbers, and fails alone") {
  TwoNodes w;
  w.write({"sadd", "s", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  CHECK(w.eval("local seen = {} for i = 1, 10 do seen[redis.call('srandmember', 's')] = 1 end "
               "local n = 0 for k in pairs(seen) do n = n + 1 end return n > 1 and 1 or 0") ==
        ":1\r\n");
  CHECK(w.eval("redis.pcall('set', 'a', 1) redis.pcall('incr', 's') redis.call('incr', 'a') "
               "return redis.call('get', 'a')") == "$1\r\n2\r\n");
  // A collection whose command failed half-way is not seen half changed.
  CHECK(w.eval("redis.pcall('zadd', 'z', 1, 'a', 'x', 'b') return redis.call('exists', 'z')") ==
        ":0\r\n");
  CHECK(w.eval("redis.call('hset', 'h', 'f', 1) redis.call('hset', 'h', 'f', 2) "
               "redis.call('hincrby', 'h', 'f', 5) return redis.call('hget', 'h', 'f')") ==
        "$1\r\n7\r\n");
}

TEST_CASE("what several calls take counts together, and ends the whole script [F61]") {
  ExecutorOptions options;
  options.entry_work_max = 100'000;
  World w(options);
  w.node.run({"set", "big", std::string(1000, 'x')});
  const std::string answer = w.eval(
      "redis.call('set', 'a', 1) for i = 1, 1000 do redis.call('copy', 'big', 'c' .. i) end");
  CHECK(answer.starts_with("-ERR too much for one command"));
  CHECK(w.node("exists a c1") == ":0\r\n");
}

TEST_CASE("compiling counts each time, whether it was done before or not") {
  ExecutorOptions options;
  options.entry_steps_max = 20'000;
  World w(options);
  const std::string usual = "return 1 " + std::string(20'000, ' ');
  CHECK(w.eval(usual) == ":1\r\n");
  std::vector<std::string> calls(150, packed({"evalsha", sha1_hex(usual), "0"}));  // 200 records
  const std::string answer = w.node.write(block_of(calls));
  CHECK(answer.starts_with("*150\r\n:1\r\n:1\r\n"));
  CHECK(answer.find("-ERR too much for one command") != std::string::npos);
  CHECK(w.eval("return 1 " + std::string(100'000, ' ')).starts_with("-ERR too much"));
}

TEST_CASE("a block with a script: its commands and the script's are one entry") {
  TwoNodes w;
  const std::string block =
      block_of({packed({"set", "a", "1"}), packed({"eval", "return redis.call('incr','a')", "0"}),
                packed({"eval", "redis.call('set','b',1) return redis.call('incr','x','y')", "0"}),
                packed({"get", "a"})});
  const std::string answer = w.write_packed(block);
  CHECK(answer.starts_with("*4\r\n+OK\r\n:2\r\n-ERR Wrong number of args"));
  CHECK(answer.ends_with("$1\r\n2\r\n"));
  CHECK(w.first("get b") == "$1\r\n1\r\n");
}

TEST_CASE("a script that reads only, in a block of writes, leaves nothing behind [F64]") {
  TwoNodes w;
  const std::string reads = "#!lua flags=no-writes\nreturn redis.call('get', 'a')";
  const std::string block = block_of({packed({"set", "a", "1"}), packed({"eval", reads, "0"}),
                                      packed({"eval_ro", "return 5", "0"})});
  CHECK(w.write_packed(block) == "*3\r\n+OK\r\n$1\r\n1\r\n:5\r\n");
  // Only this node executed them; its state is the same as the other's (deliver() compares them).
  CHECK(w.first("script exists " + sha1_hex(reads)) == "*1\r\n:1\r\n");
  CHECK(w.first("evalsha_ro " + sha1_hex(reads) + " 0") == "$1\r\n1\r\n");
  CHECK(w.write({"evalsha", sha1_hex(reads), "0"}) ==
        "-NOSCRIPT No matching script. Please use EVAL.\r\n");
}

TEST_CASE("the cache keeps what SCRIPT LOAD brought; of EVAL's the oldest go [2.2]") {
  TwoNodes w;
  const std::string loaded = "return 'loaded'";
  w.write({"script", "load", loaded});
  for (uint64_t i = 0; i <= Scripts::kEvaluated; ++i) {
    w.eval("return " + std::to_string(i));
  }
  CHECK(w.first("script exists " + sha1_hex("return 0") + " " + sha1_hex("return 1") + " " +
                sha1_hex(loaded)) == "*3\r\n:0\r\n:1\r\n:1\r\n");
  constexpr size_t kLong = 100'000;
  for (uint64_t i = 0; i <= Scripts::kEvaluatedBytes / kLong + 1; ++i) {
    w.eval("return " + std::string(kLong, ' ') + std::to_string(i));
  }
  CHECK(w.first("script exists " + sha1_hex("return 1") + " " + sha1_hex("return 490")) ==
        "*2\r\n:0\r\n:0\r\n");
  CHECK(w.eval(std::string(200'000, ' ')).starts_with("-ERR the script is larger"));
  // From one kind to the other, and everything away.
  w.write({"script", "load", "return 500"});
  CHECK(w.write({"script", "flush"}) == "+OK\r\n");
  CHECK(w.first("script exists " + sha1_hex(loaded) + " " + sha1_hex("return 500")) ==
        "*2\r\n:0\r\n:0\r\n");
  w.eval("return 500");
  CHECK(w.write({"evalsha", sha1_hex("return 500"), "0"}) == ":500\r\n");
}

TEST_CASE("a read that takes long leaves its turn and begins anew on a view") {
  ExecutorOptions options;
  options.long_read_elements = 100;
  World w(options);
  w.node.run({"set", "k", "v"});
  const std::string script =
      "local n = 0 for i = 1, 3000000 do n = n + 1 end "
      "return redis.call('get', 'k') .. n";
  ExecutorEffects effects =
      w.node.read_effects(packed({"eval_ro", script, "0"}), RequestKind::kRead, w.node.clock());
  REQUIRE(effects.long_reads.size() == 1);
  const std::unique_ptr<rocks::Reader> view = w.keyspace.view();
  std::atomic<bool> stop{false};
  LongReadResult result = run_long_read(*view, effects.long_reads[0], stop);
  CHECK(result.replies.bytes == "$8\r\nv3000000\r\n");
  w.node.executor().long_read_done(std::move(result));
  CHECK(Node::bytes_of(w.node.executor().take_effects()) == "$8\r\nv3000000\r\n");
  // And what only this node knows is known there, too.
  effects = w.node.read_effects(packed({"evalsha_ro", sha1_hex(script), "0"}), RequestKind::kRead,
                                w.node.clock());
  REQUIRE(effects.long_reads.size() == 1);
  CHECK(run_long_read(*view, effects.long_reads[0], stop).replies.bytes == "$8\r\nv3000000\r\n");
  stop = true;
  CHECK(run_long_read(*view, effects.long_reads[0], stop).stopped);
}

// An executor that a snapshot replaced ends on another thread, at any time.
TEST_CASE("the memory of scripts stays where it is while executors come and go") {
  auto first = std::make_unique<World>();
  CHECK(first->eval("return 1") == ":1\r\n");
  std::thread([&first] { first.reset(); }).join();
  // Given back, it could be taken by somebody else before the next executor asks for it.
  CHECK(lua::Arena::at_fixed_address(kFirstGroup.value) == nullptr);
  CHECK(ScriptEngine::has_place(kFirstGroup));
  World second;
  CHECK(second.eval("return 2") == ":2\r\n");
}

TEST_CASE("FCALL that was sent as a read does nothing if the function writes by now [2.2]") {
  World w;
  const auto load = [&](const std::string& flags) {
    return w.node.run({"function", "load", "replace",
                       "#!lua name=lib\nredis.register_function{function_name='f', callback="
                       "function() return redis.call('incr', 'n') end" +
                           flags + "}"});
  };
  load("");
  CHECK(w.node("kiwi.fcall f 0") == "-TRYAGAIN the function was replaced; try again\r\n");
  CHECK(w.node("fcall f 0") == ":1\r\n");
  load(", flags={'no-writes'}");
  CHECK(w.node("kiwi.fcall f 0").starts_with("-ERR Write commands are not allowed"));
  CHECK(w.node("fcall f 0").starts_with("-ERR Write commands are not allowed"));
  CHECK(w.node("get n") == "$1\r\n1\r\n");
}

TEST_CASE("a library is what it was when it was loaded, on every node [2.7]") {
  TwoNodes w;
  const std::string code =
      "#!lua name=lib\nlocal n = 0\nlocal where = tostring({})\n"
      "redis.register_function('count', function(keys) n = n + 1 return n end)\n"
      "redis.register_function('where', function(keys) "
      "redis.call('set', 'w', where .. tostring({})) end)";
  CHECK(w.write({"function", "load", code}) == "$3\r\nlib\r\n");
  CHECK(w.write({"fcall", "count", "0"}) == ":1\r\n");
  CHECK(w.write({"fcall", "count", "0"}) == ":1\r\n");  // unlike Redis: new at each call
  w.write({"fcall", "where", "0"});
  const std::string payload = w.first("function dump");
  CHECK(w.write({"function", "flush"}) == "+OK\r\n");
  CHECK(w.write({"fcall", "where", "0"}) == "-ERR Function not found\r\n");
  const size_t head = payload.find("\r\n") + 2;
  const std::string bytes = payload.substr(head, payload.size() - head - 2);
  CHECK(w.write({"function", "restore", bytes}) == "+OK\r\n");
  CHECK(w.write({"function", "restore", bytes}) == "-ERR Library lib already exists\r\n");
  CHECK(w.write({"function", "restore", bytes, "replace"}) == "+OK\r\n");
  CHECK(w.write({"function", "restore", bytes, "flush"}) == "+OK\r\n");
  CHECK(w.write({"fcall", "count", "0"}) == ":1\r\n");
  CHECK(w.first("function stats").ends_with(":1\r\n$15\r\nfunctions_count\r\n:2\r\n"));
  const std::string endless = "#!lua name=bad\nwhile true do end";
  CHECK(w.write({"function", "load", endless}) == "-ERR it needs too many steps\r\n");
  const std::string large =
      "#!lua name=large\nlocal t = {} for i = 1, 200000 do t[i] = {} end "
      "redis.register_function('large', function() return #t end)";
  CHECK(w.write({"function", "load", large}) ==
        "-ERR the library uses more than 4194304 bytes of memory\r\n");
}

TEST_SUITE_END();

}  // namespace kiwi::resp
