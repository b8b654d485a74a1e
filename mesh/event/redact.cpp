#include <legion/event/redact.hpp>

#include <algorithm>

#include <legion/event/msgpack_writer.hpp>
#include <legion/event/where_values.hpp>

namespace legion {

struct Redaction::What {
  std::vector<std::vector<where::Step>> fields;
  Bytes replacement;  // encoded
};

Result<Redaction> Redaction::create(const std::vector<std::string>& fields, std::string_view replacement) {
  What what;
  for (const std::string& text : fields) {
    const auto program = where::compile_field(text);
    if (!program) return std::unexpected(program.error());
    if (program->field.source != where::Operand::Source::Data) {
      return fail(ErrorCode::InvalidArgument, "field: " + text + " is not in the data; attributes cannot be redacted");
    }
    what.fields.push_back(program->steps);
  }
  MsgpackWriter writer;
  writer.str(replacement);
  what.replacement = writer.take();
  return Redaction(std::make_shared<const What>(std::move(what)));
}

// Containers state how many values they hold and not how many bytes, so a value can be replaced where it stands.
std::optional<Bytes> Redaction::apply(BytesView data) const {
  std::vector<where::Place> places;
  for (const auto& steps : what_->fields) where::find_places(data, steps, places);
  if (places.empty()) return std::nullopt;
  const Bytes& replacement = what_->replacement;
  std::ranges::sort(places, {}, &where::Place::first);
  Bytes out;
  out.reserve(data.size() + places.size() * replacement.size());
  std::size_t at = 0;
  for (const where::Place& place : places) {
    if (place.first < at) continue;  // inside of one that is gone
    out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(at),
               data.begin() + static_cast<std::ptrdiff_t>(place.first));
    out.insert(out.end(), replacement.begin(), replacement.end());
    at = place.end;
  }
  out.insert(out.end(), data.begin() + static_cast<std::ptrdiff_t>(at), data.end());
  return out;
}

}  // namespace legion
