// Node: who is believed to be whom. Directories that are old copies (F52), ids that two processes
// claim (F49), clusters that were founded twice (F54), and members whose options differ where they
// should not.
#include <algorithm>
#include <string>
#include <utility>

#include "actors/node/node_state.hpp"
#include "config/base/check.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

// A copy of a running node's directory that is older than this is recognised when it is put back.
constexpr int64_t kMarkEveryMs = 60'000;
constexpr size_t kDoublesMax = 64;

std::string name(NodeId id) { return "node " + std::to_string(id.value); }

}  // namespace

// ---------------------------------------------------------------- old copies of directories

void Node::State::judge_directory(const PeerHello& hello) {
  const raft::Identity& own = storage->identity();
  if (hello.you == PeerHello::You::kOldCopy && hello.cluster == own.cluster && !bootstrap) {
    end_as_old_copy(name(hello.node) + " remembers that it went further");
  }
  Link& link = links.at(hello.node);
  const raft::Mark known = known_marks.of(hello.node, hello.incarnation);
  if (raft::goes_on_from(hello.marks, known)) {
    link.old_copy = false;
    if (!hello.marks.empty()) {
      remember_mark(hello.node, hello.incarnation, hello.marks.back());
    }
    return;
  }
  if (!std::exchange(link.old_copy, true)) {
    log_warning(
        name(hello.node) +
        " runs on an old copy of its data directory: what it acknowledged and whom it voted "
        "for since the copy was made is forgotten there, so it is not linked to. Wipe that "
        "directory and start the node again: it comes back as a new one");
  }
}

void Node::State::remember_mark(NodeId peer,
                                const Incarnation& incarnation,
                                const raft::Mark& mark) {
  if (known_marks.remember(peer, incarnation, mark)) {
    log_worker->post([dir = options.dir, encoded = known_marks.encode()] {
      if (Result<void> stored = KnownMarks::store(dir, encoded); !stored) {
        log_warning("what is known of the peers' directories was not written: " +
                    stored.error().text);
      }
    });
  }
}

void Node::State::take_marks(NodeId peer, const std::string& bytes) {
  Result<std::vector<raft::Mark>> marks = raft::decode_marks(bytes);
  const raft::Member* member = configuration.find(peer);
  if (marks && !marks->empty() && member != nullptr) {
    remember_mark(peer, member->incarnation, marks->back());
  }
}

// A mark is on disk before anybody hears of it.
void Node::State::marks_timer() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (!replica_actor || mark_under_way) {
    return;
  }
  if (next_mark_ms == 0) {
    next_mark_ms = now_ms + kMarkEveryMs;  // the start drew one
  }
  if (now_ms < next_mark_ms) {
    return;
  }
  next_mark_ms = now_ms + kMarkEveryMs;
  mark_under_way = true;
  std::vector<raft::Mark> marks = storage->marks();
  raft::add_mark(marks, random_mark());
  log_worker->post([this, dir = options.dir, incarnation = storage->identity().incarnation, marks] {
    const Result<void> stored = store_marks(dir, incarnation, marks);
    if (!stored) {
      log_warning("a mark of this data directory was not written: " + stored.error().text);
    }
    client_loop->post([this, marks, durable = stored.has_value()] {
      mark_under_way = false;
      if (durable) {
        marks_are_durable(marks);
      }
    });
  });
}

void Node::State::marks_are_durable(const std::vector<raft::Mark>& marks) {
  storage->set_marks(marks);
  for (const raft::Member& member : configuration.members) {
    if (member.id != options.node_id() && replica_actor) {
      caf::anon_send(
          replica_actor,
          PeerNote{member.id, encode_word({true, kMarksWord, raft::encode_marks(marks)})});
    }
  }
}

// The note keeps it from being started again: each start draws a mark, and after some of them the
// peers could not tell the copy from the directory any more.
void Node::State::end_as_old_copy(const std::string& proof) {
  const std::string sentence = "the data directory " + options.dir +
                               " is an old copy of itself: " + proof +
                               ". What this node acknowledged and whom it voted for since the copy "
                               "was made is not in it, so "
                               "it must not take part. Delete the directory and start the node "
                               "again: it comes back as a new "
                               "one, and the others refill it. (A copy of a node's directory is no "
                               "backup; RAFT.BACKUP makes "
                               "one, kiwi-server --restore reads it.)";
  if (Result<void> left = leave_old_copy_note(options.dir, sentence); !left) {
    log_warning(left.error().text);
  }
  fatal(sentence);
}

// ---------------------------------------------------------------- what the core found out

