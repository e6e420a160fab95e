// What CONFIG REWRITE has to know of a file beside its new text (options.hpp). Plain; any thread.
#pragma once

#include <string_view>

#include "config/options.hpp"

namespace kiwi::config {

// Would rewritten_config(file, options) hold a password that `file` does not?
bool adds_secret(std::string_view file, const Options& options);

}  // namespace kiwi::config
