// What RAFT.DEBUG AUDIT asks of the state of this node (raft_debug.cpp).
#include <optional>
#include <string>

#include "resp/context.hpp"
#include "resp/types/key_audit.hpp"
#include "resp/types/printable.hpp"

namespace kiwi::resp::commands {

namespace {

void pair(std::string_view name, uint64_t value, ReplyWriter& reply) {
  reply.bulk(name);
  reply.integer(static_cast<int64_t>(value));
}

void reply_fault(const std::optional<std::string>& fault, ReplyWriter& reply) {
  reply.bulk("fault");
  fault ? reply.bulk(*fault) : reply.null();
}

void audit_one(Context& context, std::string_view name, ReplyWriter& reply) {
  const Key key = context.find(name);
  if (!key.present) {
    return reply.null();
  }
  const KeyReport report = audit_key(context.state(), key);
  reply.map(5);
  pair("elements", report.elements, reply);
  pair("records", report.records, reply);
  pair("nodes", report.nodes, reply);
  pair("bytes", report.bytes, reply);
  reply_fault(report.fault ? std::optional(describe(report)) : std::nullopt, reply);
}

std::optional<std::string> fault_of(const DatabaseReport& report) {
  if (report.found) {
    return "key " + printable(report.found->key) + ": " + report.found->fault;
  }
  if (!report.counts_fit) {
    return "the counts of keys are wrong";
  }
  if (!report.index_fits) {
    return "the index of deadlines is not that of the keys";
  }
  return report.unreachable != 0 ? std::optional<std::string>("records belong to no key")
                                 : std::nullopt;
}

}  // namespace

// About how many records it would look at.
uint64_t audit_cost(Context& context, Args args) {
  Database& state = context.state();
  if (args.size() == 1) {
    return state.counts(state.physical(context.database())).keys;
  }
  const Key key = context.find(args[1]);
  return key.is(rocks::Type::kString) ? key.meta.size / state.shape().chunk_bytes : key.meta.size;
}

// kiwi.audit [key]
void audit_state(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 1) {
    return audit_one(context, args[1], reply);
  }
  Database& state = context.state();
  const DatabaseReport report = audit_database(state, state.physical(context.database()));
  reply.map(8);
  pair("keys", report.keys, reply);
  pair("keys-with-ttl", report.keys_with_ttl, reply);
  pair("elements", report.elements, reply);
  pair("records", report.records, reply);
  pair("nodes", report.nodes, reply);
  pair("bytes", report.bytes, reply);
  pair("unreachable", report.unreachable, reply);
  reply_fault(fault_of(report), reply);
}

}  // namespace kiwi::resp::commands
