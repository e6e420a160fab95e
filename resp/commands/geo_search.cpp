// Searches around a place: GEOSEARCH, GEOSEARCHSTORE, GEORADIUS and GEORADIUSBYMEMBER with their
// read-only forms.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/base/check.hpp"
#include "resp/commands/geo_support.hpp"
#include "resp/commands/support.hpp"
#include "resp/numbers.hpp"
#include "resp/types/geo.hpp"
#include "resp/types/geo_sieve.hpp"
#include "resp/types/zset_algebra.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

// What a command's name says.
struct Form {
  enum class From : uint8_t { kOptions, kPlace, kMember };
  From from = From::kOptions;  // else it stands behind the key, and a radius behind it
  bool may_store = false;      // options STORE and STOREDIST
  bool stores = false;         // the destination stands in front of the key

  size_t source() const { return stores ? 2 : 1; }
  size_t options() const {
    return source() + (from == From::kPlace ? 5u : from == From::kMember ? 4u : 1u);
  }
};

enum class Order : uint8_t { kNone, kNearest, kFarthest };

struct Search {
  geo::Area area;
  bool from_member = false;
  bool from_place = false;
  bool by_radius = false;
  bool by_box = false;
  bool with_distance = false;
  bool with_hash = false;
  bool with_place = false;
  Order order = Order::kNone;
  uint64_t count = 0;  // 0: all
  bool any = false;    // the first ones that are found
  std::optional<std::string_view> destination;
  bool store_distances = false;

  bool with_more() const { return with_distance || with_hash || with_place; }
};

// Reads the arguments of one search. false: an error was answered.
class SearchReader {
 public:
  // `set` is the source, maybe a missing one.
  SearchReader(const Form& form, Args args, const ZSet& set, Search& search, ReplyWriter& reply)
      : form_(form), args_(args), set_(set), search_(search), reply_(reply) {}

  bool read() {
    if (form_.stores) {
      search_.destination = args_[1];
    }
    if (!read_fixed()) {
      return false;
    }
    for (at_ = form_.options(); at_ < args_.size(); ++at_) {
      if (!read_flag() && !read_option()) {
        return false;
      }
    }
    return check();
  }

 private:
  // More than `count` arguments are left, the present one included.
  bool has(size_t count) const { return args_.size() - at_ > count; }
  bool refuse(std::string_view text) { return reply_.error(text), false; }

  // What stands behind the key without a word.
  bool read_fixed() {
    const size_t behind = form_.source() + 1;
    switch (form_.from) {
      case Form::From::kOptions:
        return true;
      case Form::From::kPlace:
        return read_center(behind) && read_radius(behind + 2);
      case Form::From::kMember:  // a missing key is answered without a look at its radius
        return !set_.exists() || (read_member(behind) && read_radius(behind + 1));
    }
    return false;
  }

  bool read_center(size_t at) {
    const auto place = read_place(args_[at], args_[at + 1], reply_);
    search_.area.center = place.value_or(geo::Place{});
    return place.has_value();
  }

  bool read_member(size_t at) {
    const auto score = set_.score(args_[at]);
    if (!score) {
      return refuse("ERR could not decode requested zset member");
    }
    search_.area.center = geo::place_of(*score);
    return true;
  }

  bool read_radius(size_t at) {
    const auto radius = parse_double(args_[at]);
    if (!radius) {
      return refuse("ERR need numeric radius");
    }
    if (*radius < 0) {
      return refuse("ERR radius cannot be negative");
    }
    search_.area.shape = geo::Area::Shape::kCircle;
    search_.area.radius = *radius;
    return take_unit(at + 1);
  }

  bool read_box(size_t at) {
    const auto width = parse_double(args_[at]);
    if (!width) {
      return refuse("ERR need numeric width");
    }
    const auto height = parse_double(args_[at + 1]);
    if (!height) {
      return refuse("ERR need numeric height");
    }
    if (*height < 0 || *width < 0) {
      return refuse("ERR height or width cannot be negative");
    }
    search_.area.shape = geo::Area::Shape::kBox;
    search_.area.width = *width;
    search_.area.height = *height;
    return take_unit(at + 2);
  }

