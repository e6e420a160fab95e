#include "config/metrics.hpp"

namespace kiwi::config {

std::vector<MetricValue> metric_values(const ClientMetrics& client, const RaftMetrics& raft) {
  return {
#define CLIENT_METRIC(field, section, info_name, doc) {section, info_name, client.field},
#define RAFT_METRIC(field, section, info_name, doc) {section, info_name, raft.field.get()},
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
  };
}

}  // namespace kiwi::config
