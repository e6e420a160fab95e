// The functions of libm that round with the same bits on every machine. What the host's libm
// answers differs in the last bit between processors, even between two of one architecture (it
// chooses code by what they can do), so nothing that log entries leave behind may depend on it.
// These compute in binary128, in software, and round to a double once: 0.7-3 us a call.
//
// The code of binary128 is linked into the program, so that it is the build's and not the host's.
// Pure; any thread.
#pragma once

namespace kiwi::portable {

double sin(double radians);
double cos(double radians);
double tan(double radians);
double asin(double sine);  // NaN outside of [-1, 1]
double acos(double cosine);
double atan(double tangent);
double atan2(double y, double x);
double sinh(double x);
double cosh(double x);
double tanh(double x);
double exp(double x);
double log(double x);
double log10(double x);
double pow(double base, double exponent);

}  // namespace kiwi::portable
