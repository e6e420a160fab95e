#include "actors/node/peers_shell.hpp"

#include <algorithm>
#include <utility>

#include "actors/client_loop.hpp"
#include "config/base/job_thread.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

constexpr uint64_t kListenerRounds = 300;    // half a minute
constexpr uint64_t kExpiryRounds = 864'000;  // a day
constexpr int64_t kMsPerSecond = 1000;
// A copy of a running node's directory that is older than this is recognised when it is put back.
constexpr int64_t kMarkEveryMs = 60'000;
constexpr int64_t kRenewalMs = 1000;
constexpr int64_t kStoreAgainMs = 1000;  // what could not be written

std::string name(NodeId id) { return "node " + std::to_string(id.value); }

PeerDirectory::Options directory_options(const config::Options& options) {
  return {options.raft_peers,
          options.raft_bootstrap,
          static_cast<uint32_t>(options.raft_election_timeout),
          options.tls_client_address(),
          resp::port_of(options, resp::Face::kCluster),
          resp::port_of(options, resp::Face::kSentinel)};
}

}  // namespace

PeersShell::PeersShell(NodeParts& node,
                       FoundingShell& founding,
                       JoiningShell& joining,
                       OrdersShell& orders)
    : node_(node),
      founding_(founding),
      joining_(joining),
      orders_(orders),
      directory_(node.facts, node.own, directory_options(node.options), {}) {
  node_.members_changed = [this] { ensure_links(); };
}

// ---------------------------------------------------------------- links

Result<void> PeersShell::secure(const config::Options& options) {
  const PeerSecurityPtr& now = node_.peer_security;
  if (now != nullptr && !now->secret.empty() && options.raft_cluster_secret.empty()) {
    return Error{Errc::kInvalid,
                 "raft.cluster-secret cannot be taken away while the node runs, only replaced"};
  }
  Result<PeerSecurityPtr> made = make_peer_security(options, now);
  if (!made) {
    return made.error();
  }
  if (now != nullptr && now->made_of == (*made)->made_of) {
    return {};  // links stay as they are: SIGHUP comes for the log file, too
  }
  if (const std::string weakness = weakness_of(**made); !weakness.empty()) {
    log_warning(weakness);
  }
  node_.peer_security = std::move(*made);
  warn_of_expiry();
  return {};
}

void PeersShell::warn_of_expiry() const {
  const std::string end =
      end_of_certificate(*node_.peer_security, ClientLoop::wall_ms() / kMsPerSecond);
  if (!end.empty()) {
    log_warning(end);
  }
}

// One a second, so that a majority is linked all the time.
void PeersShell::renew_links() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (now_ms < next_renewal_ms_) {
    return;
  }
  for (const auto& [peer, link] : links_) {
    if (link.renew()) {
      log_notice("the link to " + name(peer) + " is made anew: what protects it has changed here");
      next_renewal_ms_ = now_ms + kRenewalMs;
      return;
    }
  }
}

Result<void> PeersShell::open_port() {
  if (Result<void> secured = secure(node_.options); !secured) {
    return secured;
  }
  Result<KnownMarks> known = KnownMarks::load(node_.options.dir);
  if (!known) {
    return known.error();
  }
  directory_.remembers(std::move(*known));
  PeerListenerOptions listening;
  listening.self = node_.facts.self;
  listening.security = [this] { return node_.peer_security; };
  listening.bind = node_.options.bind;
  listening.port = node_.options.peer_port();
  listening.backlog = 128;
  listening.knows = [this](NodeId id) { return directory_.admits(id); };
  listening.accepted = [this](NodeId id, AcceptedPeer accepted) {
    add_link(id);
    if (const auto link = links_.find(id); link != links_.end()) {
      link->second.accept(std::move(accepted));
    }
  };
  listening.visited = [this](NodeId from, const std::string& question,
                             std::function<void(std::string)> tell) {
    joining_.visited(from, question, std::move(tell));
  };
  listening.refused = [this] { ++node_.metrics.link_refusals; };
  listener_ = std::make_unique<PeerListener>(*node_.client_loop, std::move(listening));
  return listener_->listen();
}

void PeersShell::ensure_links() {
  tell_listener_of_members();
  for (const NodeId peer : directory_.to_link()) {
    add_link(peer);
  }
}

