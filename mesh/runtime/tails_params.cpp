#include <legion/runtime/tails_params.hpp>

#include <legion/event/msgpack_writer.hpp>

namespace legion {

Bytes tails_params(const Origin& origin, Priority lane) {
  MsgpackWriter params;
  params.map(3);
  params.str("origin");
  params.str(origin.node);
  params.str("incarnation");
  params.uint(origin.incarnation);
  params.str("lane");
  params.uint(lane_index(lane));
  return params.take();
}

}  // namespace legion
