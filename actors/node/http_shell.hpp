// What the node's HTTP port answers: metrics, health, drain. Requests come on the HTTP thread;
// health is answered there, of what the loops left in Pulse, so that a loop that stands still is
// told. What only the client loop knows is asked of it, once for all who wait. Owned by Node.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/http/http_server.hpp"
#include "actors/node/console_shell.hpp"
#include "actors/node/departure_shell.hpp"
#include "actors/node/drain.hpp"
#include "actors/node/node_parts.hpp"
#include "resp/web/health.hpp"
#include "resp/web/http.hpp"

namespace kiwi::actors {

class HttpShell {
 public:
  HttpShell(NodeParts& node, const DepartureShell& departure)
      : node_(node), departure_(departure), console_(node) {}

  // Before the data is opened, which may take long.
  void start();

  // ---- client loop
  void opened();   // the loops are about to run
  void timer();    // ten times a second
  void observe();  // facts changed

 private:
  using Respond = HttpServer::Respond;
  struct Waiting {
    uint64_t id = 0;
    Respond respond;
  };
  struct DrainAsk {
    bool drain = true;
    std::string authorization;
    std::string address;
    Respond respond;
  };

  // ---- HTTP thread
  void handle(resp::web::WebRequest request, Respond respond);
  bool answer_health(const resp::web::WebRequest& request, const Respond& respond) const;
  void metrics(Respond respond);
  void ask_for_scrape();
  void answer_metrics(const std::string& text, uint64_t up_to);
  void ask_for_drain(const resp::web::WebRequest& request, Respond respond);
  resp::web::Vitals vitals() const;

  // ---- client loop
  // Who asks, if that user may; else who said so, whatever is true of it.
  struct Asker {
    bool may = false;
    std::string user;
  };
  Asker asker_of_drain(std::string_view authorization) const;
  void take(DrainAsk ask);
  void drain(bool on, Respond respond);
  void look_after_drain();
  Drain::Seen seen_of_drain() const;
  resp::web::Readiness readiness() const;

  NodeParts& node_;
  const DepartureShell& departure_;
  ConsoleShell console_;
  int64_t election_timeout_ms_ = 0;  // options that the HTTP thread needs: they never change
  std::vector<std::string> names_;

  // HTTP thread
  std::deque<Waiting> scrapes_;
  uint64_t scrape_id_ = 0;
  bool scrape_asked_ = false;
  std::string last_text_;
  int64_t last_ms_ = 0;

  // client loop
  Drain drain_;
  std::vector<Respond> drain_waiting_;
  uint64_t rounds_ = 0;                 // of timer()
  std::unique_ptr<HttpServer> server_;  // last: its thread uses the others
};

}  // namespace kiwi::actors