void PeersShell::tell_listener_of_members() { listener_->members_at(directory_.hosts()); }

void PeersShell::add_link(NodeId peer) {
  if (closed_ || directory_.is_linked(peer)) {
    return;
  }
  directory_.linked(peer);
  PeerLinkOptions link;
  link.self = node_.facts.self;
  link.peer = peer;
  link.security = [this] { return node_.peer_security; };
  link.connection_timeout_ms = std::min<int64_t>(node_.options.raft_connection_timeout, 1000);
  link.reconnect_interval_ms = node_.options.raft_reconnect_interval;
  link.loop = node_.client_loop.get();
  link.address = [this, peer] { return directory_.next_address(peer); };
  link.hello = [this, peer] { return directory_.hello_for(peer); };
  link.peer_said = [this](const PeerHello& hello) { peer_said(hello); };
  link.approves = [this, peer](const PeerHello&) { return directory_.may_link(peer); };
  link.is_member = [this, peer](const Incarnation& life) {
    return node_.facts.latest.has(peer, life);
  };
  link.peer_gone = [this, peer] { peer_gone(peer); };
  link.replica = [this] { return node_.replica; };
  link.status = &node_.context.status.links[peer];
  links_[peer] = spawn_peer_link(*node_.system, node_.client_loop->hosting(), std::move(link));
}

void PeersShell::peer_said(const PeerHello& hello) {
  const std::optional<HelloNews> news = directory_.said(hello);
  if (!news) {
    return;
  }
  if (news->own_copy_is_old) {
    end_as_old_copy(name(hello.node) + " remembers that it went further, or another way");
  }
  resp::LinkStatus& link = node_.context.status.links[hello.node];
  link.election_timeout_ms = hello.election_timeout_ms;
  link.tls_client_address = hello.tls_client_address;
  link.cluster_port = static_cast<uint16_t>(hello.cluster_port);
  link.sentinel_port = static_cast<uint16_t>(hello.sentinel_port);
  if (news->marks_moved) {
    marks_of_peers_moved({directory_.marks_of(hello.node)});
  }
  say(hello, *news);
  founding_.peer_said(hello);
  if (news->removed_here) {
    joining_.removed_says(hello.node);
  }
  if (news->second_cluster) {
    node_.gate.set_second_cluster();
  }
  if (news->former_life_here) {
    joining_.replaced();
  }
}

void PeersShell::say(const PeerHello& hello, const HelloNews& news) const {
  const std::string peer = name(hello.node);
  if (news.peer_copy_is_old) {
    log_warning(peer +
                " runs on an old copy of its data directory: what it acknowledged and whom it "
                "voted for since the copy was made is forgotten there, so it is not linked to. "
                "Wipe that directory and start the node again: it comes back as a new one");
  }
  if (news.peer_is_behind) {
    log_notice(peer +
               " said hello from before what is known of its data directory: it says it again, or "
               "runs on an old copy and ends");
  }
  if (news.timeout_differs) {
    log_warning(peer + " has raft.election-timeout " + std::to_string(hello.election_timeout_ms) +
                ", this node " + std::to_string(node_.options.raft_election_timeout) +
                ": give all members the same, or some of them start elections for nothing");
  }
  if (news.second_cluster && !node_.gate.is_second_cluster()) {
    log_warning(peer + " is a member of cluster " + hello.cluster.hex() +
                ", which knows this node, " + name(node_.facts.self) +
                ", as one of its members with another data directory. That directory was lost, "
                "and this node founded cluster " +
                node_.own.cluster.hex() +
                " by itself. It serves nothing any more: stop it, delete " + node_.options.dir +
                ", set raft.join to the address of another member and start it again");
  }
  if (news.came_back_empty) {
    log_warning(peer +
                " came back with an empty data directory: what it had promised is gone, so it has "
                "no vote. " +
                (news.came_back_elsewhere
                     ? "It is at another address, " + hello.peer_address +
                           ", so it may be somebody else: RAFT.NODE ADD " +
                           std::to_string(hello.node.value) + " " + hello.client_address +
                           " puts it in the member's place"
                     : "The leader replaces it through the log: the old member goes, the new one "
                       "comes in as a learner and votes again when it has all data"));
  }
}

void PeersShell::peer_gone(NodeId peer) {
  directory_.gone(peer);
  founding_.peer_gone(peer);
}

