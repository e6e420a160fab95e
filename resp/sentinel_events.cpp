#include "resp/sentinel_events.hpp"

#include <algorithm>
#include <utility>

#include "config/base/check.hpp"

namespace kiwi::resp {

namespace {

const SentinelMember* find(const SentinelView& view, NodeId id) {
  const auto found = std::ranges::find(view.members, id, &SentinelMember::id);
  return found == view.members.end() ? nullptr : &*found;
}

std::string place(const SentinelMember& member) {
  return member.host + " " + std::to_string(member.port);
}

// The events of one name, in their order.
class Teller {
 public:
  Teller(const std::string& name, std::vector<Publication>& out) : name_(name), out_(out) {}

  // `slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster 10.0.0.1 6379`; the blanks around the name are
  // what one client looks for.
  std::string slave(const SentinelMember& member, const SentinelMember& master) const {
    return "slave " + member.address() + " " + place(member) + of(master);
  }
  std::string sentinel(const SentinelMember& member, const SentinelMember& master) const {
    return "sentinel " + member.name + " " + member.host + " " +
           std::to_string(member.sentinel_port) + of(master);
  }
  std::string master(const SentinelMember& member) const {
    return "master " + name_ + " " + place(member);
  }
  void tell(const char* event, std::string text) const {
    out_.push_back({false, event, std::move(text)});
  }

  void went_down(const SentinelMember& member,
                 const SentinelMember& master_then,
                 const SentinelView& now) const {
    if (member.id != master_then.id) {
      return tell("+sdown", slave(member, master_then));
    }
    tell("+sdown", master(member));
    tell("+odown", master(member) + " #quorum " + std::to_string(now.voters_linked) + "/" +
                       std::to_string(now.quorum()));
  }
  void switched(const SentinelMember& from,
                const SentinelMember& to,
                const SentinelView& now) const {
    tell("+switch-master", name_ + " " + place(from) + " " + place(to));
    for (const SentinelMember& member : now.members) {
      if (member.id != to.id) {
        tell("+slave", slave(member, to));
        if (member
                .down) {  // a Sentinel notices it anew: it was another one's replica, or the master
          tell("+sdown", slave(member, to));
        }
      }
    }
  }
  void came_up(const SentinelMember& member, const SentinelMember& master_now) const {
    if (member.id != master_now.id) {
      return tell("-sdown", slave(member, master_now));
    }
    tell("-sdown", master(member));
    tell("-odown", master(member));
  }

 private:
  std::string of(const SentinelMember& master) const { return " @ " + name_ + " " + place(master); }

  const std::string& name_;
  std::vector<Publication>& out_;
};

void tell_changes(const Teller& teller, const SentinelView& before, const SentinelView& now) {
  const SentinelMember* then = before.master();
  const SentinelMember* master = now.master();
  CHECK_INVARIANT(then != nullptr && master != nullptr);
  const auto was_down = [&before](const SentinelMember& member) {
    const SentinelMember* same = find(before, member.id);
    return same != nullptr && same->down;
  };
  for (const SentinelMember& member : now.members) {
    if (member.down && !was_down(member)) {
      teller.went_down(member, *then, now);
    }
  }
  const bool switched = then->id != master->id || then->address() != master->address();
  if (switched) {
    teller.switched(*then, *master, now);
  }
  for (const SentinelMember& member : now.members) {
    if (!member.down && was_down(member)) {
      teller.came_up(member, *master);
    }
    if (!switched && member.id != master->id && find(before, member.id) == nullptr) {
      teller.tell("+slave", teller.slave(member, *master));
    }
  }
}

}  // namespace

std::vector<Publication> SentinelEvents::look(const SentinelView& now,
                                              const std::vector<std::string>& names) {
  std::vector<Publication> out;
  if (now.master() == nullptr) {
    return out;  // for a moment, and then what changed since the last one counts
  }
  std::set<NodeId> sentinels;
  for (const SentinelMember& member : now.members) {
    if (!member.myself && member.sentinel_port != 0) {
      sentinels.insert(member.id);
    }
  }
  if (before_) {
    for (const std::string& name : names) {
      const Teller teller(name, out);
      tell_changes(teller, *before_, now);
      for (const SentinelMember& member : now.members) {
        const bool fresh = sentinels.contains(member.id) && !sentinels_.contains(member.id);
        if (fresh) {
          teller.tell("+sentinel", teller.sentinel(member, *now.master()));
        }
      }
    }
  }
  before_ = now;
  sentinels_ = std::move(sentinels);
  return out;
}

}  // namespace kiwi::resp
