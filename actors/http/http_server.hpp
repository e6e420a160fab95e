// The HTTP port: sockets, Boost.Beast and a thread of their own (the admin loop), so that health is
// told while the node's loops stand still. What requests mean is the handler's business.
//
// Everything a stranger sends is bounded: connections, bytes of a request, time to send one and to
// take an answer. When all places are taken, whoever has kept the node waiting longest, for a
// request or for taking an answer, gives his to the newcomer. Owned by HttpShell; the process ends
// with the thread running.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "resp/web/http.hpp"

namespace kiwi::actors {

struct HttpLimits {
  size_t connections = 64;
  size_t header_bytes = 16 << 10;
  size_t body_bytes = 48 << 10;  // 64 KiB with the header
  int64_t request_ms = 10'000;   // to send one, idle time between two included
  int64_t answer_ms = 10'000;    // to take an answer
};

class HttpServer {
 public:
  // Once, from any thread.
  using Respond = std::function<void(resp::web::WebAnswer)>;
  // On the admin loop. It may answer later.
  using Handler = std::function<void(resp::web::WebRequest, Respond)>;

  explicit HttpServer(Handler handler, HttpLimits limits = {});
  ~HttpServer();  // ends the thread
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Takes the listening sockets over, starts the thread.
  void start(const std::vector<int>& listening);

  // Requests that the handler has and has not answered, the one that it is just given included.
  // Their places cannot be had, so whoever lets requests wait bounds how many. On the admin loop.
  size_t unanswered() const;

  // ---- any thread
  void post(std::function<void()> work);
  void after_ms(int64_t milliseconds, std::function<void()> work);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kiwi::actors
