#include <legion/runtime/letter_words.hpp>

#include <legion/event/msgpack_writer.hpp>

namespace legion {

std::string line_of(const DeadLetter& letter) {
  return "dead letter: " + letter.event->id_string() + " for " + letter.death.agent + " after " +
         std::to_string(letter.death.attempts) + " attempts (" + std::string(to_string(letter.death.reason)) +
         "): " + letter.death.error;
}

Bytes data_of(const DeadLetter& letter) {
  MsgpackWriter data;
  data.map(5);
  data.str("event");
  data.str(letter.event->id_string());
  data.str("agent");
  data.str(letter.death.agent);
  data.str("reason");
  data.str(to_string(letter.death.reason));
  data.str("attempts");
  data.uint(letter.death.attempts);
  data.str("error");
  data.str(letter.death.error);
  return data.take();
}

}  // namespace legion