  bool take_unit(size_t at) {
    const auto unit = read_unit(args_[at], reply_);
    search_.area.unit = unit.value_or(1);
    return unit.has_value();
  }

  bool read_count() {
    const auto count = parse_integer(args_[++at_]);
    if (!count) {
      return refuse(texts::kNotInteger);
    }
    if (*count <= 0) {
      return refuse("ERR COUNT must be > 0");
    }
    search_.count = static_cast<uint64_t>(*count);
    return true;
  }

  // False: it is none of them.
  bool read_flag() {
    const std::string_view word = args_[at_];
    if (same_word(word, "withdist")) {
      search_.with_distance = true;
    } else if (same_word(word, "withhash")) {
      search_.with_hash = true;
    } else if (same_word(word, "withcoord")) {
      search_.with_place = true;
    } else if (same_word(word, "any")) {
      search_.any = true;
    } else if (same_word(word, "asc")) {
      search_.order = Order::kNearest;
    } else if (same_word(word, "desc")) {
      search_.order = Order::kFarthest;
    } else if (form_.stores && same_word(word, "storedist")) {
      search_.store_distances = true;
    } else {
      return false;
    }
    return true;
  }

  bool read_option() {
    const std::string_view word = args_[at_];
    if (same_word(word, "count") && has(1)) {
      return read_count();
    }
    const bool distances = same_word(word, "storedist");
    if (form_.may_store && (distances || same_word(word, "store")) && has(1)) {
      search_.store_distances = distances;
      search_.destination = args_[++at_];
      return true;
    }
    return form_.from == Form::From::kOptions ? read_area_option(word) : refuse(texts::kSyntax);
  }

  bool read_area_option(std::string_view word) {
    const size_t at = at_ + 1;
    if (same_word(word, "frommember") && has(1) && !search_.from_place) {
      at_ += 1;
      search_.from_member = true;
      return !set_.exists() || read_member(at);
    }
    if (same_word(word, "fromlonlat") && has(2) && !search_.from_member) {
      at_ += 2;
      search_.from_place = true;
      return read_center(at);
    }
    if (same_word(word, "byradius") && has(2) && !search_.by_box) {
      at_ += 2;
      search_.by_radius = true;
      return read_radius(at);
    }
    if (same_word(word, "bybox") && has(3) && !search_.by_radius) {
      at_ += 3;
      search_.by_box = true;
      return read_box(at);
    }
    return refuse(texts::kSyntax);
  }

