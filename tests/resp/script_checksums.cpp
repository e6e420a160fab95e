// Random scripts through an executor: checksums of their replies and of the state, which have to be
// the same in every process (SERVICES 2.3). Without arguments two executors of other histories are
// compared; scripts/lib/script_checksums.py compares processes.
//   script_checksums [--scripts N] [--from I] [--history H]
// The i-th script is a function of i alone. A history is what the node ran beside: reads, which
// leave other images of compiled scripts behind.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/base/sha1.hpp"
#include "tests/resp/node.hpp"

namespace kiwi::resp {
namespace {

// <n> a small number, <k> a key, <e> an expression.
constexpr std::string_view kExpressions[] = {
    "math.sin(<n>)",
    "math.exp(<n> / 7)",
    "<n> ^ 0.37",
    "math.log(<n> + 1)",
    "math.tan(<n>)",
    "math.atan2(<n>, 3)",
    "math.fmod(<n>, 7)",
    "math.cosh(<n> / 9)",
    "math.random(<n> + 1)",
    "<n> % 7.25",
    "1 / 0 - <n>",
    "tostring({})",
    "tostring(next)",
    "#t",
    "table.maxn(t)",
    "collectgarbage('count')",
    "string.format('%.17g %5.1f %q', <n> / 3, <n>, 'a\\n')",
    "tonumber('<n>.5e3')",
    "tonumber('zz', 36)",
    "cjson.encode({a = <n>, b = {1, 2}, c = 'x'})",
    "cjson.decode('[1, {\"a\": <n>.25}]')[2].a",
    "redis.sha1hex(cmsgpack.pack(<n> / 3, t))",
    "struct.unpack('>d', struct.pack('>d', <n>))",
    "bit.bxor(<n>, 255)",
    "bit.rol(<n>, 7)",
    "redis.sha1hex('<n>')",
    "table.concat({1, <n>, 'x'}, ',')",
    "tostring(next(t))",
    "string.rep('ab', <n>):upper():reverse()",
    "('x y z'):gsub('%a', '%0%0')",
    "string.find(string.rep('a', <n>), 'a-b?$')",
    "select('#', unpack({1, 2, <n>}))",
    "redis.call('time')[1]",
    "redis.call('srandmember', '<k>:s') or 'none'",
    "tostring(redis.pcall('get', '<k>'))",
    "redis.call('dbsize')",
    "redis.call('strlen', '<k>')",
    "redis.pcall('incr', '<k>:s').err or 0",
    "tostring(coroutine.create(next))",
    "tostring(pcall(error, {<n>}))"};
constexpr std::string_view kStatements[] = {
    "t[#t + 1] = <e>",
    "t[<n>] = <e>",
    "t[<n>] = nil",
    "t[<e>] = <n>",
    "t['k' .. <n>] = <e>",
    "for i = 1, <n> do t[i * i] = i end",
    "for i = 1, <n> do t['k' .. i] = i end",
    "for i = 1, <n> do t[i] = i end",
    "t[{}] = <n> t[function() end] = 1",
    "for i = <n>, 1, -1 do t[i] = nil end",
    "r[#r + 1] = select(2, pcall(error, 'x', <n> % 5))",
    "for k, v in pairs(t) do r[#r + 1] = tostring(k) end",
    "for i = 1, 9 do r[#r + 1] = <e> end",
    "pcall(function() for i = 1, 9 do t[<e>] = i end end)",
    "redis.pcall('incr', '<k>')",
    "redis.pcall('set', '<k>', <e>)",
    "redis.pcall('append', '<k>', <e>)",
    "redis.pcall('sadd', '<k>:s', <n>, <e>)",
    "r[#r + 1] = tostring(redis.pcall('spop', '<k>:s'))",
    "redis.pcall('zadd', '<k>:z', <n>, 'm<n>', <n>, 'n<n>')",
    "redis.pcall('del', '<k>')",
    "r[#r + 1] = cjson.encode(redis.pcall('zrange', '<k>:z', 0, <n>, 'withscores'))",
    "redis.pcall('hset', '<k>:h', 'f<n>', <e>)",
    "redis.pcall('pexpire', '<k>:h', <n>)",
    "r[#r + 1] = cjson.encode(redis.pcall('hrandfield', '<k>:h', -3))",
    "redis.pcall('rpush', '<k>:l', <e>, <n>)",
    "redis.pcall('ltrim', '<k>:l', 0, <n>)",
    "local c = coroutine.wrap(function(a) return coroutine.yield(a) end) r[#r + 1] = c(<n>)",
    "r[#r + 1] = loadstring('return ' .. <n> .. ' + 1')()",
    "math.randomseed(<n>)",
    "collectgarbage('step') collectgarbage('restart')",
    "local s = string.rep('q', <n> * 50)",
    "setmetatable(t, {__index = function(_, k) return k end})",
    "redis.setresp(<n> % 2 + 2)",
    "pcall(table.sort, r, function(a, b) return tostring(a) < tostring(b) end)",
    "r[#r + 1] = tostring(<n> > 3 and <n> > 5 and <n> > 7 or <n> == 2 or <n> == 4)",
    "pcall(string.rep, 'x', -1) pcall(next, t, 'nobody')",
    "if <n> == 61 then error(<e>) end",
    "if <n> == 62 and <n> < 3 then while true do t[#t + 1] = {} end end"};
constexpr std::string_view kEnd =
    "for k, v in pairs(t) do r[#r + 1] = tostring(k) .. '=' .. tostring(v) end "
    "for i = 1, #r do r[i] = tostring(r[i]) end redis.call('set', 'saw', table.concat(r, ' ')) "
    "return {#r, r[1] or '', tostring({}), collectgarbage('count') * 1024}";
constexpr uint64_t kNumbers = 64;
constexpr uint64_t kKeys = 24;
constexpr const char* kSteps = "1000000";

using Random = std::mt19937_64;

template <size_t N>
std::string_view draw(Random& random, const std::string_view (&from)[N]) {
  return from[random() % N];
}

// std::mt19937_64 is the same everywhere; std's distributions are not.
std::string filled(Random& random, std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("<n>")) {
      out += std::to_string(random() % kNumbers);
    } else if (rest.starts_with("<k>")) {
      out += "k" + std::to_string(random() % kKeys);
    } else if (rest.starts_with("<e>")) {
      out += filled(random, draw(random, kExpressions));
    } else {
      out += text[at++];
      continue;
    }
    at += 3;
  }
  return out;
}

