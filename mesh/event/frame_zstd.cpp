#include <legion/event/frame_zstd.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include <zstd.h>

#include <legion/base/limits.hpp>

namespace legion {
namespace {

// Older zstd formats, which the library may be built to accept, and skippable frames begin differently.
constexpr std::array<std::uint8_t, 4> zstd_magic{0x28, 0xb5, 0x2f, 0xfd};

// 2^21 is the first power of two that holds limits::message_bytes_max: no header makes the decoder allocate more.
constexpr int window_log_max = 21;
static_assert(limits::message_bytes_max <= (std::size_t{1} << window_log_max));

std::unexpected<Error> bad_body(std::string_view what) {
  return fail(ErrorCode::BadData, "compressed frame: " + std::string(what));
}

Result<std::size_t> stated_size(BytesView bytes) {
  if (bytes.size() < zstd_magic.size() || !std::ranges::equal(bytes.first(zstd_magic.size()), zstd_magic)) {
    return bad_body("not a zstd frame");
  }
  if (ZSTD_findFrameCompressedSize(bytes.data(), bytes.size()) != bytes.size()) {
    return bad_body("not exactly one zstd frame");
  }
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) return bad_body("the size is not stated");
  if (size > limits::message_bytes_max) return bad_body("expands to " + std::to_string(size) + " bytes");
  return static_cast<std::size_t>(size);
}

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

Result<Bytes> expand_zstd(BytesView bytes) {
  const auto size = stated_size(bytes);
  if (!size) return std::unexpected(size.error());
  Bytes out(*size);
  const std::size_t written = ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  if (ZSTD_isError(written)) return bad_body(ZSTD_getErrorName(written));
  if (written != out.size()) return bad_body("shorter than stated");
  return out;
}

Result<ExpandedHead> expand_zstd_head(BytesView bytes, std::size_t head_bytes) {
  const auto size = stated_size(bytes);
  if (!size) return std::unexpected(size.error());
  const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  if (!context) return fail(ErrorCode::Internal, "no memory for a zstd decoder");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window_log_max);

  ExpandedHead head{Bytes(std::min(head_bytes, *size)), *size};
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer out{head.first_bytes.data(), head.first_bytes.size(), 0};
  while (out.pos < out.size) {
    const std::size_t before = in.pos + out.pos;
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return bad_body(ZSTD_getErrorName(left));
    if (in.pos + out.pos == before) return bad_body("shorter than stated");
  }
  return head;
}

}  // namespace legion
