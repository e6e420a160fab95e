#include "config/metrics.hpp"

namespace kiwi::config {

namespace {

// The words of metrics.def.
constexpr MetricType kCounter = MetricType::kCounter;
constexpr MetricType kGauge = MetricType::kGauge;
constexpr MetricUnit kPlain = MetricUnit::kPlain;
constexpr MetricUnit kMicroseconds = MetricUnit::kMicroseconds;

}  // namespace

std::vector<MetricValue> metric_values(const ClientMetrics& client, const RaftMetrics& raft) {
  return {
#define CLIENT_METRIC(field, section, info_name, type, unit, series, doc) \
  {section, info_name, client.field, type, unit, series, doc},
#define RAFT_METRIC(field, section, info_name, type, unit, series, doc) \
  {section, info_name, raft.field.get(), type, unit, series, doc},
#define CLIENT_DURATIONS(field, series, doc)
#define RAFT_DURATIONS(field, series, doc)
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
#undef CLIENT_DURATIONS
#undef RAFT_DURATIONS
  };
}

std::vector<DurationsValue> duration_values(const ClientMetrics& client, const RaftMetrics& raft) {
  return {
#define CLIENT_METRIC(field, section, info_name, type, unit, series, doc)
#define RAFT_METRIC(field, section, info_name, type, unit, series, doc)
#define CLIENT_DURATIONS(field, series, doc) {series, doc, client.field},
#define RAFT_DURATIONS(field, series, doc) {series, doc, raft.field.get()},
#include "config/metrics.def"
#undef CLIENT_METRIC
#undef RAFT_METRIC
#undef CLIENT_DURATIONS
#undef RAFT_DURATIONS
  };
}

}  // namespace kiwi::config
