// Which engine the client loop's sockets have: what the operator wants, if it works here. Tried
// once, at the start, by the thread that runs the loop.
#pragma once

#include <memory>
#include <string>

#include "actors/clients/socket_engine.hpp"
#include "config/base/result.hpp"
#include "config/options.hpp"

namespace kiwi::actors {

class ClientLoop;

struct EngineChoice {
  std::shared_ptr<SocketEngine> engine;
  std::string name;    // as INFO shows it
  std::string reason;  // a phrase
};

// An error, one sentence: the operator wants what does not work here.
Result<EngineChoice> choose_engine(ClientLoop& loop, config::IoEngine wanted);

}  // namespace kiwi::actors
