// A request and its answer as the node's HTTP port sees them: what was parsed, bounded by whoever
// parsed it. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kiwi::resp::web {

enum class Method : uint8_t { kGet, kHead, kPost, kDelete, kOther };

struct WebRequest {
  Method method = Method::kGet;
  std::string target;  // as it was sent: path and query
  std::string host;    // these headers; empty: there was none
  std::string origin;
  std::string authorization;
  std::string cookie;
  std::string token;  // X-Kiwi-Token
  std::string body;
  std::string address;     // of the client, without its port
  bool loopback = false;   // it is of this machine
  std::string user_agent;  // for the log

  std::string_view path() const {
    return std::string_view(target).substr(0, target.find_first_of("?#"));
  }
};

struct WebAnswer {
  unsigned status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;

  static WebAnswer text(unsigned status, std::string sentence) {
    WebAnswer answer;
    answer.status = status;
    answer.body = std::move(sentence);
    answer.body += '\n';
    return answer;
  }
};

// May a request be answered whose Host header says this? A page of a stranger can let a name of its
// own stand for this node's address (DNS rebinding), so a name must be one that was agreed on:
// localhost or one of `names`. An address in numbers cannot be rebound.
bool host_is_known(std::string_view host, const std::vector<std::string>& names);
// Without its port, brackets and dot at the end, in lower case; empty: it is none.
std::string host_name(std::string_view host);

// The user and the password of "Basic ..."; false: it is something else.
struct Credentials {
  std::string user;
  std::string password;
};
bool basic_credentials(std::string_view authorization, Credentials& out);
// Takes as long for any two texts of these lengths.
bool same_secret(std::string_view given, std::string_view wanted);

}  // namespace kiwi::resp::web
