#include "actors/node/import.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/node/fresh_directory.hpp"
#include "resp/types/dump/rdb_import.hpp"
#include "resp/types/printable.hpp"
#include "rocks/backup.hpp"
#include "rocks/keyspace.hpp"

namespace kiwi::actors {

namespace {

using resp::dump::ImportOptions;
using resp::dump::ImportReport;
using resp::dump::RdbImport;

// A whole file, as far as the kernel keeps it in memory. Nobody may shorten it meanwhile.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path) {
    std::unique_ptr<MappedFile> file(new MappedFile);
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    if (descriptor < 0 || ::fstat(descriptor, &status) != 0) {
      return failed(path, descriptor);
    }
    if (!S_ISREG(status.st_mode) || status.st_size == 0) {
      ::close(descriptor);
      return Error{Errc::kInvalid, path + " is empty or no file"};
    }
    file->size_ = static_cast<size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) {
      return failed(path, descriptor);
    }
    ::close(descriptor);
    ::madvise(mapped, file->size_, MADV_SEQUENTIAL);
    file->bytes_ = mapped;
    return file;
  }
  ~MappedFile() {
    if (bytes_ != nullptr) {
      ::munmap(bytes_, size_);
    }
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(bytes_), size_}; }

 private:
  MappedFile() = default;
  static Error failed(const std::string& path, int descriptor) {
    const std::string why = std::strerror(errno);
    if (descriptor >= 0) {
      ::close(descriptor);
    }
    return Error{Errc::kIo, "cannot read " + path + ": " + why};
  }

  void* bytes_ = nullptr;
  size_t size_ = 0;
};

// A line a second.
class Progress {
 public:
  Progress(uint64_t size, const std::function<void(const std::string&)>& tell)
      : size_(size), tell_(tell), last_(Clock::now()) {}

  void operator()(uint64_t bytes, const ImportReport& report) {
    const Clock::time_point now = Clock::now();
    if (now - last_ < std::chrono::seconds(1)) {
      return;
    }
    last_ = now;
    tell_("imported " + std::to_string(bytes >> 20) + " of " + std::to_string(size_ >> 20) +
          " MiB, " + std::to_string(report.keys) + " keys");
  }

 private:
  using Clock = std::chrono::steady_clock;
  const uint64_t size_;
  const std::function<void(const std::string&)>& tell_;
  Clock::time_point last_;
};

Result<ImportReport> build_state(const std::string& directory,
                                 std::string_view file,
                                 const ImportOptions& options,
                                 const std::function<void(const std::string&)>& tell) {
  rocks::KeyspaceOptions opening;
  opening.path = directory;
  Result<std::unique_ptr<rocks::Keyspace>> keyspace = rocks::open_plain_keyspace(opening);
  if (!keyspace) {
    return keyspace.error();
  }
  RdbImport import(**keyspace, options, Progress(file.size(), tell));
  Result<ImportReport> report = import.run(file);
  if (report) {
    (*keyspace)->flush();
  }
  return report;
}

std::string summary(const config::Options& options,
                    const ImportReport& report,
                    const ClusterId& cluster) {
  std::string text = "imported " + options.import;
  if (!report.written_by.empty()) {
    text += " of Redis " + resp::printable(report.written_by);
  }
  text += ": " + std::to_string(report.keys) + " keys";
  if (report.expired > 0) {
    text += ", " + std::to_string(report.expired) + " that were over left out";
  }
  if (report.empty > 0) {
    text += ", " + std::to_string(report.empty) + " without elements left out";
  }
  if (report.unsupported > 0) {
    text += ", " + std::to_string(report.unsupported) + " things that are not supported left out";
  }
  return text + "; into " + options.dir + " as node " + std::to_string(options.node_id().value) +
         " of the new cluster " + cluster.hex() + "; start it, then let empty nodes join it";
}

}  // namespace

Result<Import> import_rdb(const config::Options& options,
                          int64_t now_ms,
                          const std::function<void(const std::string& line)>& tell) {
  const Result<std::unique_ptr<MappedFile>> file = MappedFile::open(options.import);
  if (!file) {
    return file.error();
  }
  Result<FreshDirectory> fresh = FreshDirectory::begin(options);
  if (!fresh) {
    return fresh.error();
  }
  ImportOptions how;
  how.now_ms = now_ms;
  how.skip_unsupported = options.import_skip_unsupported;
  const Result<ImportReport> report = build_state(fresh->state(), (*file)->bytes(), how, tell);
  if (!report) {
    return Error{report.error().code,
                 "cannot import " + options.import + ": " + report.error().text};
  }
  if (Result<void> reset = rocks::reset_members(fresh->state(), fresh->configuration(), now_ms);
      !reset) {
    return reset.error();
  }
  if (Result<void> finished = fresh->finish(LogIndex{report->entries}, RdbImport::kTerm);
      !finished) {
    return finished.error();
  }
  for (const std::string& what : report->left_out) {
    tell("left out: " + what);
  }
  if (report->unsupported > report->left_out.size()) {
    tell("left out: and " + std::to_string(report->unsupported - report->left_out.size()) +
         " more");
  }
  return Import{summary(options, *report, fresh->configuration().cluster),
                report->unsupported == 0};
}

}  // namespace kiwi::actors
