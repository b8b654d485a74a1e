// One function object from several lambdas: what std::visit is given.
#pragma once

namespace legion {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

}  // namespace legion
