// LOLWUT: the version, or a small picture of versions 5 and 6 of Redis. A picture differs each
// time.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <string>
#include <vector>

#include "config/base/check.hpp"
#include "config/base/prng.hpp"
#include "config/limits.hpp"
#include "config/version.hpp"
#include "resp/numbers.hpp"
#include "resp/session_state.hpp"
#include "resp/words.hpp"

namespace kiwi::resp::commands {

namespace {

std::string signature() { return "Redis ver. " + std::string(config::kRedisVersion) + "\n"; }

// ---------------------------------------------------------------- version 5

// Dots, eight in a character (Unicode's braille patterns): two wide, four high.
class Dots {
 public:
  Dots(int width, int height)
      : width_(width),
        height_(height),
        columns_((static_cast<size_t>(width) + 1) / 2),
        rows_((static_cast<size_t>(height) + 3) / 4),
        cells_(columns_ * rows_) {}

  void set(int x, int y) {
    if (x >= 0 && x < width_ && y >= 0 && y < height_) {
      constexpr uint8_t kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
      const auto column = static_cast<size_t>(x) / 2;
      const auto row = static_cast<size_t>(y) / 4;
      cells_.at(row * columns_ + column) |= kBits[y % 4][x % 2];
    }
  }

  // Bresenham's.
  void line(int x, int y, int to_x, int to_y) {
    const int dx = std::abs(to_x - x);
    const int dy = std::abs(to_y - y);
    const int step_x = x < to_x ? 1 : -1;
    const int step_y = y < to_y ? 1 : -1;
    int error = dx - dy;
    for (set(x, y); x != to_x || y != to_y; set(x, y)) {
      const int twice = 2 * error;
      if (twice > -dy) {
        error -= dy;
        x += step_x;
      }
      if (twice < dx) {
        error += dx;
        y += step_y;
      }
    }
  }

  // Around its middle, turned by an angle.
  void square(int x, int y, float side, float angle) {
    const float radius = std::round(side / std::numbers::sqrt2_v<float>);
    int corner_x[4];
    int corner_y[4];
    for (int i = 0; i < 4; ++i) {
      const float at = angle + std::numbers::pi_v<float> * (0.25F + 0.5F * static_cast<float>(i));
      corner_x[i] = static_cast<int>(std::lround(std::sin(at) * radius)) + x;
      corner_y[i] = static_cast<int>(std::lround(std::cos(at) * radius)) + y;
    }
    for (int i = 0; i < 4; ++i) {
      const int next = (i + 1) % 4;
      line(corner_x[i], corner_y[i], corner_x[next], corner_y[next]);
    }
  }

  std::string text() const {
    std::string out;
    for (size_t row = 0; row < rows_; ++row) {
      for (size_t column = 0; column < columns_; ++column) {
        const unsigned code = 0x2800U + cells_[row * columns_ + column];
        out.push_back(static_cast<char>(0xE0U | (code >> 12)));
        out.push_back(static_cast<char>(0x80U | ((code >> 6) & 0x3FU)));
        out.push_back(static_cast<char>(0x80U | (code & 0x3FU)));
      }
      out += static_cast<int>(row * 4) == height_ - 1 ? "" : "\n";
    }
    return out;
  }

 private:
  int width_;
  int height_;
  size_t columns_;
  size_t rows_;
  std::vector<uint8_t> cells_;
};

struct Shape {
  int columns;
  int across;  // squares in a row; version 6: rows
  int down;
};

// After Georg Nees: rows of squares that lose their order further down. The first two rows are
// drawn the same each time.
std::string schotter(const Shape& shape, Prng& prng) {
  constexpr size_t kCellBytes = 3;
  const int width = shape.columns * 2;
  const int padding = width > 4 ? 2 : 0;
  const float side = static_cast<float>(width - 2 * padding) / static_cast<float>(shape.across);
  const int height = static_cast<int>(side * static_cast<float>(shape.down)) + 2 * padding;
  const size_t bytes =
      kCellBytes * static_cast<size_t>(shape.columns) * (static_cast<size_t>(height) / 4 + 1);
  if (bytes > config::limits::kLocalReplyBytes) {
    throw ReplyTooLarge();
  }
  // In [-1, 1], more in lower rows.
  auto swing = [&](int row) {
    constexpr int64_t kSteps = 1 << 20;
    const auto step = static_cast<int64_t>(prng.below(2 * kSteps + 1)) - kSteps;
    return static_cast<float>(step) / static_cast<float>(kSteps) / static_cast<float>(shape.down) *
           static_cast<float>(row);
  };
  Dots dots(width, height);
  for (int row = 0; row < shape.down; ++row) {
    for (int column = 0; column < shape.across; ++column) {
      float x = static_cast<float>(column) * side + side / 2 + static_cast<float>(padding);
      float y = static_cast<float>(row) * side + side / 2 + static_cast<float>(padding);
      float angle = 0;
      x = std::trunc(x);
      y = std::trunc(y);
      if (row > 1) {
        angle = swing(row);
        x += swing(row) * side / 3;
        y += swing(row) * side / 3;
      }
      dots.square(static_cast<int>(x), static_cast<int>(y), side, angle);
    }
  }
  return dots.text() + "\nGeorg Nees - schotter, plotter on paper, 1968. " + signature();
}

// ---------------------------------------------------------------- version 6

constexpr std::string_view kColors[] = {"0;30;40", "0;90;100", "0;37;47", "0;97;107"};
constexpr uint8_t kBlack = 0;
constexpr uint8_t kDark = 1;
constexpr uint8_t kLight = 2;
constexpr uint8_t kWhite = 3;

// A town: light towers behind dark ones, and in front black ones with windows that somebody left
// on.
class Skyline {
 public:
  Skyline(size_t width, size_t height) : width_(width), height_(height) {
    CHECK_INVARIANT(width > 0 && height > 0);
    pixels_.assign(width * height, kWhite);
  }

