// The console of a node: its page, which the HTTP thread answers by itself, and what the page asks,
// which resp::web::Console answers on the client loop. Owned by HttpShell.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "actors/http/http_server.hpp"
#include "actors/node/node_parts.hpp"
#include "resp/web/console.hpp"
#include "resp/web/http.hpp"

namespace kiwi::actors {

class ConsoleShell {
 public:
  using Respond = HttpServer::Respond;
  // Drains this node, or takes that back; whether it is drained.
  struct Draining {
    std::function<void(bool, Respond)> drain;
    std::function<bool()> drained;
  };

  explicit ConsoleShell(NodeParts& node) : node_(node) {}

  // Before the HTTP thread runs.
  void open(Draining draining);

  // ---- HTTP thread
  // Is it the console's? Its page is answered from memory, what the page asks on the client loop.
  static bool wants(std::string_view path);
  void handle(resp::web::WebRequest request, Respond respond);

  void tick();  // client loop, now and then

 private:
  std::unique_ptr<resp::web::ConsoleLine> open_line(const std::string& address);

  NodeParts& node_;
  std::optional<resp::web::Console> console_;
};

}  // namespace kiwi::actors
