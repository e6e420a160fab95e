// F18: the configuration that a node counts by is the latest one in its log, committed or not; when
// that is cut off the one before counts again.
#include <map>
#include <utility>

#include "raft/codec.hpp"
#include "tests/sim/checks.hpp"
#include "tests/sim/node.hpp"

namespace kiwi::sim {

namespace {

class ConfigurationIsTheLogs final : public Check {
 public:
  void on_bootstrap(const raft::Entry& entry) override { note(entry); }
  void on_append(const Node& /*node*/, const std::vector<raft::Entry>& entries) override {
    for (const raft::Entry& entry : entries) {
      if (entry.kind == raft::EntryKind::kConfiguration) {
        note(entry);
      }
    }
  }

  void on_turn(const Node& node) override {
    const std::vector<Term>& log = node.log_terms();
    for (auto it = known_.rbegin(); it != known_.rend(); ++it) {
      const auto& [index, term] = it->first;
      if (index.value <= log.size() && log[index.value - 1] == term) {
        if (!(node.core().configuration() == it->second)) {
          throw Violation{"configuration is the log's",
                          "node " + std::to_string(node.id().value) +
                              " counts by other members than those of index " +
                              std::to_string(index.value) + " of its log"};
        }
        return;
      }
    }
  }

 private:
  void note(const raft::Entry& entry) {
    known_[{entry.index, entry.term}] = raft::decode_configuration(entry.payload.view()).value();
  }

  std::map<std::pair<LogIndex, Term>, raft::Configuration> known_;
};

}  // namespace

std::unique_ptr<Check> configuration_is_the_logs() {
  return std::make_unique<ConfigurationIsTheLogs>();
}

}  // namespace kiwi::sim
