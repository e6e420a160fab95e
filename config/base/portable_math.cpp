#include "config/base/portable_math.hpp"

#include <quadmath.h>

namespace kiwi::portable {

double sin(double radians) { return static_cast<double>(sinq(radians)); }

double cos(double radians) { return static_cast<double>(cosq(radians)); }

double asin(double sine) { return static_cast<double>(asinq(sine)); }

double tan(double x) { return static_cast<double>(tanq(x)); }

double acos(double x) { return static_cast<double>(acosq(x)); }

double atan(double x) { return static_cast<double>(atanq(x)); }

double sinh(double x) { return static_cast<double>(sinhq(x)); }

double cosh(double x) { return static_cast<double>(coshq(x)); }

double tanh(double x) { return static_cast<double>(tanhq(x)); }

double exp(double x) { return static_cast<double>(expq(x)); }

double log(double x) { return static_cast<double>(logq(x)); }

double log10(double x) { return static_cast<double>(log10q(x)); }

double atan2(double y, double x) { return static_cast<double>(atan2q(y, x)); }

double pow(double base, double exponent) { return static_cast<double>(powq(base, exponent)); }

}  // namespace kiwi::portable