std::string script(uint64_t number) {
  Random random(number);
  std::string text = "local t, r = {}, {} ";
  for (uint64_t i = random() % 8 + 1; i > 0; --i) {
    text += filled(random, draw(random, kStatements));
    text += "\n";
  }
  return text += kEnd;
}

struct Checksums {
  uint64_t replies = 0xcbf29ce484222325;  // FNV-1a
  uint64_t state = 0;
  bool operator==(const Checksums&) const = default;

  void add(std::string_view reply) {
    for (const char c : reply) {
      replies = (replies ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    }
  }
};

Checksums run(uint64_t from, uint64_t scripts, uint64_t history, bool speak) {
  rocks::MemoryKeyspace keyspace;
  Node node(keyspace);
  node.start();
  node.run({"kiwi.setting", "lua-steps-max", kSteps});
  Random beside(history);
  Checksums sums;
  const uint64_t part = std::max<uint64_t>(scripts / 20, 1);
  for (uint64_t i = from; i < from + scripts; ++i) {
    if (history != 0 && beside() % 4 == 0) {
      node.run({"eval_ro", script(beside()), "0"});
    }
    const std::string text = script(i);
    ++node.clock();
    sums.add(node.run({"eval", text, "0"}));
    if (i % 5 == 0) {  // again, as what is known
      sums.add(node.run({"evalsha", sha1_hex(script(i - std::min(i - from, i % 300))), "0"}));
    }
    sums.state = node.executor().state_checksum();
    if (speak && (i + 1 - from) % part == 0) {
      std::printf("%" PRIu64 " %016" PRIx64 " %016" PRIx64 "\n", i + 1, sums.replies, sums.state);
      std::fflush(stdout);
    }
  }
  return sums;
}

int run_all(const std::vector<std::string_view>& words) {
  uint64_t from = 0;
  uint64_t scripts = 0;
  uint64_t history = 0;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    uint64_t& value = words[i] == "--from" ? from : words[i] == "--scripts" ? scripts : history;
    value = std::strtoull(words[i + 1].data(), nullptr, 10);
  }
  if (scripts != 0) {
    run(from, scripts, history, true);
    return 0;
  }
  constexpr uint64_t kOfTest = 1500;
  if (run(0, kOfTest, 0, false) == run(0, kOfTest, 1, false)) {
    return 0;
  }
  std::fprintf(stderr, "two executors differ: what ran beside the scripts changed what they did\n");
  return 1;
}

}  // namespace
}  // namespace kiwi::resp

int main(int argc, char** argv) {
  return kiwi::resp::run_all(std::vector<std::string_view>(argv + 1, argv + argc));
}
