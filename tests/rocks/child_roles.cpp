// The victims: what a child process of a crash test does until it dies.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include "config/base/open_files.hpp"
#include "config/base/prng.hpp"
#include "rocks/file_removal.hpp"
#include "rocks/rocks_log.hpp"
#include "rocks/room.hpp"
#include "rocks/wal_file.hpp"
#include "tests/rocks/log_storage_suite.hpp"
#include "tests/rocks/plain_fixture.hpp"
#include "tests/rocks/support.hpp"
#include "tests/rocks/table_fixture.hpp"

namespace kiwi::rocks::test {

namespace {

std::string number_key(const char* prefix, uint64_t n) { return prefix + std::to_string(n); }

// A change that depends on what is there: applying it twice, or not at all, is seen for ever.
void increment(Family family, const std::string& key, Model& model, Keyspace* keyspace) {
  std::string& value = of(model, family)[key];
  value = std::to_string(value.empty() ? 1 : std::strtoull(value.c_str(), nullptr, 10) + 1);
  if (keyspace != nullptr) {
    std::optional<std::string_view> old = keyspace->get(family, key);
    uint64_t count = old.has_value() ? std::strtoull(std::string(*old).c_str(), nullptr, 10) : 0;
    keyspace->put(family, key, std::to_string(count + 1));
  }
}

void drop(Family family,
          const std::string& from,
          const std::string& to,
          Model& model,
          Keyspace* keyspace) {
  FamilyModel& all = of(model, family);
  all.erase(all.lower_bound(from), all.lower_bound(to));
  if (keyspace != nullptr) {
    keyspace->erase_range(family, from, to);
  }
}

using Open = Result<std::unique_ptr<Keyspace>> (*)(const KeyspaceOptions&);

Keyspace& opened(const std::string& path,
                 std::unique_ptr<Keyspace>& holder,
                 Open open = open_plain_keyspace,
                 uint64_t table_bytes = 0) {
  auto result = open(table_options(path, table_bytes));
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().text.c_str());
    std::_Exit(3);
  }
  holder = std::move(*result);
  return *holder;
}

int die_while_writing(const std::vector<std::string>& arguments, Open open) {
  Prng random(std::strtoull(arguments.at(1).c_str(), nullptr, 10));
  std::unique_ptr<Keyspace> holder;
  Keyspace& keyspace = opened(arguments.at(0), holder, open, uint64_t{32 << 10} << random.below(4));
  uint64_t index = keyspace.flushed_index().value;
  Model model = child_model(index);
  auto life = std::chrono::microseconds(2000 + random.below(150000));
  std::thread([life] {
    std::this_thread::sleep_for(life);
    std::_Exit(0);
  }).detach();
  for (;;) {
    for (uint64_t n = 1 + random.below(20); n > 0; --n) {
      child_apply(++index, model, &keyspace);
    }
    put_applied(keyspace, index);
    keyspace.commit(LogIndex{index});
    if (random.chance(1, 200)) {
      keyspace.flush();
    }
  }
}

