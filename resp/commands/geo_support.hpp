// What commands of places share: arguments as clients write them, and places and distances as they
// are answered. Pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "resp/context.hpp"
#include "resp/reply.hpp"
#include "resp/types/geo.hpp"

namespace kiwi::resp {

// These two answer errors themselves.
std::optional<geo::Place> read_place(std::string_view longitude,
                                     std::string_view latitude,
                                     ReplyWriter& reply);
std::optional<double> read_unit(std::string_view word, ReplyWriter& reply);  // metres

// Reads take the host's: they change nothing, whatever its last bits are.
inline const geo::Trigonometry& trigonometry_of(const Context& context) {
  return context.may_write() ? geo::kPortable : geo::kHost;
}

void reply_place(const geo::Place& place, ReplyWriter& reply);
void reply_distance(double distance, ReplyWriter& reply);  // in the unit that was asked for

}  // namespace kiwi::resp
