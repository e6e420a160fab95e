#include "resp/commands/script_support.hpp"

#include <algorithm>

#include "config/base/check.hpp"
#include "resp/script_engine.hpp"
#include "resp/script_host.hpp"

namespace kiwi::resp::commands {

namespace {

constexpr uint64_t kStepsPerRecord = 1000;  // both take about as long (redis_library.cpp)
// Of a read on the loop, about 2.5 ms; one that needs more begins anew beside it.
constexpr uint64_t kStepsOfTurn = 1'000'000;

}  // namespace

void count_compiling(Context& context, std::string_view code) {
  constexpr size_t kBytesPerRecord = 100;  // 28 ns a byte
  constexpr size_t kUsual = size_t{32} << 10;
  constexpr size_t kSquaresPerRecord = 100'000;
  const size_t size = code.size();
  context.state().steps().step(size / kBytesPerRecord +
                               (size > kUsual ? size * size / kSquaresPerRecord : 0));
  context.state().steps().may_rest();
}

void run_script(Context& context, lua::Call& call, bool read_only, ReplyWriter& reply) {
  Database& database = context.state();
  const uint64_t most = database.settings().lua_steps_max();
  const bool may_leave = database.steps().limited();
  call.steps_max = may_leave ? std::min(most, kStepsOfTurn) : most;
  const ScriptEngine::Running running(context.scripts());
  ScriptHost host(context, reply, read_only);
  lua::Machine& machine = context.scripts().machine();
  const lua::Stop stop = machine.run(call, host, reply);
  CHECK_INVARIANT(stop != lua::Stop::kHost);  // that throws
  if (stop == lua::Stop::kSteps && call.steps_max < most) {
    throw TooManySteps();
  }
  // What it computed counts for its turn and its entry as records that it looked at would; those
  // that it did look at are counted.
  const uint64_t counted = host.records() * kStepsPerRecord;
  const uint64_t steps = machine.steps_taken();
  database.steps().step((steps - std::min(steps, counted)) / kStepsPerRecord);
  if (stop == lua::Stop::kSteps) {
    throw Undone("ERR script stopped: more than " + std::to_string(most) +
                 " steps, all that it did was undone");
  }
  if (stop == lua::Stop::kMemory) {
    throw Undone("ERR script stopped: more memory than " +
                 std::to_string(lua::Arena::kBytes >> 20) + " MiB, all that it did was undone");
  }
}

std::string sha1_hex_of(std::string_view sha1) {
  std::string hex;
  for (const char byte : sha1) {
    hex.push_back("0123456789abcdef"[static_cast<unsigned char>(byte) >> 4]);
    hex.push_back("0123456789abcdef"[byte & 0xf]);
  }
  return hex;
}

}  // namespace kiwi::resp::commands