  bool check() {
    if (search_.destination && search_.with_more()) {
      return refuse(
          std::string(form_.stores ? "ERR GEOSEARCHSTORE" : "ERR STORE option in GEORADIUS") +
          " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
    }
    const bool options = form_.from == Form::From::kOptions;
    const std::string name(quoted_word(args_[0]));
    if (options && !search_.from_member && !search_.from_place) {
      return refuse("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
    }
    if (options && !search_.by_radius && !search_.by_box) {
      return refuse("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
    }
    if (search_.any && search_.count == 0) {
      return refuse("ERR the ANY argument requires COUNT argument");
    }
    // So many of the nearest.
    if (search_.count != 0 && search_.order == Order::kNone && !search_.any) {
      search_.order = Order::kNearest;
    }
    return true;
  }

  const Form& form_;
  const Args args_;
  const ZSet& set_;
  Search& search_;
  ReplyWriter& reply_;
  size_t at_ = 0;
};

struct Hit {
  double distance = 0;  // metres
  double score = 0;
  uint64_t number = 0;  // in the order in which they were found
  std::string member;
};

// What a search found: all, or the best so many. Held in memory, and counted as work (F61).
class Hits {
 public:
  Hits(Database& database, const Search& search) : database_(database), search_(search) {}

  // False: no more are wanted.
  bool add(double distance, double score, std::string_view member) {
    const bool best = search_.count != 0 && !search_.any;
    Hit hit{distance, score, found_++, {}};
    if (!best || hits_.size() < search_.count) {
      database_.effects().spend(member.size());
      hit.member = member;
      hits_.push_back(std::move(hit));
      if (best) {
        std::push_heap(hits_.begin(), hits_.end(), comes_first());
      }
    } else if (comes_first()(hit, hits_.front())) {
      replace_last(std::move(hit), member);
    }
    return !search_.any || hits_.size() < search_.count;
  }

  // Of the best so many, once there are as many: how far the last of them is.
  std::optional<double> last_of_best() const {
    const bool full = search_.count != 0 && !search_.any && hits_.size() == search_.count;
    return full ? std::optional(hits_.front().distance) : std::nullopt;
  }

  // As they are answered: equal distances in the order in which they were found.
  std::vector<Hit> take() {
    if (search_.order != Order::kNone) {
      std::sort(hits_.begin(), hits_.end(), comes_first());
    }
    CHECK_INVARIANT(search_.count == 0 || hits_.size() <= search_.count);
    return std::move(hits_);
  }

 private:
  struct ComesFirst {
    Order order;
    bool operator()(const Hit& a, const Hit& b) const {
      if (a.distance != b.distance) {
        return order == Order::kFarthest ? a.distance > b.distance : a.distance < b.distance;
      }
      return a.number < b.number;
    }
  };
  ComesFirst comes_first() const { return {search_.order}; }

  // Of the best so many, the last one gives its place.
  void replace_last(Hit&& hit, std::string_view member) {
    CHECK_INVARIANT(!hits_.empty() && hits_.size() == search_.count);
    std::pop_heap(hits_.begin(), hits_.end(), comes_first());
    std::string& old = hits_.back().member;
    if (member.size() > old.size()) {
      database_.effects().spend(member.size() - old.size());
    }
    hit.member = member;
    hits_.back() = std::move(hit);
    std::push_heap(hits_.begin(), hits_.end(), comes_first());
  }

  Database& database_;
  const Search& search_;
  uint64_t found_ = 0;
  std::vector<Hit> hits_;  // a heap while only the best are kept: the last of them in front
};

// How far places are from the center of a search's area, if they are in it. Where entries are
// applied, only those are computed that decide about something. Which these are, and so the steps,
// is alike on every node.
class Finder {
 public:
  Finder(Context& context, const Search& search)
      : search_(search),
        steps_(context.state().steps()),
        distances_(trigonometry_of(context), search.area.center) {
    if (&trigonometry_of(context) == &geo::kPortable) {
      sieve_.emplace(search.area);
    }
  }

  // nullopt: it is outside, or is none of the best; 0 if nobody asks how far.
  std::optional<double> look(const geo::Place& place, const Hits& hits) {
    if (!sieve_) {
      return distances_.within(search_.area, place);
    }
    const geo::Sieve::Sifted sifted = sieve_->look(place);
    if (sifted.lies == geo::Sieve::Lies::kOutside || is_hopeless(sifted.haversine, hits)) {
      return std::nullopt;
    }
    const bool best = search_.count != 0 && !search_.any;
    if (sifted.lies == geo::Sieve::Lies::kInside && !best && !search_.store_distances) {
      return 0.0;
    }
    steps_.step(geo::kStepsOfDistance);
    return distances_.within(search_.area, place);
  }

 private:
  bool is_hopeless(double haversine, const Hits& hits) {
    const bool farthest = search_.order == Order::kFarthest;
    if (const auto last = hits.last_of_best(); last && last != last_) {
      last_ = last;
      bound_ = farthest ? geo::Sieve::surely_nearer(*last) : geo::Sieve::surely_farther(*last);
    }
    return last_ && (farthest ? haversine < bound_ : haversine > bound_);
  }

  const Search& search_;
  Steps& steps_;
  const geo::Distances distances_;
  std::optional<geo::Sieve> sieve_;  // in front of the portable functions
  std::optional<double> last_;       // what bound_ was made of
  double bound_ = 0;
};

std::vector<Hit> find(Context& context, const ZSet& set, const Search& search) {
  Finder finder(context, search);
  Hits hits(context.state(), search);
  bool wanted = true;
  const geo::Cells cells = geo::cells_of(trigonometry_of(context), search.area);
  CHECK_INVARIANT(!cells.all().empty());
  for (const geo::Cell& cell : cells.all()) {
    const ScoreRange range{.min = {.score = cell.first},
                           .max = {.score = cell.behind, .exclusive = true}};
    set.each(set.ranks(range), [&](std::string_view member, double score) {
      const auto distance = finder.look(geo::place_of(score), hits);
      wanted = !distance || hits.add(*distance, score, member);
      return wanted;
    });
    if (!wanted) {
      break;
    }
  }
  return hits.take();
}

void answer(const Search& search, const std::vector<Hit>& hits, ReplyWriter& reply) {
  const size_t parts = 1u + (search.with_distance ? 1 : 0) + (search.with_hash ? 1 : 0) +
                       (search.with_place ? 1 : 0);
  reply.array(hits.size());
  for (const Hit& hit : hits) {
    if (parts > 1) {
      reply.array(parts);
    }
    reply.bulk(hit.member);
    if (search.with_distance) {
      reply_distance(hit.distance / search.area.unit, reply);
    }
    if (search.with_hash) {
      reply.integer(static_cast<int64_t>(hit.score));
    }
    if (search.with_place) {
      reply_place(geo::place_of(hit.score), reply);
    }
  }
}

// In place of whatever the destination holds; without hits it is removed.
void store(Context& context, const Search& search, std::vector<Hit> hits, ReplyWriter& reply) {
  ScoredMembers members(context.state());
  for (Hit& hit : hits) {
    members.take(search.store_distances ? hit.distance / search.area.unit : hit.score,
                 std::move(hit.member));
  }
  members.sort();
  CHECK_INVARIANT(members.size() == hits.size());
  Key key = context.find(*search.destination);
  const bool was_there = key.live;
  const uint64_t stored = members.store(key);
  context.notify_stored(config::kEventZset,
                        context.command() == "geosearchstore" ? "geosearchstore" : "georadiusstore",
                        *search.destination, stored, was_there);
  reply.integer(static_cast<int64_t>(stored));
}

void run(Context& context, Args args, const Form& form, ReplyWriter& reply) {
  const ZSet* set = context.read<ZSet>(args[form.source()], reply);
  if (set == nullptr) {
    return;
  }
  Search search;
  if (!SearchReader(form, args, *set, search, reply).read()) {
    return;
  }
  std::vector<Hit> hits;
  if (set->exists()) {
    hits = find(context, *set, search);
  }
  if (search.destination) {
    store(context, search, std::move(hits), reply);
  } else {
    answer(search, hits, reply);
  }
}

Route route_with_store(Args args, size_t options) {
  for (size_t i = options; i + 1 < args.size(); ++i) {
    if (same_word(args[i], "store") || same_word(args[i], "storedist")) {
      return Route::kWrite;
    }
  }
  return Route::kRead;
}

constexpr Form kRadius{.from = Form::From::kPlace, .may_store = true};
constexpr Form kRadiusByMember{.from = Form::From::kMember, .may_store = true};

}  // namespace

void geosearch(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, Form{}, reply);
}
void geosearchstore(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, Form{.stores = true}, reply);
}
void georadius(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, kRadius, reply);
}
void georadius_ro(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, Form{.from = Form::From::kPlace}, reply);
}
void georadiusbymember(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, kRadiusByMember, reply);
}
void georadiusbymember_ro(Context& context, Args args, ReplyWriter& reply) {
  run(context, args, Form{.from = Form::From::kMember}, reply);
}

// Without STORE they only read. What stands in place of an option's value may be taken for the
// option: then a refusal goes through the log.
Route georadius_route(Args args) { return route_with_store(args, kRadius.options()); }
Route georadiusbymember_route(Args args) {
  return route_with_store(args, kRadiusByMember.options());
}

}  // namespace kiwi::resp::commands
