// Runs a transcript of tests/transcripts against one Membership. The language: tests/transcripts/README.md.
#pragma once

#include <string>

namespace legion {

/// Empty when every effect was the expected one; otherwise file, line, what was expected and what came.
std::string run_transcript(const std::string& path);

}  // namespace legion
