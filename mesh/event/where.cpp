#include <legion/event/where.hpp>

#include <cmath>
#include <cstring>

#include <xxhash.h>

#include <legion/base/assert.hpp>
#include <legion/event/where_compare.hpp>
#include <legion/event/where_program.hpp>
#include <legion/event/where_values.hpp>

namespace legion {

namespace {

using where::Instruction;
using where::Kind;
using where::Op;
using where::Program;
using where::Subject;
using where::Value;

// std::string_view::find may take text x part; this is linear.
bool contains(std::string_view text, std::string_view part) {
  return ::memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

bool is_listed(const Instruction& one, const Program& program, const Value& value) {
  for (std::size_t i = 0; i < one.right.count; ++i) {
    if (where::holds(Op::Equal, value, program.literals[one.right.first + i].value)) return true;
  }
  return false;
}

/// The literals of a list are all of one kind.
bool is_comparable(const Instruction& one, const Program& program, const Value& value) {
  return where::compare(value, program.literals[one.right.first].value) != std::partial_ordering::unordered;
}

bool test(const Instruction& one, const Program& program, const Subject& subject) {
  const Value left = where::value_of(one.left, program, subject);
  switch (one.op) {
    case Op::Equal:
    case Op::NotEqual:
    case Op::Less:
    case Op::LessOrEqual:
    case Op::Greater:
    case Op::GreaterOrEqual: return where::holds(one.op, left, where::value_of(one.right, program, subject));
    case Op::In: return is_listed(one, program, left);
    case Op::NotIn: return is_comparable(one, program, left) && !is_listed(one, program, left);
    case Op::Exists: return left.kind != Kind::Missing;
    case Op::IsNull: return left.kind == Kind::Null;
    case Op::IsNotNull: return left.kind != Kind::Missing && left.kind != Kind::Null;
    case Op::Prefix:
    case Op::Suffix:
    case Op::Contains:
    case Op::Matches: break;
    case Op::Not:
    case Op::JumpIfTrue:
    case Op::JumpIfFalse: LEGION_UNREACHABLE();
  }
  if (left.kind != Kind::Text) return false;
  const std::string_view right = program.literals[one.right.first].value.text;
  switch (one.op) {
    case Op::Prefix: return left.text.starts_with(right);
    case Op::Suffix: return left.text.ends_with(right);
    case Op::Contains: return contains(left.text, right);
    default: return where::matches_glob(right, left.text);
  }
}

bool run(const Program& program, const Subject& subject) {
  bool answer = false;
  for (std::size_t at = 0; at < program.instructions.size();) {
    const Instruction& one = program.instructions[at];
    switch (one.op) {
      case Op::Not:
        answer = !answer;
        ++at;
        break;
      case Op::JumpIfTrue: at = answer ? one.target : at + 1; break;
      case Op::JumpIfFalse: at = answer ? at + 1 : one.target; break;
      default: answer = test(one, program, subject); ++at;
    }
  }
  return answer;
}

/// Literals view their own text, which has moved for the last time.
std::shared_ptr<const Program> complete(Program program) {
  auto shared = std::make_shared<Program>(std::move(program));
  for (where::Literal& literal : shared->literals) literal.value.text = literal.text;
  return shared;
}

std::uint64_t hash(std::uint8_t kind, const void* bytes, std::size_t size) {
  return XXH3_64bits_withSeed(bytes, size, kind);
}

/// Equal numbers hash alike: what a 64-bit integer can say, as that.
std::uint64_t hash_number(const Value& value) {
  const auto natural = static_cast<std::uint8_t>(Kind::Uint);
  const auto integer = static_cast<std::uint8_t>(Kind::Int);
  if (value.kind == Kind::Uint) return hash(natural, &value.natural, sizeof value.natural);
  if (value.kind == Kind::Int) return hash(integer, &value.integer, sizeof value.integer);
  const double real = value.real;
  if (real == std::floor(real) && real >= 0 && real < 0x1p64) {
    const auto whole = static_cast<std::uint64_t>(real);
    return hash(natural, &whole, sizeof whole);
  }
  if (real == std::floor(real) && real < 0 && real >= -0x1p63) {
    const auto whole = static_cast<std::int64_t>(real);
    return hash(integer, &whole, sizeof whole);
  }
  return hash(static_cast<std::uint8_t>(Kind::Float), &real, sizeof real);
}

}  // namespace

Result<Where> Where::parse(std::string_view text) {
  auto program = where::compile_condition(text);
  if (!program) return std::unexpected(std::move(program.error()));
  return Where(complete(std::move(*program)));
}

bool Where::matches(const EventView& event) const { return matches(event, {}); }

bool Where::matches(const EventView& event, std::span<const std::pair<std::string, std::string>> extensions) const {
  return event.defect.empty() && run(*program_, {event, extensions});
}

const std::string& Where::text() const { return program_->text; }

Result<WhereField> WhereField::parse(std::string_view text) {
  auto program = where::compile_field(text);
  if (!program) return std::unexpected(std::move(program.error()));
  return WhereField(complete(std::move(*program)));
}

std::optional<std::uint64_t> WhereField::hash_of(
    const EventView& event, std::span<const std::pair<std::string, std::string>> extensions) const {
  const Value value = where::value_of(program_->field, *program_, {event, extensions});
  const auto kind = static_cast<std::uint8_t>(value.kind);
  switch (value.kind) {
    case Kind::Missing:
    case Kind::Other: return std::nullopt;
    case Kind::Null: return hash(kind, nullptr, 0);
    case Kind::Bool: return hash(kind, &value.boolean, sizeof value.boolean);
    case Kind::Text: return hash(kind, value.text.data(), value.text.size());
    case Kind::Time:
    case Kind::Urgency: return hash(kind, &value.integer, sizeof value.integer);
    case Kind::Float:
      if (std::isnan(value.real)) return std::nullopt;
      return hash_number(value);
    case Kind::Int:
    case Kind::Uint: return hash_number(value);
  }
  LEGION_UNREACHABLE();
}

const std::string& WhereField::text() const { return program_->text; }

}  // namespace legion
