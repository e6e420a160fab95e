// CONFIG REWRITE on disk. Any thread; the next start reads what stands there then.
#pragma once

#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

// The file that these options were read from (not empty) gets them as they are now. It holds all of
// the new text or all of the old one, also when the machine dies. Who may read it stays, but a file
// that gets a password which it did not have is its owner's alone (0600).
Result<void> rewrite_config_file(const config::Options& options);

}  // namespace kiwi::actors
