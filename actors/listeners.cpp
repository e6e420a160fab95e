// open_listeners() of tcp_server.hpp: plain sockets, no Asio.
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/tcp_server.hpp"

namespace kiwi::actors {

namespace {

struct Opened {
  int fd = -1;
  int error = 0;  // errno
};

Opened open_one(const addrinfo& address, int backlog) {
  Opened opened;
  opened.fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (opened.fd < 0) {
    opened.error = errno;
    return opened;
  }
  const int on = 1;
  ::setsockopt(opened.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6) {
    ::setsockopt(opened.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  }
  if (::bind(opened.fd, address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(opened.fd, backlog) != 0) {
    opened.error = errno;
    ::close(opened.fd);
    opened.fd = -1;
  }
  return opened;
}

bool is_missing_address(int error) {
  return error == EADDRNOTAVAIL || error == EAFNOSUPPORT || error == EPROTONOSUPPORT;
}

void close_all(const std::vector<int>& fds) {
  for (const int fd : fds) {
    ::close(fd);
  }
}

}  // namespace

Result<std::vector<int>> open_listeners(const std::vector<std::string>& addresses,
                                        uint16_t port,
                                        int backlog) {
  std::vector<int> fds;
  for (std::string name : addresses) {
    const bool optional = name.starts_with('-');
    if (optional) {
      name.erase(0, 1);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    hints.ai_family = name == "*" ? AF_INET : name == "::*" ? AF_INET6 : AF_UNSPEC;
    const bool any = name == "*" || name == "::*";
    addrinfo* found = nullptr;
    const std::string service = std::to_string(port);
    const int failed = ::getaddrinfo(any ? nullptr : name.c_str(), service.c_str(), &hints, &found);
    std::string why = failed != 0 ? ::gai_strerror(failed) : "no such address";
    bool opened_any = false;
    bool missing = failed != 0;
    for (addrinfo* a = found; a != nullptr && !opened_any; a = a->ai_next) {
      const Opened opened = open_one(*a, backlog);
      if (opened.fd >= 0) {
        fds.push_back(opened.fd);
        opened_any = true;
      } else {
        why = std::strerror(opened.error);
        missing = is_missing_address(opened.error);
      }
    }
    if (found != nullptr) {
      ::freeaddrinfo(found);
    }
    if (!opened_any && !(optional && missing)) {
      close_all(fds);
      return Error{Errc::kConflict,
                   "cannot listen on " + name + " port " + service + ": " + why +
                       "; is another server running there, or is the port or bind option wrong?"};
    }
  }
  if (fds.empty()) {
    return Error{Errc::kInvalid,
                 "none of the bind addresses exists on this machine, so nobody could connect"};
  }
  return fds;
}

}  // namespace kiwi::actors
