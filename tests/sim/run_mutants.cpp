#include <algorithm>
#include <cstdio>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

#include "raft/mutants.hpp"
#include "resp/mutants.hpp"
#include "tests/sim/runner.hpp"

namespace kiwi::sim {

namespace {

// Of severity S0, an acknowledged write lost or done twice, a stale or impossible answer, nodes
// that differ: the simulation has to see each of them within so many seeds (scripts/test mutants).
constexpr std::string_view kS0[] = {
    // raft
    "vote-before-persist", "ack-before-persist", "commit-old-terms", "no-noop-gate",
    "read-without-confirmation", "truncate-matching-suffix", "stale-token-believed",
    "removed-voter-counted", "learner-counted", "commit-by-last-index", "read-bound-ignored",
    "configuration-not-rolled-back", "wiped-voter-counted", "read-counted-early",
    "new-term-keeps-clock", "suffix-dropped-at-install", "ack-while-installing",
    "reader-clock-unlimited", "unapplied-kept", "living-member-replaced", "old-copy-counted",
    // resp
    "number-reused", "void-not-sent", "refusal-answered-at-once", "zombie-after-timeout",
    "timeout-says-failed", "read-ignores-writes", "write-overtakes-reads", "duplicate-applied",
    "read-before-index", "expire-unconditional", "long-read-old-clock", "long-read-overtaken",
    "lost-reply-says-err", "round-beside-clamped", "serve-in-vain-answered", "timeout-beside-serve",
    "once-floor-ignored",
    // storage
    "vote-not-persisted", "applied-index-not-in-batch", "sync-lies", "epoch-not-raised",
    "wiped-node-keeps-id", "checkpoint-index-from-memory", "installed-state-not-synced"};

const char* severity_of(const std::string& name) {
  return std::ranges::find(kS0, name) != std::end(kS0) ? "S0" : "S1";
}

struct Bug {
  std::string where;
  std::string name;
  std::function<void()> switch_on;
  std::string storage;  // a mutant of the simulated disks
};

std::vector<Bug> known_bugs() {
  std::vector<Bug> bugs;
#ifdef KIWI_MUTANTS
  for (size_t i = 1; i < static_cast<size_t>(raft::Mutant::kCount); ++i) {
    auto mutant = static_cast<raft::Mutant>(i);
    bugs.push_back({"raft", raft::mutant_name(mutant), [=] { raft::set_mutant(mutant); }, ""});
  }
  for (size_t i = 1; i < static_cast<size_t>(resp::Mutant::kCount); ++i) {
    auto mutant = static_cast<resp::Mutant>(i);
    bugs.push_back({"resp", resp::mutant_name(mutant), [=] { resp::set_mutant(mutant); }, ""});
  }
  for (const char* name :
       {"vote-not-persisted", "applied-index-not-in-batch", "sync-lies", "epoch-not-raised",
        "wiped-node-keeps-id", "checkpoint-index-from-memory", "installed-state-not-synced"}) {
    bugs.push_back({"storage", name, [] {}, name});
  }
#endif
  return bugs;
}

// One process a seed: a mutant may abort it, hang it or corrupt its memory.
struct Outcome {
  bool caught = false;
  std::string by;
};
Outcome run_child(const Bug& bug, uint64_t seed) {
  int pipe_ends[2];
  if (pipe(pipe_ends) != 0) {
    return {};
  }
  pid_t child = fork();
  if (child == 0) {
    close(pipe_ends[0]);
    dup2(pipe_ends[1], STDERR_FILENO);
    alarm(60);
    tell_seed_on_abort();
    bug.switch_on();
    SeedResult result = run_seed(seed, false, bug.storage);
    if (!result.good) {
      std::fprintf(stderr, "check '%s'\n", result.check.c_str());
    }
    _exit(result.good ? 0 : 1);
  }
  close(pipe_ends[1]);
  std::string said;
  char buffer[512];
  for (ssize_t n; (n = read(pipe_ends[0], buffer, sizeof(buffer))) > 0;) {
    said.append(buffer, static_cast<size_t>(n));
  }
  close(pipe_ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  return {true, said.substr(0, said.find('\n'))};
}

}  // namespace

int list_mutants() {
  std::vector<Bug> bugs = known_bugs();
  for (const Bug& bug : bugs) {
    std::printf("%s %s %s\n", bug.where.c_str(), bug.name.c_str(), severity_of(bug.name));
  }
  return bugs.empty() ? 2 : 0;
}

int run_mutants(uint64_t first_seed, uint64_t seeds_max, const std::string& only) {
  std::vector<Bug> bugs = known_bugs();
  if (bugs.empty()) {
    std::fprintf(stderr, "this build has no mutants: configure with -DKIWI_MUTANTS=ON\n");
    return 2;
  }
  int survivors = 0;
  std::printf("%-8s %-32s %6s  %s\n", "where", "mutant", "seeds", "caught by");
  for (const Bug& bug : bugs) {
    if (!only.empty() && bug.name != only) {
      continue;
    }
    Outcome outcome;
    uint64_t seed = first_seed - 1;
    while (!outcome.caught && seed < first_seed - 1 + seeds_max) {
      outcome = run_child(bug, ++seed);
    }
    survivors += outcome.caught ? 0 : 1;
    std::printf("%-8s %-32s %6llu  %s\n", bug.where.c_str(), bug.name.c_str(),
                static_cast<unsigned long long>(seed),
                outcome.caught ? outcome.by.c_str() : "SURVIVED");
    std::fflush(stdout);
  }
  return survivors == 0 ? 0 : 1;
}

}  // namespace kiwi::sim
