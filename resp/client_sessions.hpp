// The live sessions of one client loop, by the id of their connection. An id is all that others
// keep of a session, and what another loop would have: to it, work for a session is posted. Nobody
// keeps the reference that his work is given. Client loop only; in NodeContext.
#pragma once

#include <cstddef>
#include <functional>
#include <map>

#include "config/base/check.hpp"
#include "resp/request.hpp"

namespace kiwi::resp {

class Session;

class ClientSessions {
 public:
  // A session enters and leaves by itself.
  void enter(ConnectionId id, Session& session) {
    const bool is_new = sessions_.emplace(id, session).second;
    CHECK_INVARIANT(is_new);
  }
  void leave(ConnectionId id) {
    const size_t left = sessions_.erase(id);
    CHECK_INVARIANT(left == 1);
  }

  bool contains(ConnectionId id) const { return sessions_.contains(id); }
  size_t size() const { return sessions_.size(); }

  // work(Session&); false: it is gone.
  template <class Work>
  bool with(ConnectionId id, Work&& work) const {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) {
      return false;
    }
    work(found->second.get());
    return true;
  }
  // work(Session&) for all of them, in the order in which they came. It lets none enter or leave:
  // one that is killed leaves later.
  template <class Work>
  void each(Work&& work) const {
    for (const auto& [id, session] : sessions_) {
      work(session.get());
    }
  }

 private:
  std::map<ConnectionId, std::reference_wrapper<Session>> sessions_;
};

}  // namespace kiwi::resp
