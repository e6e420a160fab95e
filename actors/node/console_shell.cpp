#include "actors/node/console_shell.hpp"

#include <string>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/clients/memory_stream.hpp"
#include "actors/clients/tcp_server.hpp"
#include "actors/peers/peer_auth.hpp"
#include "resp/web/assets.hpp"

namespace kiwi::actors {

using resp::web::Method;
using resp::web::WebAnswer;
using resp::web::WebRequest;

void ConsoleShell::open(Draining draining) {
  resp::web::ConsoleNeeds needs;
  needs.node = &node_.context;
  needs.cookie = "kiwi_" + std::to_string(node_.options.web_port());
  needs.open_line = [this](const std::string& address) { return open_line(address); };
  needs.random_hex = [](size_t bytes) { return hex_of_random(bytes); };
  needs.now_ms = ClientLoop::monotonic_ms;
  needs.drain = std::move(draining.drain);
  needs.drained = std::move(draining.drained);
  console_.emplace(std::move(needs));
}

bool ConsoleShell::wants(std::string_view path) {
  return path == "/" || path.starts_with("/console/") || path.starts_with("/api/");
}

void ConsoleShell::handle(WebRequest request, Respond respond) {
  if (!node_.options.http_console) {  // it never changes
    return respond(WebAnswer::text(404, "there is no console here (http-console)"));
  }
  if (request.path().starts_with("/api/")) {
    if (!node_.pulse.opened) {
      return respond(WebAnswer::text(503, "the node opens its data"));
    }
    auto asked = std::make_shared<WebRequest>(std::move(request));
    node_.client_loop->post(
        [this, asked, respond = std::move(respond)] { console_->handle(*asked, respond); });
    return;
  }
  if (request.method != Method::kGet && request.method != Method::kHead) {
    return respond(WebAnswer::text(405, "this takes GET"));
  }
  for (const resp::web::Asset& asset : resp::web::console_assets()) {
    if (asset.path == request.path()) {
      WebAnswer answer;
      answer.type = asset.type;
      answer.body = asset.bytes;
      return respond(std::move(answer));
    }
  }
  respond(WebAnswer::text(404, "there is no such file"));
}

std::unique_ptr<resp::web::ConsoleLine> ConsoleShell::open_line(const std::string& address) {
  auto line = std::make_unique<MemoryLine>(
      [this](std::function<void()> work) { node_.client_loop->post(std::move(work)); });
  const bool is_v6 = address.find(':') != std::string::npos;
  const std::string from = (is_v6 ? "[" + address + "]" : address) + ":0";
  return node_.server->adopt(line->stream(), from) ? std::move(line) : nullptr;
}

void ConsoleShell::tick() {
  if (console_) {
    console_->tick();
  }
}

}  // namespace kiwi::actors
