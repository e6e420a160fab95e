#include "actors/node/announcement_shell.hpp"

#include <utility>

#include "actors/client_loop.hpp"
#include "config/base/log.hpp"
#include "resp/texts.hpp"

namespace kiwi::actors {

namespace {
constexpr int64_t kWishMs = 5000;
// A member that just joins takes notes of nobody, for it does not know the members yet.
constexpr uint64_t kAgainRounds = 20;  // two seconds
}  // namespace

void AnnouncementShell::fill(resp::Admin& admin) {
  admin.sentinel_failover = [this] { return fail_over(); };
}

void AnnouncementShell::timer() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  notice_links(now_ms);
  tell_serving();
  pursue_wish(now_ms);
  look();
  tell_names();
  tell_events();
  if (node_.timer_rounds % kAgainRounds == 0) {
    for (const raft::Member& member : node_.facts.latest.members) {
      if (member.id != node_.facts.self) {
        tell_what_is(member.id);
      }
    }
  }
}

void AnnouncementShell::notice_links(int64_t now_ms) const {
  for (auto& [peer, link] : node_.context.status.links) {
    if (link.up) {
      link.down_since_ms = -1;
    } else if (link.down_since_ms < 0) {
      link.down_since_ms = now_ms;
    }
  }
}

bool AnnouncementShell::serves() const {
  return node_.context.status.service == resp::Service::kUp;
}

MemberState AnnouncementShell::state_of(NodeId node) const {
  // Clients of Sentinel write: without a proxy only the leader takes that.
  const bool takes_writes = node_.options.raft_follower_proxy || node == node_.facts.raft.leader;
  if (node == node_.facts.self) {
    return {true, 0, serves() && takes_writes, node_.draining};
  }
  const auto found = node_.context.status.links.find(node);
  if (found == node_.context.status.links.end()) {
    return {};
  }
  const resp::LinkStatus& link = found->second;
  return {link.up, link.down_since_ms < 0 ? ClientLoop::monotonic_ms() : link.down_since_ms,
          link.serves && takes_writes, link.drains};
}

// ---------------------------------------------------------------- the announcement

void AnnouncementShell::look() {
  if (announcement_.look([this](NodeId node) { return state_of(node); },
                         ClientLoop::monotonic_ms())) {
    tell_all(AnnouncedNote{announcement_.now()});
    announced();
  }
}

void AnnouncementShell::announced() {
  const Announced& now = announcement_.now();
  log_notice("node " + std::to_string(now.node.value) +
             " is announced as master to clients of Sentinel");
  const int64_t now_ms = ClientLoop::monotonic_ms();
  notice_links(now_ms);  // the one before it may be gone: that is told first
  node_.context.announced = {now.node, now.epoch(), now_ms};
  tell_events();
}

void AnnouncementShell::take(NodeId, const AnnouncedNote& note) {
  if (announcement_.take(note.announced)) {
    announced();
  }
}

void AnnouncementShell::take(NodeId, const WishNote& note) {
  announcement_.wish(note.node);
  look();
}

void AnnouncementShell::take(NodeId from, const ServingNote& note) {
  resp::LinkStatus& link = node_.context.status.links[from];
  link.serves = note.serves;
  link.drains = note.drains;
  look();
}

void AnnouncementShell::take(NodeId, const MasterNamesNote& note) {
  resp::MasterNames& names = node_.context.master_names;
  const bool own = names.take_news();
  for (const std::string& name : note.names) {
    names.touch(name);
  }
  names.take_news();  // the others were told, too
  if (own) {
    tell_all(MasterNamesNote{names.asked_for()});
  }
}

// ---------------------------------------------------------------- SENTINEL FAILOVER

NodeId AnnouncementShell::other_master() const {
  const NodeId now = resp::announced_master(node_.context);
  const auto fits = [&](NodeId node) {
    const MemberState state = state_of(node);
    return node != now && state.linked && state.serves && !state.drains;
  };
  if (fits(node_.facts.raft.leader)) {
    return node_.facts.raft.leader;
  }
  for (const NodeId voter : node_.facts.committed.voters) {
    if (fits(voter)) {
      return voter;
    }
  }
  return {};
}

std::string AnnouncementShell::fail_over() {
  if (wish_) {
    return std::string(resp::texts::kFailoverInProgress);
  }
  const NodeId target = other_master();
  if (!target) {
    return std::string(resp::texts::kNoGoodReplica);
  }
  const int64_t now_ms = ClientLoop::monotonic_ms();
  wish_ = Wish{target, now_ms + kWishMs};
  pursue_wish(now_ms);
  if (target != node_.facts.raft.leader) {
    node_.context.admin.transfer_leadership(target, [](const resp::AdminAnswer& answer) {
      if (!answer.error.empty()) {
        log_notice("SENTINEL FAILOVER: leadership did not move: " + answer.error);
      }
    });
  }
  return {};
}

// Said again and again, for the leader may change meanwhile.
void AnnouncementShell::pursue_wish(int64_t now_ms) {
  if (!wish_) {
    return;
  }
  if (wish_->node == announcement_.now().node || now_ms >= wish_->until_ms) {
    wish_.reset();
    return;
  }
  if (node_.facts.leads()) {
    announcement_.wish(wish_->node);
  } else if (node_.facts.raft.leader) {
    tell_(node_.facts.raft.leader, WishNote{wish_->node});
  }
}

// ---------------------------------------------------------------- what others are told

void AnnouncementShell::tell_all(const FaceNote& note) const {
  for (const raft::Member& member : node_.facts.latest.members) {
    if (member.id != node_.facts.self) {
      tell_(member.id, note);
    }
  }
}

// All of it; what is known there already changes nothing.
void AnnouncementShell::tell_what_is(NodeId peer) {
  tell_(peer, ServingNote{serves(), node_.draining});
  if (announcement_.now().node) {
    tell_(peer, AnnouncedNote{announcement_.now()});
  }
  if (const std::vector<std::string> names = node_.context.master_names.asked_for();
      !names.empty()) {
    tell_(peer, MasterNamesNote{names});
  }
}

void AnnouncementShell::tell_serving() {
  const bool serving = serves();
  if (std::exchange(said_serves_, serving) != serving ||
      std::exchange(said_drains_, node_.draining) != node_.draining) {
    said_drains_ = node_.draining;
    tell_all(ServingNote{serving, node_.draining});
  }
}

void AnnouncementShell::tell_names() {
  resp::MasterNames& names = node_.context.master_names;
  if (configured_names_ != node_.options.sentinel_master_names) {
    configured_names_ = node_.options.sentinel_master_names;
    names.configure(configured_names_);
  }
  if (names.take_news()) {
    tell_all(MasterNamesNote{names.asked_for()});
  }
}

// ---------------------------------------------------------------- what clients are told

void AnnouncementShell::tell_events() {
  if (node_.options.sentinel_port == 0) {
    return;
  }
  resp::NodeContext& context = node_.context;
  context.status.raft = node_.facts.raft;
  context.publish_sentinel(
      context.sentinel_events.look(resp::view_sentinel(context), context.master_names.all()));
}

}  // namespace kiwi::actors
