#include "actors/peers/strangers.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <tuple>

namespace kiwi::actors {

namespace {
constexpr size_t kIpv6NetworkBytes = 8;
constexpr size_t kMappedPrefixBytes = 12;
}  // namespace

std::string source_of(std::string_view ip) {
  std::string text(ip);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = text.substr(1, text.size() - 2);
  }
  text = text.substr(0, text.find('%'));  // an interface's name
  std::array<char, sizeof(in6_addr)> bytes{};
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) != 1) {
    return text;
  }
  in6_addr address{};
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(&address));
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    std::array<char, INET_ADDRSTRLEN> shown{};
    ::inet_ntop(AF_INET, bytes.data() + kMappedPrefixBytes, shown.data(), shown.size());
    return shown.data();
  }
  std::array<char, INET6_ADDRSTRLEN> shown{};
  std::fill(bytes.begin() + kIpv6NetworkBytes, bytes.end(), '\0');
  ::inet_ntop(AF_INET6, bytes.data(), shown.data(), shown.size());
  return std::string(shown.data()) + "/64";
}

Strangers::Welcome Strangers::come(const std::string& source, bool of_a_member) {
  Welcome welcome;
  const auto of_source = of_source_.find(source);
  if (of_source != of_source_.end() && of_source->second >= limits_.of_one_source) {
    welcome.leaves = first_to_go(&source);
  } else if (present_.size() >= limits_.all) {
    welcome.leaves = first_to_go(nullptr);
    if (present_.at(*welcome.leaves).of_a_member && !of_a_member) {
      return {};
    }
  }
  if (welcome.leaves) {
    leave(*welcome.leaves);
  }
  welcome.id = ++last_;
  present_.emplace(welcome.id, Stranger{source, of_a_member, false});
  ++of_source_[source];
  return welcome;
}

// Of one source, or of all.
std::optional<Strangers::Id> Strangers::first_to_go(const std::string* source) const {
  std::optional<Id> first;
  const auto rank = [this](Id id) {
    const Stranger& stranger = present_.at(id);
    return std::make_tuple(stranger.of_a_member, stranger.has_spoken, id);
  };
  for (const auto& [id, stranger] : present_) {
    if ((source == nullptr || stranger.source == *source) && (!first || rank(id) < rank(*first))) {
      first = id;
    }
  }
  return first;
}

void Strangers::spoke(Id id) {
  if (const auto found = present_.find(id); found != present_.end()) {
    found->second.has_spoken = true;
  }
}

void Strangers::leave(Id id) {
  const auto found = present_.find(id);
  if (found == present_.end()) {
    return;
  }
  const auto of_source = of_source_.find(found->second.source);
  if (--of_source->second == 0) {
    of_source_.erase(of_source);
  }
  present_.erase(found);
}

}  // namespace kiwi::actors
