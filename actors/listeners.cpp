// open_listeners() and what is checked before, of listeners.hpp: plain sockets, no Asio.
#include "actors/listeners.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/base/log.hpp"

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

// Of one entry of a bind list; the caller frees what was found.
int look_up(const std::string& name, uint16_t port, addrinfo** found) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_family = name == "*" ? AF_INET : name == "::*" ? AF_INET6 : AF_UNSPEC;
  const bool any = name == "*" || name == "::*";
  return ::getaddrinfo(any ? nullptr : name.c_str(), std::to_string(port).c_str(), &hints, found);
}

bool is_loopback(const sockaddr& address) {
  constexpr uint32_t kLoopbackNetwork = 127;
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return ntohl(v4.sin_addr.s_addr) >> 24 == kLoopbackNetwork;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return address.sa_family == AF_INET6 &&
         (IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
          (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == kLoopbackNetwork));
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
    addrinfo* found = nullptr;
    const std::string service = std::to_string(port);
    const int failed = look_up(name, port, &found);
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
      return Error{Errc::kIo,
                   "cannot listen on " + name + " port " + service + ": " + why +
                       "; is another server running there, or is the port or bind option wrong?"};
    }
  }
  if (fds.empty()) {
    return Error{Errc::kNotFound,
                 "none of the bind addresses exists on this machine, so nobody could connect"};
  }
  return fds;
}

std::string public_address(const std::vector<std::string>& addresses) {
  for (const std::string& entry : addresses) {
    const std::string name = entry.starts_with('-') ? entry.substr(1) : entry;
    addrinfo* found = nullptr;
    bool is_public = false;
    if (look_up(name, 0, &found) == 0) {
      for (addrinfo* a = found; a != nullptr; a = a->ai_next) {
        is_public = is_public || !is_loopback(*a->ai_addr);
      }
      ::freeaddrinfo(found);
    }
    if (is_public) {
      return name;
    }
  }
  return {};
}

Result<void> check_public_ports(const config::Options& options) {
  const std::string open = public_address(options.bind);
  if (open.empty()) {
    return {};
  }
  const std::string reach = "bind " + open + " lets other machines reach ";
  if (options.raft_cluster_secret.empty()) {
    const std::string danger =
        reach + "the peer port " + std::to_string(options.peer_port()) +
        ", and raft.cluster-secret is empty: whoever gets there could take over the cluster";
    if (!options.raft_allow_empty_secret) {
      return Error{Errc::kInvalid,
                   danger +
                       "; set the same raft.cluster-secret on all nodes, or bind 127.0.0.1, or "
                       "raft.allow-empty-secret yes if nobody else can"};
    }
    log_warning(danger);
  }
  // Whoever needs a certificate is known, so to say.
  const bool only_known =
      options.port == 0 && options.tls_auth_clients == config::TlsAuthClients::kYes;
  if (options.requirepass.empty() && options.protected_mode) {
    log_notice(reach + "port " + std::to_string(options.main_port()) +
               ", and requirepass is empty: clients of other machines are turned away until the "
               "default user has a password (protected-mode)");
  } else if (options.requirepass.empty() && !only_known) {
    log_warning(reach + "port " + std::to_string(options.main_port()) +
                ", and requirepass is empty: whoever gets there may read and write all data, stop "
                "the node and change the cluster");
  }
  return {};
}

}  // namespace kiwi::actors
