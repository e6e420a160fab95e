#include "actors/node/http_shell.hpp"

#include <sstream>

#include "actors/client_loop.hpp"
#include "actors/listeners.hpp"
#include "actors/raft_loop.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"
#include "resp/command.hpp"
#include "resp/web/console_rules.hpp"
#include "resp/web/scrape.hpp"

namespace kiwi::actors {

using resp::Service;
using resp::web::Health;
using resp::web::Method;
using resp::web::Readiness;
using resp::web::WebAnswer;
using resp::web::WebRequest;

namespace {

constexpr int kBacklog = 64;
constexpr int64_t kBeatMs = 100;
constexpr int64_t kScrapeMs = 1000;  // what a loop has to answer in
// Whoever asks again sooner gets what was told last: a scrape costs the client loop a little.
constexpr int64_t kSameTextMs = 200;
constexpr uint64_t kConsoleRounds = 100;  // logins are looked at every ten seconds
constexpr size_t kDrainsMax = 16;         // that wait to be answered
// That wait for the client loop, of the 64 places: while it stands still, or its clients are
// paused, health still finds one.
constexpr size_t kUnanswered = 32;
constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

WebAnswer metrics_answer(std::string text) {
  WebAnswer answer;
  answer.type = kMetricsType;
  answer.body = std::move(text);
  return answer;
}

WebAnswer wrong_method(const char* allowed) {
  WebAnswer answer = WebAnswer::text(405, std::string("this takes ") + allowed);
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

bool reads(const WebRequest& request) {
  return request.method == Method::kGet || request.method == Method::kHead;
}

// By which this node is called: what a web page cannot have let stand for it.
std::vector<std::string> known_names(const config::Options& options) {
  std::vector<std::string> names{options.client_address().host};
  for (const std::vector<std::string>* list : {&options.bind, &options.http_bind}) {
    for (const std::string& entry : *list) {
      names.push_back(entry.starts_with('-') ? entry.substr(1) : entry);
    }
  }
  std::istringstream words(options.http_hosts);
  for (std::string word; words >> word;) {
    names.push_back(word);
  }
  return names;
}

}  // namespace

// ---------------------------------------------------------------- start

void HttpShell::start() {
  const config::Options& options = node_.options;
  const uint16_t port = options.web_port();
  if (port == 0) {
    return;
  }
  election_timeout_ms_ = options.raft_election_timeout;
  names_ = known_names(options);
  const Result<std::vector<int>> fds = open_listeners(options.http_bind, port, kBacklog);
  if (!fds) {
    log_warning("no metrics and no health over HTTP: " + fds.error().text);
    return;
  }
  console_.open({[this](bool on, Respond respond) { drain(on, std::move(respond)); },
                 [this] { return drain_.active(); }});
  server_ = std::make_unique<HttpServer>([this](WebRequest request, Respond respond) {
    handle(std::move(request), std::move(respond));
  });
  server_->start(*fds);
}

void HttpShell::opened() {
  Pulse& pulse = node_.pulse;
  const int64_t now_ms = ClientLoop::monotonic_ms();
  pulse.client_beat_ms = now_ms;
  pulse.raft_beat_ms = now_ms;
  node_.raft_loop->every(kBeatMs, [&pulse] {
    pulse.raft_beat_ms = ClientLoop::monotonic_ms();
    pulse.raft_cpu_us = thread_cpu_us();
  });
  observe();
  pulse.opened = true;
}

// ---------------------------------------------------------------- HTTP thread

resp::web::Vitals HttpShell::vitals() const {
  return node_.pulse.seen(ClientLoop::monotonic_ms(), election_timeout_ms_);
}

void HttpShell::handle(WebRequest request, Respond respond) {
  if (!resp::web::host_is_known(request.host, names_)) {
    return respond(WebAnswer::text(
        421, "this node is not called that; if it is, name it in the option http-hosts"));
  }
  if (answer_health(request, respond)) {
    return;
  }
  const std::string_view path = request.path();
  const bool asks_loop = path == "/drain" || path.starts_with("/api/");
  if (asks_loop && server_->unanswered() > kUnanswered) {
    return respond(WebAnswer::text(503, "too many requests wait for this node already"));
  }
  if (path == "/metrics") {
    return reads(request) ? metrics(std::move(respond)) : respond(wrong_method("GET"));
  }
  if (path == "/drain") {
    return ask_for_drain(request, std::move(respond));
  }
  if (ConsoleShell::wants(path)) {
    return console_.handle(std::move(request), std::move(respond));
  }
  respond(WebAnswer::text(
      404, "there are /metrics, /livez, /readyz, /leader, /startupz and /drain here"));
}

bool HttpShell::answer_health(const WebRequest& request, const Respond& respond) const {
  using Judge = Health (*)(const resp::web::Vitals&);
  constexpr std::pair<std::string_view, Judge> kJudges[] = {
      {"/livez", resp::web::live},
      {"/readyz", resp::web::ready},
      {"/leader", resp::web::leads},
      {"/startupz", resp::web::started},
  };
  for (const auto& [path, judge] : kJudges) {
    if (request.path() != path) {
      continue;
    }
    if (!reads(request)) {
      respond(wrong_method("GET"));
    } else {
      const Health health = judge(vitals());
      respond(WebAnswer::text(health.ok ? 200 : 503, health.text));
    }
    return true;
  }
  return false;
}

void HttpShell::metrics(Respond respond) {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (!last_text_.empty() && now_ms - last_ms_ < kSameTextMs) {
    return respond(metrics_answer(last_text_));
  }
  if (!node_.pulse.opened || server_->unanswered() > kUnanswered) {
    return respond(metrics_answer(resp::web::write_scrape(nullptr, vitals())));
  }
  const uint64_t id = ++scrape_id_;
  scrapes_.push_back({id, std::move(respond)});
  ask_for_scrape();
  server_->after_ms(kScrapeMs, [this, id] {
    if (!scrapes_.empty() && scrapes_.front().id <= id) {
      answer_metrics(resp::web::write_scrape(nullptr, vitals()), id);
    }
  });
}

// One at a time: a loop that stands still finds one question when it goes on.
void HttpShell::ask_for_scrape() {
  if (std::exchange(scrape_asked_, true)) {
    return;
  }
  node_.client_loop->post([this] {
    auto scrape = std::make_shared<const resp::web::Scrape>(resp::web::take_scrape(node_.context));
    server_->post([this, scrape] {
      scrape_asked_ = false;
      last_text_ = resp::web::write_scrape(scrape.get(), vitals());
      last_ms_ = ClientLoop::monotonic_ms();
      answer_metrics(last_text_, scrape_id_);
    });
  });
}

void HttpShell::answer_metrics(const std::string& text, uint64_t up_to) {
  while (!scrapes_.empty() && scrapes_.front().id <= up_to) {
    const Respond respond = std::move(scrapes_.front().respond);
    scrapes_.pop_front();
    respond(metrics_answer(text));
  }
}

// A supervisor of this machine may: before it stops the process. A web page may not, whatever it
// makes a browser send.
void HttpShell::ask_for_drain(const WebRequest& request, Respond respond) {
  if (request.method != Method::kPost && request.method != Method::kDelete) {
    return respond(wrong_method("POST, DELETE"));
  }
  if (!request.loopback || !request.origin.empty()) {
    return respond(WebAnswer::text(403, "only programs of this machine may drain the node"));
  }
  if (!node_.pulse.opened) {
    return respond(WebAnswer::text(503, "the node opens its data"));
  }
  auto ask = std::make_shared<DrainAsk>(DrainAsk{
      request.method == Method::kPost, request.authorization, request.address, std::move(respond)});
  node_.client_loop->post([this, ask] { take(std::move(*ask)); });
}

// ---------------------------------------------------------------- client loop

// Where clients log in, who may say RAFT.DRAIN may drain it so, too.
HttpShell::Asker HttpShell::asker_of_drain(std::string_view authorization) const {
  resp::Accounts& accounts = node_.context.accounts;
  resp::web::Credentials given;
  const bool named = resp::web::basic_credentials(authorization, given);
  const resp::acl::Users::Ptr user = named ? accounts.users().named(given.user) : nullptr;
  if (user != nullptr && user->rights.accepts(given.password) &&
      resp::web::may_drain(accounts.users(), given.user)) {
    return {true, given.user};
  }
  const std::string_view anybody = resp::acl::kDefaultName;
  if (!accounts.login_wanted() && resp::web::may_drain(accounts.users(), anybody)) {
    return {true, std::string(anybody)};
  }
  return {false, named ? given.user : std::string()};
}

void HttpShell::take(DrainAsk ask) {
  const Asker asker = asker_of_drain(ask.authorization);
  resp::web::audit_drain(node_.context, {ask.drain, !asker.may, asker.user, ask.address});
  if (!asker.may) {
    WebAnswer refusal = WebAnswer::text(401, "this takes a user who may say RAFT.DRAIN");
    refusal.headers.emplace_back("WWW-Authenticate", "Basic realm=\"kiwi\"");
    return ask.respond(std::move(refusal));
  }
  drain(ask.drain, std::move(ask.respond));
}

void HttpShell::drain(bool on, Respond respond) {
  if (!on) {
    if (drain_.active()) {
      log_notice("the node is drained no more");
    }
    drain_.end();
    node_.draining = departure_.begun();
    observe();
    for (const Respond& waiting : std::exchange(drain_waiting_, {})) {
      waiting(WebAnswer::text(409, "it was taken back"));
    }
    return respond(WebAnswer::text(200, "not drained"));
  }
  if (drain_waiting_.size() >= kDrainsMax) {
    return respond(WebAnswer::text(503, "too many ask for it"));
  }
  if (!drain_.active()) {
    log_notice("the node is drained: it hands leadership over and is not ready for new clients");
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  drain_waiting_.empty() ? drain_.ask(now_ms) : drain_.begin(now_ms);
  node_.draining = true;
  observe();
  drain_waiting_.push_back(std::move(respond));
  look_after_drain();
}

Drain::Seen HttpShell::seen_of_drain() const {
  return {node_.facts.leads(), node_.facts.latest.voters.size() > 1};
}

void HttpShell::look_after_drain() {
  if (!drain_.active()) {
    return;
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  const Drain::Seen seen = seen_of_drain();
  const Drain::Outcome outcome = drain_.outcome(seen, now_ms);
  if (outcome == Drain::Outcome::kUnderWay) {
    return;
  }
  const WebAnswer said =
      outcome == Drain::Outcome::kDone    ? WebAnswer::text(200, "drained: another node may lead")
      : outcome == Drain::Outcome::kAlone ? WebAnswer::text(200, "drained: nobody else votes")
                                          : WebAnswer::text(503, "it still leads: see the log");
  for (const Respond& waiting : std::exchange(drain_waiting_, {})) {
    waiting(said);
  }
}

void HttpShell::timer() {
  node_.pulse.client_beat_ms = ClientLoop::monotonic_ms();
  node_.pulse.client_cpu_us = thread_cpu_us();
  if (node_.draining) {
    drain_.begin(node_.pulse.client_beat_ms);  // RAFT.DRAIN may have asked for it
  }
  look_after_drain();
  observe();
  if (++rounds_ % kConsoleRounds == 0) {
    console_.tick();
  }
}

void HttpShell::observe() {
  node_.pulse.readiness = readiness();
  node_.pulse.leads = node_.facts.leads() && node_.facts.raft.ready;
}

Readiness HttpShell::readiness() const {
  switch (node_.context.status.service) {
    case Service::kUninitialized:
      return Readiness::kNoCluster;
    case Service::kLoading:
      return Readiness::kLoading;
    case Service::kRemoved:
      return Readiness::kRemoved;
    case Service::kUp:
      break;
  }
  if (node_.draining) {
    return Readiness::kDraining;
  }
  const raft::Status& raft = node_.facts.raft;
  if (!raft.leader) {
    return Readiness::kNoLeader;
  }
  if (!raft.ready) {
    return Readiness::kLeaderNotReady;
  }
  for (const raft::PeerStatus& peer : raft.peers) {
    if (peer.member.id == raft.leader && !peer.up) {
      return Readiness::kLeaderAway;
    }
  }
  return Readiness::kReady;
}

}  // namespace kiwi::actors
