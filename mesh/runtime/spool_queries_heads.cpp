// The heads of spool queries and answers. What is read here comes from outside.
#include <legion/base/text.hpp>
#include <legion/runtime/spool_queries.hpp>
#include <legion/runtime/spool_queries_values.hpp>

namespace legion {

using namespace spool_wire;

namespace {

constexpr std::size_t method_bytes_max = 64;
constexpr std::size_t error_code_bytes_max = 64;
constexpr std::size_t error_message_bytes_max = 4 * limits::error_text_bytes_max;

ErrorCode code_of(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::Internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (to_string(code) == name) return code;
  }
  return ErrorCode::Internal;
}

/// [tag, id, ..]: at the third value.
Result<std::uint64_t> read_head(MsgpackReader& in, std::uint64_t wanted_tag, std::size_t members) {
  if (const auto shape = in.expect_array(members); !shape) return std::unexpected(shape.error());
  std::uint64_t tag = 0;
  std::uint64_t id = 0;
  if (const auto read = read_number(in, "tag", tag); !read) return std::unexpected(read.error());
  if (tag != wanted_tag) return bad("tag", "not the expected one");
  if (const auto read = read_number(in, "id", id); !read) return std::unexpected(read.error());
  return id;
}

Result<std::optional<Error>> read_error(MsgpackReader& in) {
  const auto kind = in.peek();
  if (!kind) return under("error", kind.error());
  if (*kind == MsgpackKind::Nil) {
    if (const auto read = in.read_nil(); !read) return std::unexpected(read.error());
    return std::optional<Error>();
  }
  if (const auto shape = in.expect_array(2); !shape) return under("error", shape.error());
  std::string code;
  Error error;
  if (const auto read = read_text(in, "error", code, error_code_bytes_max); !read) {
    return std::unexpected(read.error());
  }
  if (const auto read = read_text(in, "error", error.message, error_message_bytes_max); !read) {
    return std::unexpected(read.error());
  }
  error.code = code_of(code);
  return std::optional<Error>(std::move(error));
}

}  // namespace

std::optional<std::uint64_t> spool_message_tag(BytesView head) {
  MsgpackReader in(head);
  if (const auto count = in.read_array(); !count || *count == 0) return std::nullopt;
  const auto tag = in.read_uint();
  return tag ? std::optional(*tag) : std::nullopt;
}

Bytes encode_spool_query(std::uint64_t id, std::string_view method, BytesView params) {
  MsgpackWriter out;
  out.array(4);
  out.uint(spool_query_tag);
  out.uint(id);
  out.str(method);
  if (params.empty()) {
    out.nil();
  } else {
    out.raw(params);
  }
  return out.take();
}

Bytes encode_spool_answer(std::uint64_t id, const SpoolAnswer& answer) {
  MsgpackWriter out;
  out.array(5);
  out.uint(spool_answer_tag);
  out.uint(id);
  out.nil();
  if (answer.result.empty()) {
    out.nil();
  } else {
    out.raw(answer.result);
  }
  out.array(answer.sizes.size());
  for (const std::uint32_t size : answer.sizes) out.uint(size);
  return out.take();
}

Bytes encode_spool_error(std::uint64_t id, const Error& error) {
  MsgpackWriter out;
  out.array(5);
  out.uint(spool_answer_tag);
  out.uint(id);
  out.array(2);
  out.str(to_string(error.code));
  out.str(printable(error.message, limits::error_text_bytes_max));
  out.nil();
  out.array(0);
  return out.take();
}

Result<SpoolQueryView> decode_spool_query(BytesView head) {
  MsgpackReader in(head);
  SpoolQueryView query;
  const auto id = read_head(in, spool_query_tag, 4);
  if (!id) return std::unexpected(id.error());
  query.id = *id;
  const auto method = in.read_string(method_bytes_max);
  if (!method) return under("method", method.error());
  query.method = *method;
  const auto params = in.read_raw();
  if (!params) return under("params", params.error());
  query.params = *params;
  if (const auto end = in.expect_end(); !end) return std::unexpected(end.error());
  return query;
}

Result<SpoolAnswerView> decode_spool_answer(BytesView head) {
  MsgpackReader in(head);
  SpoolAnswerView answer;
  const auto id = read_head(in, spool_answer_tag, 5);
  if (!id) return std::unexpected(id.error());
  answer.id = *id;
  auto error = read_error(in);
  if (!error) return std::unexpected(error.error());
  answer.error = std::move(*error);
  const auto result = in.read_raw();
  if (!result) return under("result", result.error());
  answer.result = *result;
  const auto frames = in.read_array();
  if (!frames) return under("sizes", frames.error());
  answer.sizes.resize(*frames);
  for (std::uint32_t& size : answer.sizes) {
    if (const auto read = read_number(in, "sizes", size); !read) return std::unexpected(read.error());
  }
  if (const auto end = in.expect_end(); !end) return std::unexpected(end.error());
  return answer;
}

Result<std::vector<BytesView>> cut_body(const std::vector<std::uint32_t>& sizes, BytesView body) {
  std::vector<BytesView> frames;
  frames.reserve(sizes.size());
  for (const std::uint32_t size : sizes) {
    if (size > body.size()) return bad("sizes", "more than the body that came with them");
    frames.push_back(body.first(size));
    body = body.subspan(size);
  }
  if (!body.empty()) return bad("sizes", "less than the body that came with them");
  return frames;
}

}  // namespace legion
