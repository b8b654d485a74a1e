// Recursive descent from the text of a condition to its program. The grammar is in docs/protocol.md, "Conditions".
#include <array>
#include <charconv>
#include <optional>

#include <legion/base/limits.hpp>
#include <legion/base/text.hpp>
#include <legion/base/units.hpp>
#include <legion/event/event_codec.hpp>
#include <legion/event/where_lexer.hpp>
#include <legion/event/where_program.hpp>

namespace legion::where {

namespace {

/// What an operand is known to be before there is an event.
enum class Known : std::uint8_t { Any, Text, Number, Bool, Time, Urgency };

struct NamedAttribute {
  std::string_view name;
  Attribute attribute;
  Known known;
};
constexpr std::array<NamedAttribute, 16> attributes{{
    {"type", Attribute::Type, Known::Text},
    {"source", Attribute::Source, Known::Text},
    {"node", Attribute::Node, Known::Text},
    {"agent", Attribute::Agent, Known::Text},
    {"origin", Attribute::Origin, Known::Text},
    {"key", Attribute::Key, Known::Text},
    {"correlation_id", Attribute::CorrelationId, Known::Text},
    {"causation_id", Attribute::CausationId, Known::Text},
    {"traceparent", Attribute::Traceparent, Known::Text},
    {"tracestate", Attribute::Tracestate, Known::Text},
    {"foreign_id", Attribute::ForeignId, Known::Text},
    {"original_id", Attribute::OriginalId, Known::Text},
    {"schema_version", Attribute::SchemaVersion, Known::Number},
    {"priority", Attribute::Priority, Known::Urgency},
    {"time", Attribute::Time, Known::Time},
    {"expires_at", Attribute::ExpiresAt, Known::Time},
}};

struct NamedOp {
  std::string_view name;
  Op op;
};
constexpr std::array<NamedOp, 6> comparisons{{{"==", Op::Equal},
                                              {"!=", Op::NotEqual},
                                              {"<", Op::Less},
                                              {"<=", Op::LessOrEqual},
                                              {">", Op::Greater},
                                              {">=", Op::GreaterOrEqual}}};
constexpr std::array<NamedOp, 4> text_tests{
    {{"prefix", Op::Prefix}, {"suffix", Op::Suffix}, {"contains", Op::Contains}, {"matches", Op::Matches}}};

template <std::size_t size>
std::optional<Op> find_op(const std::array<NamedOp, size>& ops, std::string_view name) {
  for (const NamedOp& one : ops) {
    if (one.name == name) return one.op;
  }
  return std::nullopt;
}

bool is_equality(Op op) { return op == Op::Equal || op == Op::NotEqual; }

std::string_view title(Known known) {
  switch (known) {
    case Known::Text: return "a text";
    case Known::Number: return "a number";
    case Known::Bool: return "true or false";
    case Known::Time: return "a time";
    case Known::Urgency: return "a priority";
    case Known::Any: break;
  }
  return "a value";
}

/// An operand while it is read.
struct Read {
  Operand operand{};
  Known known = Known::Any;
  std::size_t at = 0;
  bool is_literal() const { return operand.source == Operand::Source::Literal; }
};

class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : lexer_(text, what) { program_.text = std::string(text); }

  Result<Program> condition() {
    if (auto done = begin(); !done) return std::unexpected(std::move(done.error()));
    if (auto done = either(); !done) return std::unexpected(std::move(done.error()));
    if (token_.kind != Token::Kind::End) return expected("and, or, or the end of the condition");
    return std::move(program_);
  }

  Result<Program> field_alone() {
    if (auto done = begin(); !done) return std::unexpected(std::move(done.error()));
    const auto read = operand();
    if (!read) return std::unexpected(read.error());
    if (read->is_literal()) return lexer_.error_at(read->at, "expected a field, not a value");
    if (token_.kind != Token::Kind::End) return expected("the end of the field");
    program_.field = read->operand;
    return std::move(program_);
  }

