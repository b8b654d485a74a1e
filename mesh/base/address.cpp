#include <legion/base/address.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>

namespace legion {
namespace {

constexpr std::string_view scheme = "tcp://";
constexpr std::size_t name_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

std::optional<Ipv4> to_ipv4(const std::string& host) {
  Ipv4 bytes{};
  if (inet_pton(AF_INET, host.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

std::optional<Ipv6> to_ipv6(const std::string& host) {
  Ipv6 bytes{};
  if (inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

/// The IPv4 address inside ::ffff:a.b.c.d.
std::optional<Ipv4> mapped_ipv4(const Ipv6& bytes) {
  const bool zeros = std::all_of(bytes.begin(), bytes.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  if (!zeros || bytes[10] != 0xff || bytes[11] != 0xff) return std::nullopt;
  return Ipv4{bytes[12], bytes[13], bytes[14], bytes[15]};
}

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > name_bytes_max) return false;
  std::size_t label = 0;
  char last = '.';
  for (const char c : name) {
    if (c == '.') {
      if (label == 0 || last == '-') return false;
      label = 0;
    } else {
      const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
      if (!letter_or_digit && (c != '-' || label == 0)) return false;
      if (++label > label_bytes_max) return false;
    }
    last = c;
  }
  return label > 0 && last != '-';
}

bool is_digits_and_dots(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not an address: " + std::string(why) +
                                              " (for example \"tcp://127.0.0.1:7400\")");
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return port;
}

Result<std::string> parse_host(std::string_view text, std::string_view host) {
  if (host.empty()) return refuse(text, "the host is missing");
  std::string lower(host);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (lower == "*" || to_ipv4(lower)) return lower;
  if (is_digits_and_dots(lower)) return refuse(text, "the host is not an IPv4 address");
  if (!is_host_name(lower)) return refuse(text, "the host is neither an IP address nor a host name");
  return lower;
}

Result<std::string> parse_bracketed(std::string_view text, std::string_view inside) {
  const auto bytes = to_ipv6(std::string(inside));
  if (!bytes) return refuse(text, "there is no IPv6 address in the brackets");
  std::array<char, INET6_ADDRSTRLEN> canonical{};
  inet_ntop(AF_INET6, bytes->data(), canonical.data(), canonical.size());
  return std::string(canonical.data());
}

}  // namespace

bool Address::is_ipv6() const { return to_ipv6(host).has_value(); }
bool Address::is_numeric() const { return to_ipv4(host).has_value() || is_ipv6(); }

bool Address::is_loopback() const {
  if (host == "localhost") return true;
  auto ipv4 = to_ipv4(host);
  if (const auto ipv6 = to_ipv6(host)) {
    ipv4 = mapped_ipv4(*ipv6);
    Ipv6 one{};
    one[15] = 1;
    if (*ipv6 == one) return true;
  }
  return ipv4 && (*ipv4)[0] == 127;
}

bool Address::is_wildcard() const {
  if (host == "*") return true;
  auto ipv4 = to_ipv4(host);
  if (const auto ipv6 = to_ipv6(host)) {
    ipv4 = mapped_ipv4(*ipv6);
    if (*ipv6 == Ipv6{}) return true;
  }
  return ipv4 && *ipv4 == Ipv4{};
}

std::string Address::host_port() const {
  return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Address::uri() const { return std::string(scheme) + host_port(); }

Result<Address> parse_address(std::string_view text, std::uint16_t default_port) {
  if (text.find('\0') != std::string_view::npos)
    return refuse(text.substr(0, text.find('\0')), "it contains a NUL byte");
  std::string_view rest = text;
  if (rest.starts_with(scheme)) {
    rest.remove_prefix(scheme.size());
  } else if (rest.find("://") != std::string_view::npos) {
    return refuse(text, "only tcp:// is spoken between nodes");
  }

  Address address;
  std::optional<std::string_view> port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return refuse(text, "the closing bracket is missing");
    auto host = parse_bracketed(text, rest.substr(1, close - 1));
    if (!host) return std::unexpected(host.error());
    address.host = std::move(*host);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest.front() != ':') return refuse(text, "after the bracket only :PORT may follow");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const auto colon = rest.find(':');
    if (colon != rest.rfind(':')) return refuse(text, "IPv6 addresses stand in brackets");
    auto host = parse_host(text, rest.substr(0, colon));
    if (!host) return std::unexpected(host.error());
    address.host = std::move(*host);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }

  if (!port) {
    if (default_port == 0) return refuse(text, "the port is missing");
    address.port = default_port;
    return address;
  }
  const auto number = parse_port(*port);
  if (!number) return refuse(text, "the port is not a number from 0 to 65535");
  address.port = *number;
  return address;
}

}  // namespace legion
