// What a condition is compiled to. Internal to this layer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <legion/base/error.hpp>

namespace legion::where {

/// What an operand turns out to be. Of two kinds only numbers are ever compared with each other.
enum class Kind : std::uint8_t {
  Missing,   ///< not there
  Null,
  Bool,
  Int,       ///< a number below 0
  Uint,      ///< a number of 0 or above
  Float,
  Text,
  Time,      ///< ns since 1970; only attributes are one
  Urgency,   ///< of a priority: critical is the highest; only the attribute is one
  Other,     ///< map, array, binary, ext: there, and equal to nothing
};

struct Value {
  Kind kind = Kind::Missing;
  union {
    bool boolean;
    std::int64_t integer;  // Int, Time, Urgency
    std::uint64_t natural = 0;
    double real;
  };
  std::string_view text{};
};

enum class Attribute : std::uint8_t {
  Type,
  Source,
  Node,
  Agent,
  Origin,
  Key,
  CorrelationId,
  CausationId,
  Traceparent,
  Tracestate,
  ForeignId,
  OriginalId,
  SchemaVersion,
  Priority,
  Time,
  ExpiresAt,
};

/// A way from a value to one inside it.
struct Step {
  enum class Kind : std::uint8_t { Member, Element } kind = Kind::Member;
  std::uint32_t index = 0;  ///< of Element
  std::string name{};       ///< of Member, or of an extension
};

struct Operand {
  enum class Source : std::uint8_t { Attribute, Data, Extension, Literal } source = Source::Literal;
  Attribute attribute = Attribute::Type;
  std::uint16_t first = 0;  ///< of Data and Extension: in Program::steps; of Literal: in Program::literals
  std::uint16_t count = 0;  ///< steps
};

struct Literal {
  Value value{};
  std::string text{};  ///< what value.text views, once the program is complete
};

enum class Op : std::uint8_t {
  Equal,
  NotEqual,
  Less,
  LessOrEqual,
  Greater,
  GreaterOrEqual,  // left, right
  In,
  NotIn,                                                    // left, literals first .. first + count - 1
  Prefix,
  Suffix,
  Contains,
  Matches,                            // left, right is a literal
  Exists,
  IsNull,
  IsNotNull,                                    // left
  Not,                                                          // turns the last answer round
  JumpIfTrue,
  JumpIfFalse,                                      // to `target`, which lies ahead, keeping the answer
};

struct Instruction {
  Op op = Op::Not;
  Operand left{};
  Operand right{};
  std::uint32_t target = 0;
};

/// One answer, true or false, goes from instruction to instruction; the last one is what the condition says.
struct Program {
  std::string text;
  std::vector<Instruction> instructions;
  std::vector<Step> steps;
  std::vector<Literal> literals;
  Operand field{};  ///< of a field alone, which has no instructions
};

/// Errors: InvalidArgument with the place.
Result<Program> compile_condition(std::string_view text);
Result<Program> compile_field(std::string_view text);

}  // namespace legion::where