// More table files than the process may have open at once.
int write_many_files(const std::vector<std::string>& arguments) {
  constexpr uint64_t kFiles = 300;
  const rlimit few{256, 256};
  if (::setrlimit(RLIMIT_NOFILE, &few) != 0 || !raise_open_files()) {
    return 3;
  }
  for (const Open open : {open_table_keyspace, open_plain_keyspace}) {
    std::unique_ptr<Keyspace> holder;
    Keyspace& keyspace = opened(arguments.at(0), holder, open, 1 << 20);
    for (uint64_t n = keyspace.flushed_index().value + 1; n <= kFiles; ++n) {
      keyspace.put(Family::kElement, number_key("k", 10'000 + n), "v");
      put_applied(keyspace, n);
      keyspace.commit(LogIndex{n});
      keyspace.flush();
    }
    uint64_t found = 0;
    for (auto cursor = keyspace.cursor(Family::kElement, "", ""); cursor->valid(); cursor->next()) {
      ++found;
    }
    if (found != kFiles) {
      return 4;
    }
  }
  return files_with_suffix(arguments.at(0), ".sst").size() < 256 ? 5 : 0;
}

template <class Cursor>
size_t value_bytes(std::unique_ptr<Cursor> cursor) {
  size_t bytes = 0;
  for (; cursor->valid(); cursor->next()) {
    bytes += cursor->value().size();
  }
  return bytes;
}

// Reads all that is there: from the directory; with which engine; with which file that the disk
// cannot read any more; in which direction.
int scan(const std::vector<std::string>& arguments) {
  const auto has = [&](const char* word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  std::unique_ptr<Keyspace> holder;
  Keyspace& keyspace = opened(arguments.at(0), holder,
                              has("table") ? open_table_keyspace : open_plain_keyspace, 1 << 20);
  for (const std::string& argument : arguments) {
    if (argument.ends_with(".sst")) {
      fail_reads(argument);
    }
  }
  size_t bytes = 0;
  for (int i = 0; i < kFamilies; ++i) {
    const auto family = static_cast<Family>(i);
    bytes += has("back") ? value_bytes(keyspace.reverse_cursor(family, "", ""))
                         : value_bytes(keyspace.cursor(family, "", ""));
  }
  return bytes == 0 ? 4 : 0;
}

// Appends one entry a turn; reports each acknowledgement with one byte in a file, then dies.
int die_while_appending(const std::vector<std::string>& arguments) {
  Prng random(std::strtoull(arguments.at(2).c_str(), nullptr, 10));
  auto log = open_rocks_log({.path = arguments.at(0), .fsync = true});
  if (!log) {
    std::fprintf(stderr, "%s\n", log.error().text.c_str());
    return 3;
  }
  int report = ::open(arguments.at(1).c_str(), O_WRONLY | O_CREAT, 0600);
  uint64_t index = (*log)->load().value().last_index.value;
  if (report < 0 || ::ftruncate(report, static_cast<off_t>(index)) != 0 ||
      ::lseek(report, 0, SEEK_END) < 0) {
    return 4;
  }
  auto life = std::chrono::microseconds(1000 + random.below(60000));
  std::thread([life] {
    std::this_thread::sleep_for(life);
    std::_Exit(0);
  }).detach();
  for (;;) {
    raft::PersistRequest request;
    request.entries.push_back(make_entry(index + 1, 1, std::string(1 + (index + 1) % 300, 'x')));
    if (!(*log)->persist(request)) {
      return 5;
    }
    ++index;
    if (::write(report, "!", 1) != 1) {
      return 6;
    }
  }
}

void take_at_most(rlim_t file_bytes) {
  struct rlimit limit {};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = file_bytes;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

// The disk is full in the middle of the zeros ahead of a write-ahead log, and has room again for
// the next file. What a power loss leaves then of the first one are its records.
int fill_with_zeros_until_full(const std::vector<std::string>& arguments) {
  const std::string& path = arguments.at(0);
  std::filesystem::create_directories(path + "/live");
  const std::string name = path + "/live/000001.log";
  std::signal(SIGXFSZ, SIG_IGN);
  take_at_most(300 << 10);
  WalFiles files(true, std::make_shared<Room>(path));
  std::unique_ptr<rocksdb::WritableFile> first;
  std::unique_ptr<rocksdb::WritableFile> second;
  const std::string record(1000, 'r');
  if (!files.env()->NewWritableFile(name, &first, {}).ok() || !first->Append(record).ok()) {
    return 3;
  }
  for (int i = 0; i < 5000 && std::filesystem::file_size(name) < (300 << 10); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!first->Append(record).ok() || !first->Sync().ok()) {
    return 4;
  }
  take_at_most(RLIM_INFINITY);
  if (!files.env()->NewWritableFile(path + "/live/000002.log", &second, {}).ok()) {
    return 5;
  }
  copy_directory_after_power_loss(path + "/live", path + "/lost");
  return read_file(path + "/lost/000001.log") == record + record ? 0 : 6;
}

// The same with a record that does not fit, of which a part was written.
int append_until_full(const std::vector<std::string>& arguments) {
  const std::string& path = arguments.at(0);
  std::filesystem::create_directories(path + "/live");
  std::signal(SIGXFSZ, SIG_IGN);
  WalFiles files(false, std::make_shared<Room>(path));
  std::unique_ptr<rocksdb::WritableFile> first;
  std::unique_ptr<rocksdb::WritableFile> second;
  const std::string record(1000, 'r');
  if (!files.env()->NewWritableFile(path + "/live/000001.log", &first, {}).ok() ||
      !first->Append(record).ok()) {
    return 3;
  }
  take_at_most(300 << 10);
  if (first->Append(std::string(400 << 10, 'x')).ok() || !first->Sync().ok()) {
    return 4;
  }
  take_at_most(RLIM_INFINITY);
  if (!files.env()->NewWritableFile(path + "/live/000002.log", &second, {}).ok()) {
    return 5;
  }
  copy_directory_after_power_loss(path + "/live", path + "/lost");
  return read_file(path + "/lost/000001.log") == record ? 0 : 6;
}

// The disk takes nothing more after the first 300 KB of a file.
int write_until_full(const std::vector<std::string>& arguments, Open open) {
  std::unique_ptr<Keyspace> holder;
  Keyspace& keyspace = opened(arguments.at(0), holder, open, 1 << 20);
  std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit {};
  limit.rlim_cur = limit.rlim_max = 300 << 10;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  Prng random(1);
  for (uint64_t index = 1; index < 500; ++index) {
    std::string value(500000, 'x');
    for (char& c : value) {
      c = static_cast<char>(random.next());
    }
    keyspace.put(Family::kMeta, number_key("k", index), value);
    put_applied(keyspace, index);
    keyspace.commit(LogIndex{index});
    keyspace.flush();
  }
  return 0;
}

// Three versions of the same large records; the files of the first are also a checkpoint's, those
// of the second and third go with a compaction. Dies while their room is given back.
int die_while_removing(const std::vector<std::string>& arguments) {
  const std::string& path = arguments.at(0);
  const uint64_t left = std::strtoull(arguments.at(1).c_str(), nullptr, 10);
  std::unique_ptr<Keyspace> holder;
  Keyspace& keyspace = opened(path + "/state", holder, open_table_keyspace, uint64_t{64} << 20);
  for (uint64_t version = 1; version <= 3; ++version) {
    for (uint64_t n = 0; n < kLargeRecords; ++n) {
      keyspace.put(Family::kMeta, number_key("k", n), large_record(n, version));
    }
    put_applied(keyspace, version);
    keyspace.commit(LogIndex{version});
    keyspace.flush();
    if (version == 1) {
      std::promise<bool> made;
      keyspace.checkpoint(path + "/checkpoint",
                          [&](const Result<LogIndex>& at) { made.set_value(at.has_value()); });
      if (!made.get_future().get()) {
        return 3;
      }
    }
  }
  uint64_t most = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (most == 0 && i % 200 == 0) {
      keyspace.compact();  // which gives way to one that runs by itself
    }
    const uint64_t waiting = removed_bytes_waiting();
    most = waiting >= (uint64_t{20} << 20) ? std::max(most, waiting) : most;
    if (most != 0 && waiting <= most * left / 100) {
      ::kill(::getpid(), SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return 4;  // nothing was removed
}

}  // namespace

std::string large_record(uint64_t n, uint64_t version) {
  Prng random(n * 1000 + version);
  std::string bytes(400'000, '\0');  // no compression makes them small
  for (char& byte : bytes) {
    byte = static_cast<char>(random.next());
  }
  return bytes;
}

void child_apply(uint64_t index, Model& model, Keyspace* keyspace) {
  Prng random(index * 0x9e3779b97f4a7c15ULL);
  uint64_t pick = random.below(100);
  if (pick < 60) {
    increment(Family::kMeta, number_key("m", random.below(400)), model, keyspace);
  } else if (pick < 70) {
    std::string key = number_key("m", random.below(400));
    of(model, Family::kMeta).erase(key);
    if (keyspace != nullptr) {
      keyspace->erase(Family::kMeta, key);
    }
  } else if (pick < 96) {
    uint64_t collection = 10 + random.below(40);
    std::string field = number_key("c", collection) + "." + std::to_string(random.below(120));
    increment(Family::kElement, field, model, keyspace);
    increment(Family::kNode, field, model, keyspace);
  } else {
    std::string collection = number_key("c", 10 + random.below(40));
    drop(Family::kElement, collection + ".", collection + "/", model, keyspace);
    drop(Family::kNode, collection + ".", collection + "/", model, keyspace);
  }
}

Model child_model(uint64_t applied) {
  Model model;
  for (uint64_t index = 1; index <= applied; ++index) {
    child_apply(index, model, nullptr);
  }
  if (applied != 0) {
    std::string bytes;
    AppliedRecord record;
    record.index = LogIndex{applied};
    encode(bytes, record);
    of(model, Family::kSystem)[applied_key()] = bytes;
  }
  return model;
}

int run_child(const std::string& role, const std::vector<std::string>& arguments) {
  using Arguments = std::vector<std::string>;
  static const std::map<std::string, std::function<int(const Arguments&)>> kRoles = {
      {"keyspace", [](const Arguments& a) { return die_while_writing(a, open_plain_keyspace); }},
      {"table", [](const Arguments& a) { return die_while_writing(a, open_table_keyspace); }},
      {"log", die_while_appending},
      {"log-room", fill_with_zeros_until_full},
      {"log-append", append_until_full},
      {"keyspace-scan", scan},
      {"many-files", write_many_files},
      {"removal", die_while_removing},
      {"keyspace-full",
       [](const Arguments& a) { return write_until_full(a, open_plain_keyspace); }},
      {"table-full", [](const Arguments& a) { return write_until_full(a, open_table_keyspace); }}};
  auto found = kRoles.find(role);
  return found == kRoles.end() ? 2 : found->second(arguments);
}

}  // namespace kiwi::rocks::test