// Only on a link that is up: a node that is away may come back as an older build.
std::vector<MemberVersion> PeersShell::versions() const {
  std::vector<MemberVersion> members;
  const auto& links = node_.context.status.links;
  for (const raft::Member& member : node_.facts.latest.members) {
    if (member.id == node_.facts.self) {
      continue;
    }
    const auto link = links.find(member.id);
    const bool up = link != links.end() && link->second.up;
    members.push_back(
        {member.id, up ? directory_.version_max_of(member) : std::optional<uint32_t>()});
  }
  return members;
}

void PeersShell::timer() {
  if (node_.timer_rounds % kListenerRounds == 0) {
    tell_listener_of_members();  // names may lead elsewhere by now
  }
  for (const auto& [peer, link] : links_) {
    caf::anon_send(link.handle, timer_atom_v);
  }
  renew_links();
  if (node_.timer_rounds % kExpiryRounds == kExpiryRounds - 1) {
    warn_of_expiry();
  }
  joining_.returned(directory_.returned());
  draw_mark();
  store_marks_of_peers();
}

void PeersShell::configuration_committed() {
  directory_.members_changed();
  advise_join_option();
}

// ---------------------------------------------------------------- marks of directories (F52)

void PeersShell::take(const PeerNote& from, const MarksNote& note) {
  heed(directory_.has_marks(from.peer, from.incarnation, note.marks), {});
}

// A start that only some members saw is known to whoever hears from one of them.
void PeersShell::take(NodeId from, const KnownMarksNote& note) {
  heed(directory_.others_know(note.marks),
       name(from) + " knows from others that it went further, or another way");
}

void PeersShell::heed(const PeerDirectory::MarksNews& news, const std::string& proof_against_this) {
  if (news.own_copy_is_old) {
    end_as_old_copy(proof_against_this);
  }
  if (!news.moved.empty()) {
    marks_of_peers_moved(news.moved);
  }
  // Whatever it says from now on does not count here, votes and acknowledgements first of all. Its
  // next hello is answered with both marks, and it ends.
  for (const NodeId peer : news.forked) {
    log_warning(name(peer) +
                " runs on an old copy of its data directory: two starts of that directory have the "
                "same number, so a copy of it ran beside it or after it. What one of them "
                "acknowledged and whom it voted for is forgotten in the other, so it is not linked "
                "to. Wipe that directory and start the node again: it comes back as a new one");
    if (const auto link = links_.find(peer); link != links_.end()) {
      link->second.refuse("two copies of its data directory ran");
    }
  }
}

void PeersShell::marks_of_peers_moved(const std::vector<KnownMarks::Item>& moved) {
  node_.tell_members(KnownMarksNote{KnownMarks::encode(moved)});
  store_marks_of_peers();
}

// Nobody is linked to before its start is on this disk: what it acknowledges here would be
// forgotten with the start if this node ended now. What fails is tried again; meanwhile peers of
// which only later marks are not stored come back as before.
void PeersShell::store_marks_of_peers() {
  if (peers_store_under_way_ || directory_.marks_are_stored() ||
      (peers_store_failed_ && ClientLoop::monotonic_ms() < next_peers_store_ms_)) {
    return;
  }
  peers_store_under_way_ = true;
  node_.worker->post([this, dir = node_.options.dir, encoded = directory_.encode_marks(),
                      version = directory_.marks_version(), warned = peers_store_failed_] {
    const Result<void> stored = KnownMarks::store(dir, encoded);
    if (!stored && !warned) {
      log_warning(
          "what is known of the peers' directories was not written, so peers that start "
          "are not linked to until it is: " +
          stored.error().text);
    }
    node_.client_loop->post([this, version, durable = stored.has_value()] {
      peers_store_under_way_ = false;
      peers_store_failed_ = !durable;
      if (!durable) {
        next_peers_store_ms_ = ClientLoop::monotonic_ms() + kStoreAgainMs;
        return;
      }
      directory_.marks_stored(version);
      for (const auto& [peer, link] : links_) {
        caf::anon_send(link.handle, timer_atom_v);  // one of them waits for it
      }
      store_marks_of_peers();
    });
  });
}

