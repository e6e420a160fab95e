#include "actors/node/audit_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

#include "config/base/job_thread.hpp"
#include "config/base/log.hpp"

namespace kiwi::actors {

namespace {

// Opened for each: the file may be moved away between two lines, as logrotate does.
void append(const std::string& path, const std::string& line) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  ssize_t written = -1;
  if (fd >= 0) {
    written = ::write(fd, line.data(), line.size());
    ::close(fd);
  }
  if (written != static_cast<ssize_t>(line.size())) {
    log_warning("the audit log " + path + " cannot be written: " + std::strerror(errno) +
                "; the line was: " + line.substr(0, line.size() - 1));
  }
}

}  // namespace

AuditFile::AuditFile() = default;
AuditFile::~AuditFile() = default;

void AuditFile::go_to(const std::string& place) { place_ = place; }

void AuditFile::add(std::string line) {
  if (place_ == "log") {
    log_notice("audit: " + line);
    return;
  }
  line += "\n";
  if (waiting_->load(std::memory_order_relaxed) + line.size() > kWaitingMax) {
    if (++dropped_ == 1) {
      log_warning("the audit log " + place_ + " is written too slowly: lines are left out");
    }
    return;
  }
  if (std::exchange(dropped_, 0) != 0) {
    log_warning("the audit log " + place_ + " is written again");
  }
  if (!writer_) {
    writer_ =
        std::make_unique<JobThread>(JobThread::Start::kWithFirstJob, JobThread::End::kAllJobs);
  }
  waiting_->fetch_add(line.size(), std::memory_order_relaxed);
  writer_->post([path = place_, line = std::move(line), waiting = waiting_] {
    append(path, line);
    waiting->fetch_sub(line.size(), std::memory_order_relaxed);
  });
}

}  // namespace kiwi::actors
