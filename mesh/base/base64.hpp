// Base64 as of RFC 4648, section 4: the standard alphabet, padded.
#pragma once

#include <string>
#include <string_view>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>

namespace legion {

std::string base64_encode(BytesView bytes);

/// Strict: padding is required, and neither spaces nor stray bits are accepted. Errors: BadData with the position.
Result<Bytes> base64_decode(std::string_view text);

}  // namespace legion