 private:
  Result<void> begin() {
    if (program_.text.size() > limits::where_bytes_max) {
      return lexer_.error_at(0, "longer than " + std::to_string(limits::where_bytes_max) + " bytes");
    }
    if (!is_utf8(program_.text)) return lexer_.error_at(0, "not UTF-8");
    return advance();
  }

  Result<void> advance() {
    auto token = lexer_.next();
    if (!token) return std::unexpected(std::move(token.error()));
    token_ = std::move(*token);
    return {};
  }

  bool is_word(std::string_view word) const { return token_.kind == Token::Kind::Name && token_.written == word; }
  bool is_sign(std::string_view sign) const { return token_.kind == Token::Kind::Sign && token_.written == sign; }

  std::unexpected<Error> expected(std::string_view what) const {
    std::string found = "the end";
    if (token_.kind != Token::Kind::End) found = "'" + printable(token_.written, 40) + "'";
    return lexer_.error_at(token_.at, "expected " + std::string(what) + ", found " + found);
  }

  Result<void> take_sign(std::string_view sign) {
    if (!is_sign(sign)) return expected("'" + std::string(sign) + "'");
    return advance();
  }

  std::size_t emit(Instruction instruction) {
    program_.instructions.push_back(instruction);
    return program_.instructions.size() - 1;
  }

  // --- and, or, not ------------------------------------------------------------------------------------------------

  /// Whoever knows the answer after a part jumps to the end of all of them.
  template <class Part>
  Result<void> joined(std::string_view word, Op jump, Part part) {
    std::vector<std::size_t> jumps;
    if (auto done = (this->*part)(); !done) return done;
    while (is_word(word)) {
      if (auto done = advance(); !done) return done;
      jumps.push_back(emit({.op = jump}));
      if (auto done = (this->*part)(); !done) return done;
    }
    for (const std::size_t at : jumps) {
      program_.instructions[at].target = static_cast<std::uint32_t>(program_.instructions.size());
    }
    return {};
  }

  Result<void> either() { return joined("or", Op::JumpIfTrue, &Parser::both); }
  Result<void> both() { return joined("and", Op::JumpIfFalse, &Parser::unary); }

  Result<void> unary() {
    if (!is_word("not") && !is_sign("(")) return test();
    if (++depth_ > limits::where_depth_max) {
      return lexer_.error_at(token_.at, "more than " + std::to_string(limits::where_depth_max) +
                                            " parentheses and nots within each other");
    }
    auto done = negated_or_nested();
    --depth_;
    return done;
  }

  Result<void> negated_or_nested() {
    if (is_word("not")) {
      if (auto done = advance(); !done) return done;
      if (auto done = unary(); !done) return done;
      emit({.op = Op::Not});
      return {};
    }
    if (auto done = advance(); !done) return done;
    if (auto done = either(); !done) return done;
    if (!is_sign(")")) return expected("and, or, or ')'");
    return advance();
  }

  // --- tests -------------------------------------------------------------------------------------------------------

  Result<void> test() {
    if (++tests_ > limits::where_tests_max) {
      return lexer_.error_at(token_.at, "more than " + std::to_string(limits::where_tests_max) + " comparisons");
    }
    if (is_word("exists")) return exists();
    const auto left = operand();
    if (!left) return std::unexpected(left.error());
    if (is_word("is")) return null_test(*left);
    if (is_word("in") || is_word("not")) return list_test(*left);
    if (token_.kind == Token::Kind::Name) {
      if (const auto op = find_op(text_tests, token_.written)) return text_test(*left, *op);
    }
    if (token_.kind == Token::Kind::Sign) {
      if (const auto op = find_op(comparisons, token_.written)) return comparison(*left, *op);
    }
    if (is_sign("=")) return lexer_.error_at(token_.at, "unexpected '='; write ==");
    return expected("a comparison (== != < <= > >= in, not in, prefix, suffix, contains, matches, is null)");
  }

