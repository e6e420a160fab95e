// The files of the console's page, as the build put them into the program
// (config/cmake/embed.cmake, resp/web/console/).
#pragma once

#include <span>
#include <string_view>

namespace kiwi::resp::web {

struct Asset {
  std::string_view path;  // that it is asked for by: /console/main.js; the page itself is /
  std::string_view type;
  std::string_view bytes;
};

std::span<const Asset> console_assets();

}  // namespace kiwi::resp::web
