#include "resp/types/dump/rdb_import.hpp"

#include <limits>
#include <utility>

#include "config/base/check.hpp"
#include "config/limits.hpp"
#include "resp/types/dump/key_loader.hpp"
#include "resp/types/printable.hpp"

namespace kiwi::resp::dump {

namespace {

constexpr size_t kNamed = 20;  // of what was left out

enum ModuleType : uint8_t { kModule = 6, kModule2 = 7 };
enum StreamType : uint8_t { kStream = 15, kStream2 = 19, kStream3 = 21 };

std::string type_of(uint8_t type) {
  switch (type) {
    case kModule:
    case kModule2:
      return "a value of a module";
    case kStream:
    case kStream2:
    case kStream3:
      return "a stream";
    default:
      return "a value of RDB type " + std::to_string(type);
  }
}

std::string name_of(const RdbKey& key) {
  return "key " + printable(key.name) + " of database " + std::to_string(key.database);
}

}  // namespace

// The bound on an entry's work is for entries that several nodes apply in memory.
RdbImport::RdbImport(rocks::Keyspace& keyspace, const ImportOptions& options, Progress progress)
    : keyspace_(keyspace),
      options_(options),
      progress_(std::move(progress)),
      database_(keyspace, std::numeric_limits<size_t>::max()) {}

Result<ImportReport> RdbImport::run(std::string_view file) {
  file_ = RdbFile(file);
  if (Result<void> opened = file_.open(); !opened) {
    return opened.error();
  }
  database_.begin_entry();
  for (RdbItem next = file_.next(); next != RdbItem::kEnd; next = file_.next()) {
    if (Result<void> done = item(next); !done) {
      return done.error();
    }
    if (file_.offset() - committed_to_ >= options_.commit_bytes) {
      commit();
    }
  }
  CHECK_INVARIANT(report_.left_out.size() <= report_.unsupported);
  report_.written_by = file_.written_by();
  commit();
  return report_;
}

Result<void> RdbImport::item(RdbItem item) {
  switch (item) {
    case RdbItem::kKey:
      return load();
    case RdbItem::kFunctions:
      return not_supported("a library of functions");
    case RdbItem::kModuleAux:
      return not_supported("data of a module");
    case RdbItem::kDamaged:
    case RdbItem::kEnd:
      break;
  }
  return at_item("there is no RDB item");
}

Result<void> RdbImport::load() {
  const RdbKey& from = file_.key();
  if (from.database >= config::limits::kDatabases) {
    return at_item("database " + std::to_string(from.database) + " is beyond the " +
                   std::to_string(config::limits::kDatabases) + " that there can be");
  }
  if (from.expire_at_ms != 0 && from.expire_at_ms <= options_.now_ms) {
    if (!skip_object(from.type, file_.reader())) {
      return at_item(name_of(from) + " has " + type_of(from.type) + " that cannot be read");
    }
    ++report_.expired;
    return {};
  }
  database_.begin_command();
  const Key key = database_.find(database_.physical(static_cast<uint32_t>(from.database)),
                                 from.name, options_.now_ms);
  if (key.live) {
    return at_item(name_of(from) + " is there twice");
  }
  LoadOptions options;
  options.expire_at_ms = from.expire_at_ms;
  options.now_ms = options_.now_ms;
  options.free_bytes = std::numeric_limits<size_t>::max();
  options.pause = [this] { commit(); };
  options.pause_bytes = options_.commit_bytes;
  const std::string_view body = file_.reader().rest();
  std::string what = type_of(from.type) + ", " + name_of(from);
  switch (load_key(database_, key, from.type, file_.reader(), options)) {
    case LoadOutcome::kDone:
      ++report_.keys;
      return {};
    case LoadOutcome::kEmpty:
      ++report_.empty;
      return {};
    case LoadOutcome::kBadData:
      return at_item(name_of(from) + " has " + type_of(from.type) + " that is damaged");
    case LoadOutcome::kTooLong:
      what = "a name, field or member of more bytes than there may be, " + name_of(from) + ",";
      break;
    case LoadOutcome::kNotSupported:
      break;
  }
  if (Result<void> refused = not_supported(what); !refused) {
    return refused;
  }
  // What was taken in of it goes.
  Key partly = database_.find(key.database, from.name, options_.now_ms);
  if (partly.live) {
    database_.remove(partly);
  }
  file_.reader() = RdbReader(body);
  if (!skip_object(from.type, file_.reader())) {
    return at_item(name_of(from) + " has " + type_of(from.type) + ", which cannot be passed over");
  }
  return {};
}

Result<void> RdbImport::not_supported(const std::string& what) {
  if (!options_.skip_unsupported) {
    return at_item(what +
                   " is not supported yet; --import-skip-unsupported leaves such things out");
  }
  if (report_.left_out.size() < kNamed) {
    report_.left_out.push_back(what);
  }
  ++report_.unsupported;
  return {};
}

Error RdbImport::at_item(const std::string& what) const {
  return Error{Errc::kInvalid, "at byte " + std::to_string(file_.item_offset()) + ": " + what};
}

void RdbImport::commit() {
  CHECK_INVARIANT(committed_to_ <= file_.offset());
  committed_to_ = file_.offset();
  const LogIndex index{++report_.entries};
  database_.end_entry(index, kTerm, options_.now_ms);
  database_.end_turn();
  keyspace_.commit(index);
  database_.begin_entry();
  progress_(committed_to_, report_);
}

}  // namespace kiwi::resp::dump
