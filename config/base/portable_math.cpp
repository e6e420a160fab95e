#include "config/base/portable_math.hpp"

#include <quadmath.h>

namespace kiwi::portable {

double sin(double radians) { return static_cast<double>(sinq(radians)); }

double cos(double radians) { return static_cast<double>(cosq(radians)); }

double asin(double sine) { return static_cast<double>(asinq(sine)); }

}  // namespace kiwi::portable