  Result<void> exists() {
    if (auto done = advance(); !done) return done;
    if (auto done = take_sign("("); !done) return done;
    const auto field = operand();
    if (!field) return std::unexpected(field.error());
    if (auto done = need_field(*field); !done) return done;
    emit({.op = Op::Exists, .left = field->operand});
    return take_sign(")");
  }

  Result<void> null_test(const Read& left) {
    if (auto done = need_field(left); !done) return done;
    if (auto done = advance(); !done) return done;
    Op op = Op::IsNull;
    if (is_word("not")) {
      op = Op::IsNotNull;
      if (auto done = advance(); !done) return done;
    }
    if (!is_word("null")) return expected("null");
    emit({.op = op, .left = left.operand});
    return advance();
  }

  Result<void> list_test(const Read& left) {
    if (auto done = need_field(left); !done) return done;
    Op op = Op::In;
    if (is_word("not")) {
      op = Op::NotIn;
      if (auto done = advance(); !done) return done;
      if (!is_word("in")) return expected("in");
    }
    if (auto done = advance(); !done) return done;
    if (auto done = take_sign("("); !done) return done;
    Instruction instruction{.op = op, .left = left.operand};
    instruction.right.first = static_cast<std::uint16_t>(program_.literals.size());
    Known known = left.known;
    while (true) {
      auto one = operand();
      if (!one) return std::unexpected(one.error());
      if (!one->is_literal()) return lexer_.error_at(one->at, "expected a value; a list holds no fields");
      if (++listed_ > limits::where_list_max) {
        return lexer_.error_at(one->at, "more than " + std::to_string(limits::where_list_max) + " values in lists");
      }
      if (auto done = fit(*one, known); !done) return done;
      if (known == Known::Any) known = one->known;
      ++instruction.right.count;
      if (!is_sign(",")) break;
      if (auto done = advance(); !done) return done;
    }
    if (!is_sign(")")) return expected("',' or ')'");
    emit(instruction);
    return advance();
  }

  Result<void> text_test(const Read& left, Op op) {
    if (auto done = need_field(left); !done) return done;
    const std::string name(token_.written);
    if (left.known != Known::Any && left.known != Known::Text) {
      return lexer_.error_at(token_.at,
                             "'" + name + "' is for texts; the field before it is " + std::string(title(left.known)));
    }
    if (auto done = advance(); !done) return done;
    if (token_.kind != Token::Kind::Text) return expected("a text in quotes behind '" + name + "'");
    auto right = operand();
    if (!right) return std::unexpected(right.error());
    emit({.op = op, .left = left.operand, .right = right->operand});
    return {};
  }

  Result<void> comparison(Read left, Op op) {
    if (auto done = advance(); !done) return done;
    auto right = operand();
    if (!right) return std::unexpected(right.error());
    if (left.is_literal() && right->is_literal()) {
      return lexer_.error_at(left.at, "two values are compared; one of them has to be a field");
    }
    if (right->is_literal()) {
      if (auto done = fit(*right, left.known); !done) return done;
    } else if (left.is_literal()) {
      if (auto done = fit(left, right->known); !done) return done;
    }
    const bool both_known = left.known != Known::Any && right->known != Known::Any;
    if (both_known && left.known != right->known) {
      return lexer_.error_at(right->at,
                             std::string(title(left.known)) + " is never equal to " + std::string(title(right->known)));
    }
    for (const auto& [one, other] : {std::pair{&left, &*right}, std::pair{&*right, &left}}) {
      const bool is_of_attributes = one->known == Known::Time || one->known == Known::Urgency;
      if (is_of_attributes && other->known == Known::Any) {
        return lexer_.error_at(right->at, std::string(title(one->known)) + " is never equal to something in the data");
      }
    }
    if (!is_equality(op) && (left.known == Known::Bool || right->known == Known::Bool)) {
      return lexer_.error_at(right->at, "true and false have no order; write == or !=");
    }
    emit({.op = op, .left = left.operand, .right = right->operand});
    return {};
  }

