#include "actors/node/users_shell.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>
#include <utility>

#include "actors/client_loop.hpp"
#include "actors/node/storage.hpp"
#include "actors/peers/peer_auth.hpp"
#include "config/base/check.hpp"
#include "config/base/job_thread.hpp"
#include "config/base/log.hpp"
#include "config/base/sha256.hpp"
#include "resp/acl/file.hpp"
#include "resp/batch.hpp"
#include "resp/types/user_records.hpp"
#include "rocks/files.hpp"

namespace kiwi::actors {

namespace {

constexpr int64_t kProposeAgainMs = 2000;  // what was lost; a duplicate is refused by the state
constexpr int kSeedsAtThatPace = 5;        // then each after twice as long as the one before
constexpr int kSlowestSeed = 10;           // doublings: about half an hour
// A leader is the first to say what its options say; others say theirs if it has nothing to say.
constexpr int64_t kOthersFirstMs = 3000;
constexpr int kAsksPerSecond = 10;
constexpr size_t kAclFileBytesMax = size_t{16} << 20;  // more users have no room in the state

Error invalid(std::string text) { return Error{Errc::kInvalid, std::move(text)}; }

// In the state, with the default user, whom they may not name.
bool have_room(const resp::acl::Rights& rights) {
  constexpr uint64_t kEach = 128;  // more than the state counts beside names and rights
  uint64_t bytes = kEach * (rights.size() + 1);
  for (const auto& [name, user] : rights) {
    std::string record;
    user.encode(record);
    bytes += name.size() + record.size();
  }
  return rights.size() < resp::UserRecords::kCount && bytes <= resp::UserRecords::kBytes;
}

}  // namespace

UsersShell::UsersShell(NodeParts& node) : node_(node) {}

// ---------------------------------------------------------------- what the options say

Result<void> UsersShell::open() {
  const config::Options& options = node_.options;
  if (!options.aclfile.empty() && !options.users.empty()) {
    return invalid("users are defined by lines of the configuration and by aclfile " +
                   options.aclfile +
                   ": use one of them, for two lists of users are a way to forget who may get in");
  }
  if (Result<void> renamed = resp::check_renames(options.renamed); !renamed) {
    return renamed;
  }
  const resp::acl::RuleContext how{.all_channels = options.acl_pubsub_default ==
                                                   config::PubSubDefault::kAllChannels};
  Result<resp::acl::Rights> rights = resp::acl::parse_lines(options.users, how);
  if (!options.aclfile.empty()) {
    const Result<std::string> text = read_acl_file();
    rights = text ? resp::acl::parse_file(*text, options.aclfile, how)
                  : Result<resp::acl::Rights>(text.error());
  }
  if (!rights) {
    return invalid("the users that the options name cannot be taken: " + rights.error().text);
  }
  for (const auto& [name, user] : *rights) {
    if (!user.on()) {
      log_notice("the user " + name + " is off: there is no 'on' in its line");
    }
  }
  if (!have_room(*rights)) {
    return invalid("the options name more users than a cluster has room for: " +
                   std::to_string(resp::UserRecords::kCount) + ", or " +
                   std::to_string(resp::UserRecords::kBytes) + " bytes of them");
  }
  node_.context.accounts.set_own(std::move(*rights));
  node_.context.renames = resp::Renames(options.renamed);
  options_changed();
  return {};
}

Result<std::string> UsersShell::read_acl_file() const {
  const std::string& path = node_.options.aclfile;
  if (::access(path.c_str(), R_OK) != 0) {
    return Error{Errc::kIo,
                 "Error loading ACLs, opening file '" + path + "': " + std::strerror(errno)};
  }
  Result<std::string> text = rocks::read_whole_file(path);
  if (text && text->size() > kAclFileBytesMax) {
    return invalid("Error loading ACLs, the file '" + path + "' is over 16 MiB");
  }
  return text;
}

void UsersShell::save_acl_file(std::string text, resp::AdminDone done) {
  node_.config_writer->post(
      [this, path = node_.options.aclfile, text = std::move(text), done = std::move(done)] {
        const Result<void> written = rocks::write_file_durably(path, text, 0600);
        node_.client_loop->post([written, path, done] {
          if (written) {
            return done({});
          }
          log_warning("ACL SAVE failed: " + written.error().text);
          done(refused("ERR " + written.error().text));
        });
      });
}

// ---------------------------------------------------------------- what sessions ask for

void UsersShell::fill() {
  resp::NodeContext& context = node_.context;
  context.random_bytes = [](size_t bytes) { return random_nonce(bytes); };
  context.may_ask_login = [this] { return may_ask_login(); };
  context.read_acl_file = [this] { return read_acl_file(); };
  context.admin.save_acl_file = [this](std::string text, resp::AdminDone done) {
    save_acl_file(std::move(text), std::move(done));
  };
}

// Strangers ask it, too.
bool UsersShell::may_ask_login() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (now_ms - asks_since_ms_ >= 1000) {
    asks_since_ms_ = now_ms;
    asks_ = 0;
  }
  const bool serves = node_.context.status.service == resp::Service::kUp && node_.facts.raft.leader;
  return serves && asks_++ < kAsksPerSecond;
}

