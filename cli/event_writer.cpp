#include <legion/cli/event_writer.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include <legion/base/units.hpp>
#include <legion/cli/figures.hpp>
#include <legion/cli/printable.hpp>
#include <legion/event/json.hpp>

namespace legion::cli {
namespace {

/// The data as JSON on one line.
std::string data_text(const EventView& event) {
  if (!event.defect.empty()) return "(does not decode: " + std::string(event.defect) + ")";
  if (event.data.empty()) return "null";
  auto json = data_to_json(event.data);
  return json ? std::move(*json) : "(does not decode: " + json.error().message + ")";
}

/// "17:23:53.971" of the day, in UTC.
std::string clock_text(WallTime time) {
  const std::int64_t ms = time.ns / 1'000'000;
  const std::string full = format_time({ms * 1'000'000});  // ...T17:23:53[.971]Z
  std::string clock = full.substr(11, 8) + ".000";
  if (full.size() > 20) clock.replace(9, 3, full, 20, 3);
  return clock;
}

/// Columns grow with what they hold, up to a bound, so that lines stay aligned without knowing what comes. On a terminal
/// the data keeps `data_columns_min`: the source column gives way.
class TableWriter : public EventWriter {
 public:
  TableWriter(std::ostream& out, const Paint& paint, std::size_t width) : out_(out), paint_(paint), width_(width) {
    if (width_ == 0) return;
    type_.max = std::min(type_.max, width_ / 4);
    type_.now = std::min(type_.now, width_ / 5);
  }

  void write(const EventView& event) override {
    const std::string type = type_.padded(printable(event.type));
    std::string head = clock_text(event.time) + "  " + priority_.padded(std::string(to_string(event.lane))) + "  " + type;
    std::string rest = source_part(printable(event.source)) + "  " + printable(data_text(event));
    if (width_ > 0) {
      head = shortened(head, width_);
      rest = shortened(rest, width_ - columns_of(head));
    }
    std::string line;
    if (event.lane == Priority::Low) {
      paint_.append(line, Tint::Dim, head + rest);
    } else {
      paint_.append(line, tint_of(event.lane), head);
      line += rest;
    }
    out_ << line << '\n';
  }

 private:
  struct Growing {
    std::size_t now;
    std::size_t max;

    std::string padded(std::string text) {
      const std::size_t columns = columns_of(text);
      now = std::max(now, std::min(columns, max));
      if (columns < now) text.append(now - columns, ' ');
      return text;
    }
  };
  static constexpr std::size_t gap = 2;
  static constexpr std::size_t clock_columns = 12;
  static constexpr std::size_t source_columns_min = 8;  ///< fewer tell nothing
  static constexpr std::size_t data_columns_min = 32;

  /// The gap and the source, as far as there is room for it.
  std::string source_part(std::string source) {
    std::string text = source_.padded(std::move(source));
    if (width_ > 0) {
      const std::size_t taken = clock_columns + priority_.now + type_.now + 4 * gap + data_columns_min;
      const std::size_t room = taken < width_ ? width_ - taken : 0;
      if (room < source_columns_min) return {};
      text = shortened(text, std::min(room, source_.now));
    }
    return std::string(gap, ' ') + text;
  }

  std::ostream& out_;
  const Paint paint_;
  const std::size_t width_;
  Growing priority_{8, 8};
  Growing type_{24, 40};
  Growing source_{16, 32};
};

class FormatWriter : public EventWriter {
 public:
  static Result<std::unique_ptr<EventWriter>> create(std::ostream& out, const std::string& format) {
    auto writer = std::unique_ptr<FormatWriter>(new FormatWriter(out));
    std::string text;
    for (std::size_t i = 0; i < format.size(); ++i) {
      const char c = format[i];
      if (c != '%' && c != '\\') {
        text += c;
        continue;
      }
      const char next = i + 1 < format.size() ? format[++i] : '\0';
      if (c == '\\') {
        constexpr std::string_view known = "tn\\";
        if (known.find(next) == std::string_view::npos) return bad(c, next);
        text += next == 't' ? '\t' : next == 'n' ? '\n' : '\\';
      } else if (next == '%') {
        text += '%';
      } else if (fields.find(next) != std::string_view::npos && next != '\0') {
        writer->parts_.push_back({std::exchange(text, {}), next});
      } else {
        return bad(c, next);
      }
    }
    writer->tail_ = text;
    return std::unique_ptr<EventWriter>(std::move(writer));
  }

