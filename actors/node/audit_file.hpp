// Where the lines of the audit log go: to the log, or to a file, which another thread writes, for
// its disk may hang. What it cannot keep up with is dropped and counted, and the log says so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace kiwi {
class JobThread;
}

namespace kiwi::actors {

class AuditFile {
 public:
  AuditFile();
  ~AuditFile();  // what waits is written
  AuditFile(const AuditFile&) = delete;
  AuditFile& operator=(const AuditFile&) = delete;

  void go_to(const std::string& place);  // a path, "log", or empty: nowhere
  bool on() const { return !place_.empty(); }
  void add(std::string line);

 private:
  static constexpr size_t kWaitingMax = size_t{8} << 20;  // bytes

  std::string place_;
  std::unique_ptr<JobThread> writer_;  // with the first line for a file
  std::shared_ptr<std::atomic<size_t>> waiting_ = std::make_shared<std::atomic<size_t>>(0);
  uint64_t dropped_ = 0;
};

}  // namespace kiwi::actors