  Result<void> need_field(const Read& read) const {
    if (read.is_literal()) return lexer_.error_at(read.at, "expected a field, not a value");
    return {};
  }

  /// Makes a literal what the other side is: a text becomes a time or a priority.
  Result<void> fit(Read& literal, Known other) {
    Literal& own = program_.literals[literal.operand.first];
    if (literal.known == Known::Text && other == Known::Time) {
      const auto time = parse_time(own.text);
      if (!time) return lexer_.error_at(literal.at, "expected a time such as \"2026-11-21T10:00:00Z\"");
      own.value.kind = Kind::Time;
      own.value.integer = time->ns;
      literal.known = Known::Time;
    } else if (literal.known == Known::Text && other == Known::Urgency) {
      const auto priority = parse_priority(own.text);
      if (!priority) return lexer_.error_at(literal.at, R"(expected "critical", "high", "normal" or "low")");
      own.value.kind = Kind::Urgency;
      own.value.integer = -static_cast<std::int64_t>(lane_index(*priority));
      literal.known = Known::Urgency;
    }
    if (other == Known::Any || literal.known == other) return {};
    return lexer_.error_at(literal.at,
                           "expected " + std::string(title(other)) + ", found " + std::string(title(literal.known)));
  }

  // --- operands ----------------------------------------------------------------------------------------------------

  Result<Read> operand() {
    Read read{.at = token_.at};
    switch (token_.kind) {
      case Token::Kind::Text: {
        Literal literal{.text = token_.text};
        literal.value.kind = Kind::Text;
        return finish_literal(read, std::move(literal), Known::Text);
      }
      case Token::Kind::Number: return number(read);
      case Token::Kind::Name: return named(read);
      case Token::Kind::End:
      case Token::Kind::Sign: break;
    }
    return expected("a field or a value");
  }

  Result<Read> finish_literal(Read read, Literal literal, Known known) {
    read.operand.source = Operand::Source::Literal;
    read.operand.first = static_cast<std::uint16_t>(program_.literals.size());
    read.known = known;
    program_.literals.push_back(std::move(literal));
    if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
    return read;
  }

  Result<Read> number(Read read) {
    const std::string_view text = token_.written;
    const char* const end = text.data() + text.size();
    Literal literal;
    const auto is_whole = [&](const std::from_chars_result& parsed) {
      return parsed.ec == std::errc{} && parsed.ptr == end;
    };
    if (is_whole(std::from_chars(text.data(), end, literal.value.natural))) {
      literal.value.kind = Kind::Uint;
    } else if (is_whole(std::from_chars(text.data(), end, literal.value.integer))) {
      literal.value.kind = Kind::Int;
      if (literal.value.integer == 0) literal.value.kind = Kind::Uint;  // -0
    } else if (is_decimal(text) && is_whole(std::from_chars(text.data(), end, literal.value.real))) {
      literal.value.kind = Kind::Float;
    } else {
      return lexer_.error_at(read.at, "'" + printable(text, 40) + "' is not a number that can be compared with");
    }
    return finish_literal(read, std::move(literal), Known::Number);
  }

  /// Not an integer that 64 bits cannot hold: who writes one means it exactly.
  static bool is_decimal(std::string_view text) {
    const std::size_t point = text.find('.');
    if (point != text.npos && (point + 1 == text.size() || text[point + 1] < '0' || text[point + 1] > '9')) return false;
    return text.find_first_of(".eE") != text.npos;
  }

