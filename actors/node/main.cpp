// kiwi-server: reads the options, opens the log file, runs the node. Any error at start is one
// sentence on standard error. The exit status says whether another attempt may go better.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>

#include "actors/node/import.hpp"
#include "actors/node/node.hpp"
#include "actors/node/redisraft_directory.hpp"
#include "actors/node/restore.hpp"
#include "config/base/log.hpp"
#include "config/base/open_files.hpp"
#include "config/options.hpp"
#include "raft/mutants.hpp"
#include "resp/mutants.hpp"

namespace {

constexpr int kNotNow = 1;  // the machine: a port that is taken, an address that is not there yet
constexpr int kSignalled = 128;  // and the signal's number, as shells say it
constexpr int kRefused = 78;     // options or data: a person has to look (EX_CONFIG of sysexits.h)

[[noreturn]] void refuse(const std::string& sentence, int status = kRefused) {
  kiwi::log_flush();
  std::fprintf(stderr, "kiwi-server: %s\n", sentence.c_str());
  std::_Exit(status);
}

int status_of(const kiwi::Error& error) {
  const bool may_pass = error.code == kiwi::Errc::kIo || error.code == kiwi::Errc::kNotFound;
  return may_pass ? kNotNow : kRefused;
}

// The first process of a container is sent no signal that it has no handler for. Until the node
// takes them over nothing is under way that a kill could lose.
void end_at_signals() {
  if (::getpid() == 1) {
    for (const int number : {SIGTERM, SIGINT}) {
      std::signal(number, [](int signal) { ::_exit(kSignalled + signal); });
    }
  }
}

#ifdef KIWI_MUTANTS
// A build that only tests have: KIWI_MUTANT names the known bug that this process is to have.
void select_mutant() {
  const char* name = std::getenv("KIWI_MUTANT");
  if (name != nullptr && !kiwi::raft::select_mutant(name) && !kiwi::resp::select_mutant(name)) {
    refuse(std::string("there is no mutant ") + name);
  }
}
#else
void select_mutant() {}
#endif

int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Exit status 2: something in the file has no place here yet and was left out, as was allowed.
int import_and_end(const kiwi::config::Options& options) {
  const kiwi::Result<kiwi::actors::Import> done =
      kiwi::actors::import_rdb(options, wall_ms(), [](const std::string& line) {
        std::printf("%s\n", line.c_str());
        std::fflush(stdout);
      });
  if (!done) {
    refuse(done.error().text, kNotNow);
  }
  std::printf("%s\n", done->sentence.c_str());
  return done->complete ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);  // until the node reopens its log file for it
  end_at_signals();
  select_mutant();
  kiwi::Result<kiwi::config::Options> options = kiwi::config::parse_command_line(argc, argv);
  if (!options) {
    refuse(options.error().text);
  }
  if (!options->text_to_print.empty()) {
    std::fputs(options->text_to_print.c_str(), stdout);
    return 0;
  }
  if (!kiwi::log_open(options->logfile, options->loglevel, options->log_format,
                      options->node_id().value)) {
    refuse("cannot open the log file " + options->logfile +
           "; set logfile to a place this user may write");
  }
  for (const std::string& setting : options->ignored) {
    kiwi::log_notice("ignored, for it means nothing here: " + setting);
  }
  for (const std::string& sentence : options->adapted) {
    kiwi::log_notice(sentence);
  }
  if (const kiwi::Result<void> raised = kiwi::raise_open_files(); !raised) {
    refuse(raised.error().text);
  }
  if (!options->restore.empty()) {
    const kiwi::Result<std::string> restored = kiwi::actors::restore_backup(*options, wall_ms());
    if (!restored) {
      refuse(restored.error().text, kNotNow);
    }
    std::printf("%s\n", restored->c_str());
    return 0;
  }
  if (!options->import.empty()) {
    return import_and_end(*options);
  }
  if (const kiwi::Result<void> ready = kiwi::actors::prepare_directory(*options); !ready) {
    refuse(ready.error().text, status_of(ready.error()));
  }
  kiwi::Result<std::unique_ptr<kiwi::actors::Node>> node = kiwi::actors::Node::open(*options);
  if (!node) {
    refuse(node.error().text, status_of(node.error()));
  }
  return (*node)->run();
}
