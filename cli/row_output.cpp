#include <legion/cli/row_output.hpp>

#include <ostream>

namespace legion::cli {

std::string json_text(const JsonTree& json, int indent) {
  return json.dump(indent, ' ', false, JsonTree::error_handler_t::replace);
}

bool print_rows(Session& session, const JsonTree& rows, CsvRows& csv) {
  switch (session.output()) {
    case Output::Table: return false;
    case Output::Json: session.out() << json_text(rows, 2) << '\n'; break;
    case Output::Jsonl:
      for (const JsonTree& row : rows) session.out() << json_text(row) << '\n';
      break;
    case Output::Csv: csv.print(session.out(), rows); break;
  }
  return true;
}

bool print_object(Session& session, const JsonTree& object) {
  switch (session.output()) {
    case Output::Table: return false;
    case Output::Json: session.out() << json_text(object, 2) << '\n'; break;
    case Output::Jsonl: session.out() << json_text(object) << '\n'; break;
    case Output::Csv: CsvRows({}).print(session.out(), JsonTree::array({object})); break;
  }
  return true;
}

}  // namespace legion::cli