// A mark is on disk before anybody hears of it.
void PeersShell::draw_mark() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (!node_.facts.core_runs || mark_under_way_) {
    return;
  }
  if (next_mark_ms_ == 0) {
    next_mark_ms_ = now_ms + kMarkEveryMs;  // the start drew one
  }
  if (now_ms < next_mark_ms_) {
    return;
  }
  next_mark_ms_ = now_ms + kMarkEveryMs;
  mark_under_way_ = true;
  std::vector<raft::Mark> marks = node_.own.marks;
  raft::add_mark(marks, random_mark());
  node_.worker->post([this, dir = node_.options.dir, life = node_.own.member.incarnation, marks] {
    const Result<void> stored = store_marks(dir, life, marks);
    if (!stored) {
      log_warning("a mark of this data directory was not written: " + stored.error().text);
    }
    node_.client_loop->post([this, marks, durable = stored.has_value()] {
      mark_under_way_ = false;
      if (durable) {
        marks_are_durable(marks);
      }
    });
  });
}

void PeersShell::marks_are_durable(const std::vector<raft::Mark>& marks) {
  node_.own.marks = marks;
  node_.tell_members(MarksNote{marks});
}

// The note keeps it from being started again: each start draws a mark, and after some of them the
// peers could not tell the copy from the directory any more.
void PeersShell::end_as_old_copy(const std::string& proof) const {
  const std::string& dir = node_.options.dir;
  const std::string sentence =
      "the data directory " + dir + " is an old copy of itself: " + proof +
      ". What this node acknowledged and whom it voted for since the copy was made is not in it, "
      "so "
      "it must not take part. Delete the directory and start the node again: it comes back as a "
      "new one, and the others refill it. (A copy of a node's directory is no backup; RAFT.BACKUP "
      "makes one, kiwi-server --restore reads it.)";
  if (Result<void> left = leave_old_copy_note(dir, sentence); !left) {
    log_warning(left.error().text);
  }
  fatal(sentence);
}

// ---------------------------------------------------------------- what the core found out

void PeersShell::observe(const RaftReport& report) {
  const OwnNode& own = node_.own;
  for (const NodeId peer : report.links_up) {
    directory_.link_is_up(peer);
    caf::anon_send(node_.replica,
                   PeerNote{peer, encode_note(KnownMarksNote{directory_.marks_of_members()})});
  }
  for (const raft::ProposeRefused& refused : report.refused) {
    const raft::ProposalNumber& number = refused.number;
    if (refused.reason == raft::RefusalReason::kOldEpoch && number.node == own.member.id &&
        number.incarnation == own.member.incarnation && number.epoch == own.boot_epoch) {
      end_as_old_copy("the leader has applied writes of a later start of it");
    }
  }
  for (const raft::Event& event : report.events) {
    if (const auto* old = std::get_if<raft::OldCopyFound>(&event)) {
      end_as_old_copy("the log holds writes of its start number " + std::to_string(old->epoch) +
                      (old->epoch == own.boot_epoch
                           ? ", and this start, which has that number, did not make them"
                           : ", and this is number " + std::to_string(own.boot_epoch)));
    } else if (const auto* lives = std::get_if<raft::MemberLives>(&event)) {
      member_lives(*lives);
    }
  }
}

void PeersShell::member_lives(const raft::MemberLives& lives) {
  const auto seen = directory_.double_seen(lives, ClientLoop::monotonic_ms());
  if (seen == PeerDirectory::Double::kMaybe) {
    return;
  }
  if (seen == PeerDirectory::Double::kNews) {
    log_warning(name(lives.member.id) + " lives at " + lives.member.peer_address +
                " and stays a member: the process with an empty data directory at " +
                lives.newcomer.peer_address +
                " says the same id. Give it a raft.id of its own, or stop the node that it is to "
                "replace");
  }
  orders_.member_lives(lives);
}

void PeersShell::advise_join_option() {
  const config::Options& options = node_.options;
  const size_t members = node_.facts.committed.members.size();
  if (join_option_advised_ || members < 2 || !options.raft_peers.empty() ||
      !options.raft_join.empty() || options.raft_bootstrap != config::Bootstrap::kAuto) {
    return;
  }
  join_option_advised_ = true;
  log_warning("this cluster has " + std::to_string(members) +
              " members, but this node's configuration has neither raft.peers nor raft.join: if "
              "its data directory were lost it would found a cluster of its own. Set raft.join to "
              "the addresses of other members");
}

}  // namespace kiwi::actors
