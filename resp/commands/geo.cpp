// Places: adding them, and what is asked of single members. Searches: geo_search.cpp.
#include "resp/types/geo.hpp"

#include <optional>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "resp/commands/geo_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/words.hpp"

namespace kiwi::resp {

std::optional<geo::Place> read_place(std::string_view longitude,
                                     std::string_view latitude,
                                     ReplyWriter& reply) {
  const auto x = parse_double(longitude);
  const auto y = x ? parse_double(latitude) : std::nullopt;
  if (!y) {
    reply.error(texts::kNotFloat);
    return std::nullopt;
  }
  const geo::Place place{*x, *y};
  if (!geo::is_on_map(place)) {
    reply.error("ERR invalid longitude,latitude pair " + fixed_text(*x, 6) + "," +
                fixed_text(*y, 6));
    return std::nullopt;
  }
  return place;
}

std::optional<double> read_unit(std::string_view word, ReplyWriter& reply) {
  constexpr struct {
    std::string_view name;
    double metres;
  } kUnits[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
  for (const auto& unit : kUnits) {
    if (same_word(word, unit.name)) {
      return unit.metres;
    }
  }
  reply.error("ERR unsupported unit provided. please use M, KM, FT, MI");
  return std::nullopt;
}

void reply_place(const geo::Place& place, ReplyWriter& reply) {
  reply.array(2);
  for (const double coordinate : {place.longitude, place.latitude}) {
    reply.number_as(coordinate, format_long_double(coordinate));
  }
}

void reply_distance(double distance, ReplyWriter& reply) { reply.bulk(fixed_text(distance, 4)); }

namespace commands {

namespace {

struct AddOptions {
  AddFlags flags;
  bool changed = false;  // CH: count those that moved, too
  size_t first = 2;      // where places begin
};

AddOptions read_add_options(Args args) {
  AddOptions options;
  for (; options.first < args.size(); ++options.first) {
    const std::string_view word = args[options.first];
    if (same_word(word, "nx")) {
      options.flags.nx = true;
    } else if (same_word(word, "xx")) {
      options.flags.xx = true;
    } else if (same_word(word, "ch")) {
      options.changed = true;
    } else {
      break;
    }
  }
  return options;
}

}  // namespace

// GEOADD key [NX | XX] [CH] (longitude latitude member)+
void geoadd(Context& context, Args args, ReplyWriter& reply) {
  const AddOptions options = read_add_options(args);
  const Args places = args.subspan(options.first);
  if (places.empty() || places.size() % 3 != 0 || (options.flags.nx && options.flags.xx)) {
    return reply.error(texts::kSyntax);
  }
  std::vector<double> scores;
  scores.reserve(places.size() / 3);
  for (size_t at = 0; at < places.size(); at += 3) {
    const auto place = read_place(places[at], places[at + 1], reply);
    if (!place) {
      return;
    }
    scores.push_back(geo::score_of(*place));
  }
  CHECK_INVARIANT(3 * scores.size() == places.size());
  ZSet* set = context.open<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  int64_t counted = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const AddOutcome outcome = set->add(scores[i], places[3 * i + 2], options.flags).outcome;
    const bool moved = outcome == AddOutcome::kMoved && options.changed;
    counted += outcome == AddOutcome::kAdded || moved ? 1 : 0;
  }
  context.save(*set, config::kEventZset, "zadd");
  reply.integer(counted);
}

void geopos(Context& context, Args args, ReplyWriter& reply) {
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    if (const auto score = set->score(member)) {
      reply_place(geo::place_of(*score), reply);
    } else {
      reply.null_array();
    }
  }
}

void geohash(Context& context, Args args, ReplyWriter& reply) {
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  reply.array(args.size() - 2);
  for (std::string_view member : args.subspan(2)) {
    if (const auto score = set->score(member)) {
      const auto text = geo::hash_of(geo::place_of(*score));
      reply.bulk({text.data(), text.size()});
    } else {
      reply.null();
    }
  }
}

// GEODIST key member member [unit]
void geodist(Context& context, Args args, ReplyWriter& reply) {
  if (args.size() > 5) {
    return reply.error(texts::kSyntax);
  }
  const auto unit = args.size() == 5 ? read_unit(args[4], reply) : 1.0;
  if (!unit) {
    return;
  }
  const ZSet* set = context.read<ZSet>(args[1], reply);
  if (set == nullptr) {
    return;
  }
  const auto from = set->score(args[2]);
  const auto to = from ? set->score(args[3]) : std::nullopt;
  if (!to) {
    return reply.null();
  }
  const geo::Distances distances(trigonometry_of(context), geo::place_of(*from));
  reply_distance(distances.to(geo::place_of(*to)) / *unit, reply);
}

}  // namespace commands

}  // namespace kiwi::resp
