#include "actors/node/signals.hpp"

#include <csignal>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include "actors/client_loop.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

struct Signals::State {
  State(ClientLoop& loop, std::function<void()> stop_in, std::function<void()> reread_in)
      : stop(std::move(stop_in)),
        reread(std::move(reread_in)),
        ending(loop.io(), SIGTERM, SIGINT),
        hanging_up(loop.io(), SIGHUP) {}

  void wait_for_end() {
    ending.async_wait([this](const boost::system::error_code& error, int) {
      if (!error) {
        boost::system::error_code ignored;
        ending.clear(ignored);
        stop();
      }
    });
  }

  // Whoever rotates logs has renamed the file; certificates may have been replaced.
  void wait_for_hangup() {
    hanging_up.async_wait([this](const boost::system::error_code& error, int) {
      if (error) {
        return;
      }
      if (log_reopen()) {
        log_notice("SIGHUP: the log file was opened anew");
      } else {
        log_warning("SIGHUP: the log file cannot be opened anew; the old one goes on");
      }
      reread();
      wait_for_hangup();
    });
  }

  const std::function<void()> stop;
  const std::function<void()> reread;
  boost::asio::signal_set ending;
  boost::asio::signal_set hanging_up;
};

Signals::Signals(ClientLoop& loop, std::function<void()> stop, std::function<void()> reread)
    : state_(std::make_unique<State>(loop, std::move(stop), std::move(reread))) {
  state_->wait_for_end();
  state_->wait_for_hangup();
}

Signals::~Signals() = default;

}  // namespace kiwi::actors
