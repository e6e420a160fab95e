// LATENCY: what took long (latency_monitor.hpp), and how long commands take (histogram.hpp).
#include <algorithm>
#include <iterator>

#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

LatencyMonitor& monitor_of(Session& session) { return session.state().node.measures.latency(); }

// Where the buckets of Redis' histograms end: the octaves of nanoseconds, as far as its resolution
// tells them; from 1 us on. Its clients draw them.
constexpr uint32_t kFirstOctave = 10;
constexpr uint32_t kLastOctave = 42;  // 73 minutes
constexpr uint64_t end_of_octave_us(uint32_t octave) {
  return ((uint64_t{1} << octave) + (uint64_t{1} << (octave - 7)) - 1) / 1000;
}
static_assert(end_of_octave_us(kFirstOctave) == 1 && end_of_octave_us(15) == 33);
static_assert(end_of_octave_us(kLastOctave) >
              static_cast<uint64_t>(Histogram::kMostUs) + (1 << 27));

void write_histogram(const Histogram& times, ReplyWriter& reply) {
  reply.map(2);
  reply.bulk("calls");
  reply.integer(static_cast<int64_t>(times.total()));
  reply.bulk("histogram_usec");
  const size_t begin = reply.where();
  size_t pairs = 0;
  uint64_t before = 0;
  for (uint32_t octave = kFirstOctave; octave <= kLastOctave && before < times.total(); ++octave) {
    const uint64_t end_us = end_of_octave_us(octave);
    const uint64_t count = times.not_above(end_us);
    if (count > before) {
      reply.integer(static_cast<int64_t>(end_us));
      reply.integer(static_cast<int64_t>(count));
      ++pairs;
    }
    before = count;
  }
  CHECK_INVARIANT(before == times.total());
  const size_t head = reply.where();
  reply.map(pairs);
  reply.put_first(begin, head);
}

}  // namespace

void latency_histogram(Session& session, Args args, ReplyWriter& reply) {
  const NodeContext& node = session.state().node;
  const size_t begin = reply.where();
  size_t commands = 0;
  const auto write = [&](const CommandSpec& row) {
    const Histogram* times = node.measures.row(row).service.get();
    if (times == nullptr || row.is_internal()) {
      return;
    }
    reply.bulk(row.name);
    write_histogram(*times, reply);
    ++commands;
  };
  // A container's name stands for its sub-commands.
  const auto names = [](std::string_view word, std::string_view row) {
    return same_word(word, row) || (row.size() > word.size() && row[word.size()] == '|' &&
                                    same_word(word, row.substr(0, word.size())));
  };
  if (args.size() == 2) {
    std::ranges::for_each(all_commands(), write);
  }
  for (const std::string_view word : args.subspan(2)) {
    for (const CommandSpec& row : all_commands()) {
      if (names(word, row.name)) {
        write(row);
      }
    }
  }
  const size_t head = reply.where();
  reply.map(commands);
  reply.put_first(begin, head);
}

void latency_history(Session& session, Args args, ReplyWriter& reply) {
  const auto event = latency_event(args[2]);
  const LatencyMonitor::Series* series = event ? monitor_of(session).find(*event) : nullptr;
  if (series == nullptr) {
    return reply.array(0);
  }
  reply.array(series->samples.size());
  for (const LatencyMonitor::Sample& sample : series->samples) {
    reply.array(2);
    reply.integer(sample.at_s);
    reply.integer(sample.ms);
  }
}

void latency_latest(Session& session, Args, ReplyWriter& reply) {
  const LatencyMonitor& monitor = monitor_of(session);
  const size_t begin = reply.where();
  size_t events = 0;
  for (size_t i = 0; i < LatencyMonitor::kEvents; ++i) {
    const auto event = static_cast<LatencyEvent>(i);
    if (const LatencyMonitor::Series* series = monitor.find(event)) {
      reply.array(4);
      reply.bulk(name_of(event));
      reply.integer(series->samples.back().at_s);
      reply.integer(series->samples.back().ms);
      reply.integer(series->most_ms);
      ++events;
    }
  }
  const size_t head = reply.where();
  reply.array(events);
  reply.put_first(begin, head);
}

void latency_reset(Session& session, Args args, ReplyWriter& reply) {
  LatencyMonitor& monitor = monitor_of(session);
  if (args.size() == 2) {
    return reply.integer(static_cast<int64_t>(monitor.reset_all()));
  }
  int64_t gone = 0;
  for (const std::string_view word : args.subspan(2)) {
    const auto event = latency_event(word);
    gone += event && monitor.reset(*event) ? 1 : 0;
  }
  reply.integer(gone);
}

void latency_graph(Session& session, Args args, ReplyWriter& reply) {
  const auto event = latency_event(args[2]);
  if (!event || monitor_of(session).find(*event) == nullptr) {
    return reply.error("ERR No samples available for event '" + std::string(args[2]) + "'");
  }
  reply.verbatim(monitor_of(session).graph(*event));
}

void latency_doctor(Session& session, Args, ReplyWriter& reply) {
  reply.verbatim(monitor_of(session).report());
}

void latency_help(Session&, Args, ReplyWriter& reply) {
  constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Return a human readable latency analysis report.",
      "GRAPH <event>",
      "    Return an ASCII latency graph for the <event> class.",
      "HISTORY <event>",
      "    Return time-latency samples for the <event> class.",
      "LATEST",
      "    Return the latest latency samples for all events.",
      "RESET [<event> ...]",
      "    Reset latency data of one or more <event> classes.",
      "    (default: reset all data for all event classes)",
      "HISTOGRAM [COMMAND ...]",
      "    Return a cumulative distribution of latencies in the format of a histogram for the "
      "specified command names.",
      "    If no commands are specified then all histograms are replied.",
  };
  reply_help(reply, "LATENCY", kLines);
}

}  // namespace kiwi::resp::commands
