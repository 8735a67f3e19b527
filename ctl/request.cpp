#include "request.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "api/request.hpp"
#include "core/file.hpp"
#include "failure.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 30U;

std::string standard_input() {
  std::string bytes;
  std::array<char, 64 * 1024> piece{};
  while (true) {
    const auto got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw Failure(exit_failed, "unreadable",
                    fmt::format("Standard input cannot be read: {}", std::generic_category().message(errno)));
    }
    if (got == 0) return bytes;
    bytes.append(piece.data(), static_cast<std::size_t>(got));
    if (bytes.size() > most_bytes) throw Failure(exit_usage, "too_large", "Standard input holds more than 1 GiB");
  }
}

std::string file_bytes(const std::string& path) {
  if (path == "-") return standard_input();
  auto bytes = core::read_file(path, most_bytes);
  if (!bytes) throw Failure(exit_usage, bytes.error().code, bytes.error().message);
  return *std::move(bytes);
}

std::string content_type(const std::string& name) {
  const auto ends = [&](std::string_view suffix) {
    return name.size() >= suffix.size() &&
           std::equal(suffix.rbegin(), suffix.rend(), name.rbegin(), [](char a, char b) { return a == (b | 0x20); });
  };
  if (ends(".tsv")) return "text/tab-separated-values";
  if (ends(".txt")) return "text/plain";
  return "text/csv";
}

std::string query_text(const json::value& value) {
  if (const auto* text = value.if_string()) return {text->data(), text->size()};
  return json::serialize(value);
}

}  // namespace

core::ClientRequest request_for(const api::Command& command, const json::object& values, bool dry_run) {
  core::ClientRequest request;
  request.method = command.method;
  std::string target(command.path);
  std::string query;
  json::object body;
  bool has_body = false;
  for (const auto& argument : command.arguments) {
    const json::string_view name(argument.field.data(), argument.field.size());
    has_body = has_body || argument.in == api::In::body || argument.in == api::In::filter;
    const auto* value = values.if_contains(argument.in == api::In::filter ? "filter" : name);
    if (value == nullptr) continue;
    switch (argument.in) {
      case api::In::path: {
        const std::string placeholder = "{" + std::string(argument.field) + "}";
        target.replace(target.find(placeholder), placeholder.size(), api::percent_encode(query_text(*value)));
        break;
      }
      case api::In::query:
        query +=
            fmt::format("{}{}={}", query.empty() ? "?" : "&", argument.field, api::percent_encode(query_text(*value)));
        break;
      case api::In::body:
        body[name] = *value;
        break;
      case api::In::filter:
        body["filter"] = *value;
        break;
      case api::In::raw:
      case api::In::local:
        break;
    }
  }
  if (dry_run && command.changes) query += fmt::format("{}dry_run=true", query.empty() ? "?" : "&");
  request.target = target + query;
  request.headers.emplace_back("Accept", command.answer == api::Answer::stream ? "application/x-ndjson"
                                         : command.answer == api::Answer::text ? "text/csv, */*"
                                                                               : "application/json");
  if (has_body) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = json::serialize(body);
  }
  return request;
}

core::ClientRequest request_for(const Invocation& call) {
  const auto raw = std::ranges::find(call.command->arguments, api::In::raw, &api::Argument::in);
  if (raw == call.command->arguments.end()) return request_for(*call.command, call.values, call.settings.dry_run);
  const std::string path = call.text(raw->field);
  auto values = call.values;
  if (!values.contains("file_name") && path != "-") {
    values["file_name"] = json::string(std::filesystem::path(path).filename().string());
  }
  auto request = request_for(*call.command, values, call.settings.dry_run);
  const std::string name = values.contains("file_name") ? std::string(values["file_name"].as_string()) : path;
  request.headers.emplace_back("Content-Type", content_type(name));
  request.body = file_bytes(path);
  return request;
}

}  // namespace invited::ctl