  Result<Read> named(Read read) {
    const std::string_view name = token_.written;
    if (name == "true" || name == "false") {
      Literal literal;
      literal.value.kind = Kind::Bool;
      literal.value.boolean = name == "true";
      return finish_literal(read, std::move(literal), Known::Bool);
    }
    if (name == "null")
      return lexer_.error_at(read.at, "nothing is compared with null; write \"is null\" behind a field");
    if (name == "data" || name == "ext") {
      const bool is_data = name == "data";
      if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
      return is_data ? data(read) : extension(read);
    }
    for (const NamedAttribute& one : attributes) {
      if (one.name != name) continue;
      read.operand.source = Operand::Source::Attribute;
      read.operand.attribute = one.attribute;
      read.known = one.known;
      if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
      return read;
    }
    return unknown_field(read.at, name);
  }

  std::unexpected<Error> unknown_field(std::size_t at, std::string_view name) const {
    std::vector<std::string_view> names{"data", "ext"};
    for (const NamedAttribute& one : attributes) names.push_back(one.name);
    const auto meant = did_you_mean(name, names);
    return lexer_.error_at(at, "'" + printable(name, 40) + "' is not a field of an event" +
                                   (meant ? "; did you mean " + *meant + "?" : "; its data is data.NAME"));
  }

  /// Behind `data`: .name [0] ["odd name"], any number of them.
  Result<Read> data(Read read) {
    read.operand.source = Operand::Source::Data;
    read.operand.first = static_cast<std::uint16_t>(program_.steps.size());
    while (is_sign(".") || is_sign("[")) {
      if (read.operand.count == limits::msgpack_depth_max) {
        return lexer_.error_at(token_.at,
                               "more than " + std::to_string(limits::msgpack_depth_max) + " steps into the data");
      }
      auto step = is_sign(".") ? member() : bracket();
      if (!step) return std::unexpected(std::move(step.error()));
      program_.steps.push_back(std::move(*step));
      ++read.operand.count;
    }
    return read;
  }

  Result<Read> extension(Read read) {
    read.operand.source = Operand::Source::Extension;
    read.operand.first = static_cast<std::uint16_t>(program_.steps.size());
    read.operand.count = 1;
    read.known = Known::Text;
    const std::size_t at = token_.at;
    if (!is_sign(".") && !is_sign("[")) return expected("'.' or '[' and the name of an extension");
    auto step = is_sign(".") ? member() : bracket();
    if (!step) return std::unexpected(std::move(step.error()));
    if (step->kind != Step::Kind::Member || !is_extension_name(step->name)) {
      return lexer_.error_at(at, "expected the name of an extension");
    }
    program_.steps.push_back(std::move(*step));
    return read;
  }

  Result<Step> member() {
    if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
    if (token_.kind != Token::Kind::Name) return expected("a name behind the dot (odd names: [\"odd name\"])");
    Step step{.name = std::string(token_.written)};
    if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
    return step;
  }

  Result<Step> bracket() {
    if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
    Step step;
    if (token_.kind == Token::Kind::Text) {
      step.name = token_.text;
    } else if (token_.kind == Token::Kind::Number) {
      step.kind = Step::Kind::Element;
      const char* const end = token_.written.data() + token_.written.size();
      const auto parsed = std::from_chars(token_.written.data(), end, step.index);
      if (parsed.ec != std::errc{} || parsed.ptr != end || step.index >= limits::msgpack_items_max) {
        return lexer_.error_at(
            token_.at, "expected a place in a list, from 0 to " + std::to_string(limits::msgpack_items_max - 1));
      }
    } else {
      return expected("a number or a name in quotes behind '['");
    }
    if (auto done = advance(); !done) return std::unexpected(std::move(done.error()));
    if (auto done = take_sign("]"); !done) return std::unexpected(std::move(done.error()));
    return step;
  }

  Lexer lexer_;
  Token token_;
  Program program_;
  std::size_t depth_ = 0;
  std::size_t tests_ = 0;
  std::size_t listed_ = 0;
};

}  // namespace

Result<Program> compile_condition(std::string_view text) { return Parser(text, "where").condition(); }
Result<Program> compile_field(std::string_view text) { return Parser(text, "field").field_alone(); }

}  // namespace legion::where