  void write(const EventView& event) override {
    std::string line;
    for (const Part& part : parts_) {
      line += part.before;
      line += printable(field(event, part.field));
    }
    out_ << line << tail_ << '\n';
  }

 private:
  struct Part {
    std::string before;
    char field;
  };
  static constexpr std::string_view fields = "Tptsnickad";

  explicit FormatWriter(std::ostream& out) : out_(out) {}

  static std::unexpected<Error> bad(char escape, char next) {
    return fail(ErrorCode::InvalidArgument, std::string("--format: '") + escape + (next == '\0' ? "" : std::string(1, next)) +
                                                "' is not known; there are %T time, %p priority, %t type, %s source, %n node, "
                                                "%i id, %c correlation, %a causation, %k key, %d data, %%, \\t and \\n");
  }

  static std::string field(const EventView& event, char name) {
    switch (name) {
      case 'T': return format_time(event.time);
      case 'p': return std::string(to_string(event.lane));
      case 't': return std::string(event.type);
      case 's': return std::string(event.source);
      case 'n': return std::string(event.origin);
      case 'i': return event.id_string();
      case 'c': return event.correlation();
      case 'a': return std::string(event.causation_id);
      case 'k': return std::string(event.key);
      case 'd': return data_text(event);
    }
    return {};
  }

  std::ostream& out_;
  std::vector<Part> parts_;
  std::string tail_;
};

/// One line of CloudEvents JSON; a defect as an object with the id and the reason.
std::string json_line(const EventView& event, bool types_only) {
  if (types_only) return JsonTree{{"type", event.type}}.dump();
  if (auto json = to_cloudevent_json(event)) return std::move(*json);
  return JsonTree{{"id", event.id_string()}, {"type", event.type}, {"defect", printable(event.defect)}}.dump();
}

class JsonlWriter : public EventWriter {
 public:
  JsonlWriter(std::ostream& out, bool types_only) : out_(out), types_only_(types_only) {}
  void write(const EventView& event) override { out_ << json_line(event, types_only_) << '\n'; }

 private:
  std::ostream& out_;
  const bool types_only_;
};

class JsonArrayWriter : public EventWriter {
 public:
  JsonArrayWriter(std::ostream& out, bool types_only) : out_(out), types_only_(types_only) {}
  void begin() override { out_ << '['; }
  void write(const EventView& event) override {
    out_ << (std::exchange(first_, false) ? "\n" : ",\n") << json_line(event, types_only_);
  }
  void end() override { out_ << (first_ ? "]\n" : "\n]\n"); }

 private:
  std::ostream& out_;
  const bool types_only_;
  bool first_ = true;
};

class CsvWriter : public EventWriter {
 public:
  CsvWriter(std::ostream& out, bool types_only) : out_(out), types_only_(types_only) {}

  void begin() override { out_ << (types_only_ ? "type\n" : "time,priority,type,source,id,correlation,key,data\n"); }

  void write(const EventView& event) override {
    if (types_only_) {
      out_ << event.type << '\n';
      return;
    }
    out_ << format_time(event.time) << ',' << to_string(event.lane) << ',' << event.type << ','
         << csv_field(printable(event.source)) << ',' << event.id_string() << ',' << csv_field(printable(event.correlation()))
         << ',' << csv_field(printable(event.key)) << ',' << csv_field(data_text(event)) << '\n';
  }

 private:
  std::ostream& out_;
  const bool types_only_;
};

}  // namespace

Result<std::unique_ptr<EventWriter>> make_event_writer(std::ostream& out, const Paint& paint,
                                                       const EventWriterOptions& options) {
  if (!options.format.empty()) return FormatWriter::create(out, options.format);
  switch (options.output) {
    case Output::Table:
      if (options.types_only) return FormatWriter::create(out, "%t");
      return std::make_unique<TableWriter>(out, paint, options.width);
    case Output::Json: return std::make_unique<JsonArrayWriter>(out, options.types_only);
    case Output::Jsonl: return std::make_unique<JsonlWriter>(out, options.types_only);
    case Output::Csv: return std::make_unique<CsvWriter>(out, options.types_only);
  }
  return fail(ErrorCode::Internal, "unknown output form");
}

}  // namespace legion::cli
