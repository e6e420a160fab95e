#include "actors/clients/engine_choice.hpp"

#include <utility>

#include "actors/client_loop.hpp"
#include "actors/clients/uring_engine.hpp"

namespace kiwi::actors {

Result<EngineChoice> choose_engine(ClientLoop& loop, config::IoEngine wanted) {
  // What the connections read is routed in the same handler.
  const LoopHooks hooks{[&loop] { return loop.hold_actors(); }, [&loop] { loop.run_held_actors(); },
                        [&loop] { return loop.runs_actors(); }};
  std::string reason = "io-engine says so";
  if (wanted != config::IoEngine::kEpoll) {
    Result<std::shared_ptr<SocketEngine>> uring = make_uring_engine(loop.io(), hooks);
    if (uring) {
      return EngineChoice{std::move(*uring), "io_uring", "it works here"};
    }
    reason = "io_uring does not work here: " + uring.error().text;
    if (wanted == config::IoEngine::kUring) {
      return Error{Errc::kInvalid, "io-engine uring, but " + reason +
                                       "; io-engine auto starts with epoll where that is so"};
    }
  }
  return EngineChoice{make_epoll_engine(loop.io(), hooks), "epoll", std::move(reason)};
}

}  // namespace kiwi::actors