void UsersShell::options_changed() {
  audit_.go_to(node_.options.audit_log);
  node_.context.trail = nullptr;
  if (audit_.on()) {
    node_.context.trail = [this](std::string line) { audit_.add(std::move(line)); };
  }
}

// ---------------------------------------------------------------- what the state says

void UsersShell::users_applied() {
  resp::Executor& executor = node_.storage->executor();
  CHECK_INVARIANT(!executor.rests());
  const bool seeded = executor.users_seeded();
  node_.context.take_users(executor.users(), seeded);
  if (!seeded || std::exchange(said_ignored_, true)) {
    return;
  }
  if (node_.options.backup_dir.empty()) {
    log_notice(
        "backup-dir is empty: users who may say RAFT.BACKUP may have this node write into any "
        "directory");
  }
  for (const std::string& name : node_.context.accounts.ignored()) {
    log_warning("what this node's options say of the user " + name +
                " is ignored: the cluster has users of its own; ACL SETUSER and ACL LOAD change "
                "them");
  }
}

void UsersShell::timer() {
  const int64_t now_ms = ClientLoop::monotonic_ms();
  if (node_.context.status.service != resp::Service::kUp) {
    serves_since_ms_ = -1;
    return;
  }
  serves_since_ms_ = serves_since_ms_ < 0 ? now_ms : serves_since_ms_;
  seed(now_ms);
  reset_default_user(now_ms);
}

void UsersShell::seed(int64_t now_ms) {
  const resp::Accounts& accounts = node_.context.accounts;
  const bool first = node_.facts.leads() && node_.facts.raft.ready;
  if (accounts.seeded() || !accounts.says_something() || now_ms < next_seed_ms_ ||
      (!first && now_ms - serves_since_ms_ < kOthersFirstMs)) {
    return;
  }
  // One that the state has no room for would fill the log.
  next_seed_ms_ =
      now_ms + (kProposeAgainMs << std::clamp(++seeds_ - kSeedsAtThatPace, 0, kSlowestSeed));
  std::vector<std::string> words = accounts.to_seed();
  words.insert(words.begin(), "kiwi.seedusers");
  propose(words);
}

// Once: whoever changes the user afterwards, by this password, is not undone.
void UsersShell::reset_default_user(int64_t now_ms) {
  const std::string& password = node_.options.raft_reset_default_user;
  if (password.empty() || reset_done_ || now_ms < next_reset_ms_) {
    return;
  }
  const resp::Accounts& own = node_.context.accounts;
  if (!own.seeded() && own.says_something()) {
    return;  // else the cluster would count as seeded, without the other users of the options
  }
  const std::string hash = sha256_hex(password);
  const resp::acl::User& user = node_.context.accounts.users().default_user()->rights;
  const bool is_so = node_.context.accounts.seeded() && user.may_do_everything() &&
                     !user.needs_no_password() && user.accepts_hash(hash);
  if (is_so) {
    reset_done_ = true;
    log_warning(
        "raft.reset-default-user: the default user of the cluster has this password and every "
        "right now; take the option away");
    return;
  }
  next_reset_ms_ = now_ms + kProposeAgainMs;
  propose({"kiwi.resetdefault", hash});
}

void UsersShell::propose(const std::vector<std::string>& words) const {
  InternalProposal proposal;
  const std::vector<std::string_view> argv(words.begin(), words.end());
  resp::pack_command(proposal.packed_command, 0, argv);
  proposal.of_any_member = true;
  caf::anon_send(node_.router_actor, std::move(proposal));
}

}  // namespace kiwi::actors
