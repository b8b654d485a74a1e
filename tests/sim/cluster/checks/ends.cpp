// Nobody ends by himself, and who is told to ends well.
#include "checks.hpp"

namespace legion::sim {

namespace {

/// A host that forgot everything, or whose clock went back, may take an incarnation lower than the mesh remembers.
bool may_be_fenced(const Evidence& evidence, const Life& life) {
  for (const Life& other : evidence.history.lives) {
    if (other.host == life.host && other.began <= life.began && other.state == Life::State::Lost && other.number > 1)
      return true;
  }
  return false;
}

void judge(const Evidence& evidence, LifeNo number, Violations& violations) {
  const Life& life = evidence.history.lives[number];
  const std::string name = evidence.history.name_of(number);
  switch (life.end) {
    case Life::End::Running: violations.push_back({"ends", name + " did not end when it was told to"}); return;
    case Life::End::ByItself:
      if (life.exit_code == 70 && may_be_fenced(evidence, life)) return;
      violations.push_back({"ends", name + " ended by itself at " + text_of(*life.ended) + " with " +
                                        std::to_string(life.exit_code) + ": " + life.message});
      return;
    case Life::End::NeverStarted:
      violations.push_back({"ends", name + " could not start at " + text_of(life.began) + ": " + life.message});
      return;
    case Life::End::Clean:
      if (life.drained || !evidence.converged || *life.stopping < evidence.told_to_stop) return;
      violations.push_back({"ends", name + " was told to stop at rest and did not handle all it held"});
      return;
    case Life::End::Killed: return;
  }
}

}  // namespace

void check_ends(const Evidence& evidence, Violations& violations) {
  for (LifeNo i = 0; i < evidence.history.lives.size(); ++i) {
    if (violations.size() < violations_per_check_max) judge(evidence, i, violations);
  }
}

}  // namespace legion::sim
