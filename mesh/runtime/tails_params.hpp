// The control method `tails` (docs/protocol.md): what do you know of these origins?
#pragma once

#include <vector>

#include <legion/core/messages.hpp>

namespace legion {

/// One lane of one origin; answered with its tails.
Bytes tails_params(const Origin& origin, Priority lane);

/// All lanes of several origins; answered with TailsAnswer.
Bytes tails_params(const std::vector<Origin>& origins);

/// The tails of as many of the origins, from the first on, as fit into a message: [[lane 0, lane 1, lane 2, lane 3]..].
/// The first is always there, cut where it alone is too long; the others have to be asked for again.
class TailsAnswer {
 public:
  /// False: it does not fit any more and is left out.
  bool add(LaneTails tails);
  Bytes take() const;

 private:
  std::vector<Bytes> origins_;
  std::size_t bytes_ = 0;
};

/// Errors: BadData.
Result<std::vector<LaneTails>> decode_tails_answer(BytesView bytes);

}  // namespace legion
