// How many times this process asked operator new for memory. Linking allocations.cpp replaces the
// operators of the whole test program.
#pragma once

#include <cstddef>

namespace kiwi {

size_t allocations_so_far();

}  // namespace kiwi
