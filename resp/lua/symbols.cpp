#include "resp/lua/symbols.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "config/base/check.hpp"
#include "config/base/portable_math.hpp"

namespace kiwi::resp::lua {

namespace {

constinit thread_local Meter* meter_of_thread = nullptr;

constexpr uint64_t kSlowMath = 400;  // about a microsecond of binary128
constexpr size_t kComparedPerStep = 16;
constexpr size_t kReadPerStep = 1;

// False: the run is over, and what is computed does not matter any more.
bool charge_thread(uint64_t steps) {
  return meter_of_thread == nullptr || meter_of_thread->charge(steps);
}

double slow(double (*function)(double), double argument) {
  return charge_thread(kSlowMath) ? function(argument) : 0;
}

double slow(double (*function)(double, double), double first, double second) {
  return charge_thread(kSlowMath) ? function(first, second) : 0;
}

}  // namespace

MeterOfThread::MeterOfThread(Meter& meter) {
  CHECK_INVARIANT(meter_of_thread == nullptr);
  meter_of_thread = &meter;
}

MeterOfThread::~MeterOfThread() { meter_of_thread = nullptr; }

}  // namespace kiwi::resp::lua

using kiwi::resp::lua::charge_thread;
using kiwi::resp::lua::slow;
namespace portable = kiwi::portable;

extern "C" {

double kiwi_lua_sin(double x) { return slow(portable::sin, x); }
double kiwi_lua_cos(double x) { return slow(portable::cos, x); }
double kiwi_lua_tan(double x) { return slow(portable::tan, x); }
double kiwi_lua_asin(double x) { return slow(portable::asin, x); }
double kiwi_lua_acos(double x) { return slow(portable::acos, x); }
double kiwi_lua_atan(double x) { return slow(portable::atan, x); }
double kiwi_lua_atan2(double y, double x) { return slow(portable::atan2, y, x); }
double kiwi_lua_sinh(double x) { return slow(portable::sinh, x); }
double kiwi_lua_cosh(double x) { return slow(portable::cosh, x); }
double kiwi_lua_tanh(double x) { return slow(portable::tanh, x); }
double kiwi_lua_exp(double x) { return slow(portable::exp, x); }
double kiwi_lua_log(double x) { return slow(portable::log, x); }
double kiwi_lua_log10(double x) { return slow(portable::log10, x); }

double kiwi_lua_pow(double x, double y) {
  if (y == 2) {
    return x * x;  // the usual one; exact but for one rounding, as the other way
  }
  return slow(portable::pow, x, y);
}

// Strings of the C locale, which is the only one a node has.
int kiwi_lua_strcoll(const char* a, const char* b) {
  if (!charge_thread(std::strlen(a) / kiwi::resp::lua::kComparedPerStep)) {
    return 0;
  }
  return std::strcmp(a, b);
}

double kiwi_lua_strtod(const char* text, char** end) {
  const double number = std::strtod(text, end);
  if (end != nullptr) {
    charge_thread(static_cast<size_t>(*end - text) / kiwi::resp::lua::kReadPerStep);
  }
  return number;
}

unsigned long kiwi_lua_strtoul(const char* text, char** end, int base) {
  const unsigned long number = std::strtoul(text, end, base);
  if (end != nullptr) {
    charge_thread(static_cast<size_t>(*end - text) / kiwi::resp::lua::kReadPerStep);
  }
  return number;
}

}  // extern "C"
