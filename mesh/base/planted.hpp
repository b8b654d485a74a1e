// Known bugs at their places in the product, to see whether the simulator's checkers find them.
//
// `if (LEGION_PLANTED(AckBeforeFsync)) ...` is a line that is not there: the macro is the constant false, except in
// legion-sim-planted, which compiles the files that have such lines once more and chooses one bug when it starts.
#pragma once

#ifdef LEGION_PLANTED_BUGS

namespace legion::planted {

enum class Bug {
  None,
  AckBeforeFsync,
  CursorBeforeLetter,
  GapIgnoredAtTheTail,
  BaselineBeforeTheEcho,
  SequenceResetInTheSameLife,
  RequeueHandledTwice,
  RetentionPastACursor,
  OneTooManyInHands,
  VoidOverAFrame,
  LowStarved,
  CrashedGateCountsAsDone,
  StaleRosterEntry,
  ConfirmedByOneStore,
  HeldEventGoesLive,
  InHandsForgotten,
  DeadMembersShareWaits,
  ShareMovesUnderWay,
};
extern Bug chosen;

}  // namespace legion::planted

#define LEGION_PLANTED(bug) (::legion::planted::chosen == ::legion::planted::Bug::bug)

#else

#define LEGION_PLANTED(bug) false

#endif
