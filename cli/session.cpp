#include <legion/cli/session.hpp>

#include <algorithm>
#include <array>
#include <istream>
#include <ostream>

#include <legion/cli/context_file.hpp>
#include <legion/cli/printable.hpp>
#include <legion/core/messages.hpp>
#include <legion/event/json.hpp>

namespace legion::cli {
namespace {

constexpr std::uint16_t default_port = 7400;
constexpr const char* environment_variable = "LEGION_NODE";

Paint::Mode paint_mode(const Console& console, const World& world, ColorMode mode) {
  switch (mode) {
    case ColorMode::Always: return Paint::Mode::On;
    case ColorMode::Never: return Paint::Mode::Off;
    case ColorMode::Auto: break;
  }
  return console.out_is_terminal && !world.variable("NO_COLOR") ? Paint::Mode::On : Paint::Mode::Off;
}

/// A node name holds neither a dot nor a colon; "localhost" is what nobody calls a node.
bool is_name(const std::string& text) { return is_node_name(text) && text != "localhost"; }

/// A node said by a file or the environment, where a mistake is one of the configuration and not of this command.
Result<Target> configured(const Address& address, std::string origin) {
  if (address.is_wildcard() || address.port == 0) {
    return fail(ErrorCode::Configuration, origin + ": " + address.host_port() + " cannot be connected to");
  }
  return Target{address, std::move(origin)};
}

std::string_view advice_for(ErrorCode code) {
  if (code == ErrorCode::Unreachable) {
    return "another node can be named with --node HOST:PORT, LEGION_NODE or --context";
  }
  if (code == ErrorCode::TimedOut) return "the address may be filtered, or belong to another program; --timeout waits longer";
  return {};
}

}  // namespace

Session::Session(Console& console, World& world, GlobalOptions options)
    : console_(console),
      world_(world),
      options_(std::move(options)),
      paint_(paint_mode(console, world, options_.color)) {}

void Session::line(Tint tint, std::string_view label, std::string_view text) {
  std::string out = "legion-cli: ";
  paint_.append(out, tint, label);
  out += printable(text);
  out += '\n';
  console_.out.flush();  // what was printed before it also shows before it
  console_.err << out;
  console_.err.flush();
}

void Session::detail(std::string_view text) {
  if (options_.verbose) line(Tint::Plain, "", text);
}

void Session::note(std::string_view text) {
  if (!options_.quiet) line(Tint::Plain, "", text);
}

void Session::warn(std::string_view text) { line(Tint::Yellow, "warning: ", text); }

void Session::problem(std::string_view text) { line(Tint::BoldRed, "error: ", text); }

int Session::fail(const Error& error) {
  problem(error.message);
  const std::string_view advice = advice_for(error.code);
  if (!advice.empty()) note(advice);
  return exit_code_of(error);
}

int Session::fail_to_find(const Error& error) {
  const int code = fail(error);
  return error.code == ErrorCode::NotFound ? exit_code::nothing_found : code;
}

int Session::usage(std::string_view text) {
  problem(text);
  return exit_code::usage;
}

void Session::print(const Table& table) {
  const auto hidden = table.print(console_.out, paint_, width());
  if (hidden.empty() || std::exchange(hidden_named_, true)) return;
  std::string names;
  for (const auto& title : hidden) names += (names.empty() ? "" : ", ") + title;
  note("no room for: " + names + " (a wider terminal or -j shows them)");
}

Consent Session::consent(std::string_view question) {
  if (options_.yes) return Consent::Given;
  if (!console_.in_is_terminal || !console_.err_is_terminal) return Consent::NotAsked;
  console_.out.flush();
  console_.err << printable(question) << " [y/N] ";
  console_.err.flush();
  std::string answer;
  std::getline(console_.in, answer);
  return answer == "y" || answer == "Y" || answer == "yes" ? Consent::Given : Consent::Refused;
}

LogSink Session::log_sink() {
  return [this](LogLevel level, std::string_view text) {
    if (level >= LogLevel::Warn) warn(text);
    if (level == LogLevel::Info) detail(text);
  };
}

Result<Target> Session::base_target() {
  if (!options_.context.empty()) {
    const auto context = read_context(world_, options_.context);
    if (!context) return std::unexpected(context.error());
    return configured(context->node, "context " + options_.context);
  }
  const auto variable = world_.variable(environment_variable);
  if (variable && !is_name(*variable)) {
    const auto address = parse_address(*variable, default_port);
    if (!address) return legion::fail(ErrorCode::Configuration, environment_variable + (": " + address.error().message));
    return configured(*address, environment_variable);
  }
  return Target{{"127.0.0.1", default_port}, "the default"};
}

Result<Target> Session::target() {
  std::string wanted = options_.node;
  std::string origin = "--node";
  if (wanted.empty() && options_.context.empty()) {
    wanted = world_.variable(environment_variable).value_or("");
    origin = environment_variable;
  } else if (!wanted.empty() && !is_name(wanted)) {
    const auto address = parse_address(wanted, default_port);
    if (!address) return legion::fail(ErrorCode::InvalidArgument, origin + ": " + address.error().message);
    return Target{*address, origin};
  }
  auto base = base_target();
  if (!base || wanted.empty() || !is_name(wanted)) return base;
  const auto address = look_up(*base, wanted);
  if (!address) return std::unexpected(address.error());
  return Target{*address, origin + " " + wanted + ", known to " + base->address.host_port()};
}

Result<Address> Session::find_node(const std::string& name_or_address) {
  if (!is_name(name_or_address)) return parse_address(name_or_address, default_port);
  const auto base = target();
  if (!base) return std::unexpected(base.error());
  return look_up(*base, name_or_address);
}

Result<std::vector<Member>> Session::roster_of(const Address& address) {
  auto node = connect(address);
  if (!node) return std::unexpected(node.error());
  const auto answer = (*node)->call("roster", {}, options_.timeout);
  if (!answer) return std::unexpected(answer.error());
  return decode_roster(*answer);
}

Result<std::vector<Member>> Session::roster() {
  const auto base = target();
  if (!base) return std::unexpected(base.error());
  return roster_of(base->address);
}

Result<Address> Session::look_up(const Target& base, const std::string& name) {
  const auto roster = roster_of(base.address);
  if (!roster) return std::unexpected(roster.error());
  std::string known;
  for (const Member& member : *roster) {
    if (member.name == name) return parse_address(member.endpoints.control, default_port);
    known += (known.empty() ? "" : ", ") + member.name;
  }
  return legion::fail(ErrorCode::Unreachable, base.address.host_port() + " knows no node named '" + name +
                                                  "' (it knows: " + known + "); a host is written HOST:PORT");
}

Result<std::unique_ptr<NodeConnection>> Session::connect(const Address& address) {
  if (address.is_wildcard() || address.port == 0) {
    return legion::fail(ErrorCode::InvalidArgument, address.host_port() + " cannot be connected to");
  }
  detail("connecting to " + address.host_port());
  return world_.connect(address);
}

Result<std::unique_ptr<NodeConnection>> Session::connect_target() {
  const auto node = target();
  if (!node) return std::unexpected(node.error());
  return connect(node->address);
}

Result<std::string> Session::call_json(NodeConnection& node, std::string_view method, std::optional<Duration> timeout) {
  const auto answer = node.call(method, {}, timeout.value_or(options_.timeout));
  if (!answer) return std::unexpected(answer.error());
  auto json = data_to_json(*answer);
  if (!json) return legion::fail(ErrorCode::BadData, "the answer to " + std::string(method) + ": " + json.error().message);
  return json;
}

}  // namespace legion::cli