void Node::State::observe_identity(const RaftReport& report) {
  const raft::Identity& own = storage->identity();
  for (const raft::ProposeRefused& refused : report.refused) {
    const raft::ProposalNumber& number = refused.number;
    if (refused.reason == raft::RefusalReason::kOldEpoch && number.node == own.node &&
        number.incarnation == own.incarnation && number.epoch == own.boot_epoch) {
      end_as_old_copy("the leader has applied writes of a later start of it");
    }
  }
  for (const raft::Event& event : report.events) {
    if (const auto* old = std::get_if<raft::OldCopyFound>(&event)) {
      end_as_old_copy("the log holds writes of its start number " + std::to_string(old->epoch) +
                      ", and this is number " + std::to_string(own.boot_epoch));
    } else if (const auto* lives = std::get_if<raft::MemberLives>(&event)) {
      member_lives(*lives);
    }
  }
}

// F49. A node that was wiped says so before its old life is known to be dead: that is not worth a
// word until an election timeout has passed twice.
void Node::State::member_lives(const raft::MemberLives& lives) {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (doubles.size() >= kDoublesMax && !doubles.contains(lives.newcomer.incarnation)) {
    doubles.clear();
  }
  int64_t& since_ms = doubles.try_emplace(lives.newcomer.incarnation, now_ms).first->second;
  if (since_ms >= 0 && now_ms - since_ms < 4 * options.raft_election_timeout) {
    return;
  }
  const std::string in_use = name(lives.member.id) + " lives at " + lives.member.peer_address +
                             " and stays a member: the process with an empty data directory at " +
                             lives.newcomer.peer_address + " says the same id";
  if (since_ms >= 0) {
    since_ms = -1;
    log_warning(in_use + ". Give it a raft.id of its own, or stop the node that it is to replace");
  }
  for (Order& order : orders) {
    const auto* add = std::get_if<AddMember>(&order.what);
    const auto* move = std::get_if<MoveMember>(&order.what);
    const raft::Member* wanted = add != nullptr    ? &add->member
                                 : move != nullptr ? &move->member
                                                   : nullptr;
    if (wanted != nullptr && wanted->incarnation == lives.newcomer.incarnation) {
      order.error = "ERR node id has already been used in this cluster: " + in_use;
    }
  }
}

// ---------------------------------------------------------------- options and clusters

void Node::State::compare_timeouts(const PeerHello& hello) {
  Link& link = links.at(hello.node);
  if (std::exchange(link.election_timeout_ms, hello.election_timeout_ms) ==
      hello.election_timeout_ms) {
    return;
  }
  context.status.links[hello.node].election_timeout_ms = hello.election_timeout_ms;
  if (hello.election_timeout_ms != static_cast<uint32_t>(options.raft_election_timeout)) {
    log_warning(name(hello.node) + " has raft.election-timeout " +
                std::to_string(hello.election_timeout_ms) + ", this node " +
                std::to_string(options.raft_election_timeout) +
                ": give all members the same, or some of them start elections for nothing");
  }
}

// F54: this node founded a cluster of itself alone, and a member of another one knows it as a
// member of earlier times. Its directory was lost, and it began a second history of the same data.
void Node::State::judge_cluster(const PeerHello& hello) {
  const bool alone = configuration.members.size() == 1 && configuration.find(options.node_id());
  // Two clusters talk no further than the first word, so it may not know yet which life this is.
  const bool knows =
      hello.you == PeerHello::You::kKnown || hello.you == PeerHello::You::kOtherIncarnation;
  if (!hello.initialized() || hello.cluster == storage->identity().cluster || !alone || !knows ||
      gate.is_second_cluster()) {
    return;
  }
  gate.set_second_cluster();
  log_warning(name(hello.node) + " is a member of cluster " + hello.cluster.hex() +
              ", which knows this node, " + name(options.node_id()) +
              ", as one of its members with another data directory. That directory was lost, and "
              "this node founded cluster " +
              storage->identity().cluster.hex() +
              " by itself. It serves nothing any more: stop it, delete " + options.dir +
              ", set raft.join to the address of another member and start it again");
}

void Node::State::advise_join_option() {
  if (join_option_advised || committed.members.size() < 2 || !options.raft_peers.empty() ||
      !options.raft_join.empty() || options.raft_bootstrap != config::Bootstrap::kAuto) {
    return;
  }
  join_option_advised = true;
  log_warning(
      "this cluster has " + std::to_string(committed.members.size()) +
      " members, but this node's configuration has neither raft.peers nor raft.join: if its "
      "data directory were lost it would found a cluster of its own. Set raft.join to the "
      "addresses of other members");
}

}  // namespace kiwi::actors
