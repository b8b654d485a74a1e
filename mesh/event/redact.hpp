// Fields of event data whose values are replaced.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <legion/base/bytes.hpp>
#include <legion/base/error.hpp>

namespace legion {

/// Thread: immutable, any number of threads may use it at once.
class Redaction {
 public:
  /// Fields of data as conditions name them (`data.card.number`, `data.legs[0].owner`), and the text that takes the
  /// place of their values, whatever these were.
  /// Errors: InvalidArgument naming the field.
  static Result<Redaction> create(const std::vector<std::string>& fields, std::string_view replacement);

  /// The data with those fields replaced; nothing where it has none of them. Of equal keys in one map every one counts.
  std::optional<Bytes> apply(BytesView data) const;

 private:
  struct What;
  explicit Redaction(std::shared_ptr<const What> what) : what_(std::move(what)) {}
  std::shared_ptr<const What> what_;  // shared by copies
};

}  // namespace legion