  void towers(uint8_t color, size_t gap_max, size_t height_max, Prng& prng) {
    for (size_t left = prng.below(gap_max); left < width_;) {
      const size_t width = 5 + prng.below(12);
      const size_t height = std::max<size_t>(1, height_max / 2 + prng.below(height_max / 2 + 1));
      tower(color, left, width, std::min(height, height_), prng);
      left += width + prng.below(gap_max);
    }
  }

  std::string text() const {
    std::string out;
    for (size_t i = 0; i < pixels_.size(); ++i) {
      out.append("\x1b[").append(kColors[pixels_[i]]).append("m \x1b[0m");
      out += (i + 1) % width_ == 0 ? "\n" : "";
    }
    return out;
  }

 private:
  void tower(uint8_t color, size_t left, size_t width, size_t height, Prng& prng) {
    for (size_t y = height_ - height; y < height_; ++y) {
      for (size_t x = left; x < std::min(left + width, width_); ++x) {
        const bool inside = x > left && x + 1 < left + width && y > height_ - height;
        const bool window =
            color == kBlack && inside && (x - left) % 2 == 1 && (y - (height_ - height)) % 2 == 1;
        pixels_.at(y * width_ + x) = window && prng.chance(1, 3) ? kWhite : color;
      }
    }
  }

  size_t width_;
  size_t height_;
  std::vector<uint8_t> pixels_;
};

std::string town(const Shape& shape, Prng& prng) {
  constexpr size_t kPixelBytes = 18;
  const auto width = static_cast<size_t>(shape.columns);
  const auto height = static_cast<size_t>(shape.across);
  if (width * height * kPixelBytes > config::limits::kLocalReplyBytes) {
    throw ReplyTooLarge();
  }
  Skyline skyline(width, height);
  skyline.towers(kLight, 4, height, prng);
  skyline.towers(kDark, 8, height * 3 / 4 + 1, prng);
  skyline.towers(kBlack, 12, height / 2 + 1, prng);
  return skyline.text() +
         "\nDedicated to the 8 bit game developers of past and present.\nA town at night. " +
         signature();
}

// Numbers that are not given keep what they have; false: one is no number.
bool read_sizes(Args args, std::initializer_list<std::pair<int*, int>> sizes) {
  size_t next = 0;
  for (const auto& [size, most] : sizes) {
    if (next == args.size()) {
      return true;
    }
    const std::optional<int64_t> number = parse_integer(args[next++]);
    if (!number) {
      return false;
    }
    *size = static_cast<int>(std::clamp<int64_t>(*number, 1, most));
  }
  return true;
}

}  // namespace

void lolwut(Session& session, Args args, ReplyWriter& reply) {
  int64_t version = 0;
  if (args.size() >= 3 && same_word(args[1], "version")) {
    const std::optional<int64_t> wanted = parse_integer(args[2]);
    if (!wanted) {
      return reply.error(texts::kNotInteger);
    }
    version = *wanted;
    args = args.subspan(3);
  }
  Prng prng(static_cast<uint64_t>(session.state().node.wall_microseconds()));
  if (version == 5) {
    Shape shape{66, 8, 12};
    if (!read_sizes(args, {{&shape.columns, 1000}, {&shape.across, 200}, {&shape.down, 200}})) {
      return reply.error(texts::kNotInteger);
    }
    return reply.verbatim(schotter(shape, prng));
  }
  if (version == 6) {
    Shape shape{80, 20, 0};
    if (!read_sizes(args, {{&shape.columns, 1000}, {&shape.across, 1000}})) {
      return reply.error(texts::kNotInteger);
    }
    return reply.verbatim(town(shape, prng));
  }
  reply.verbatim(signature());
}

}  // namespace kiwi::resp::commands
