// Shapes with which a few elements reach every form that a value can have.
#pragma once

#include "resp/types/shape.hpp"

namespace kiwi::resp::types_test {

inline constexpr Shape kTinyShape{.packed_bytes = 48,
                                  .leaf_bytes = 40,
                                  .list_leaf_bytes = 40,
                                  .inner_bytes = 48,
                                  .root_leaf_bytes = 60};

}  // namespace kiwi::resp::types_test
