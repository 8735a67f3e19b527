// A well-behaved source: `count` users named user-1 … in pages of `page`, every push, an export of one user-id a line.
#include <algorithm>
#include <invited/cpp/roles.hpp>

namespace {

constexpr char kSchema[] = R"({
  "type": "object",
  "description": "Invented users, for tests.",
  "properties": {
    "count": {"type": "integer", "minimum": 0, "default": 3, "description": "How many users there are."},
    "page": {"type": "integer", "minimum": 1, "default": 2, "description": "How many a fetch brings."},
    "settle": {"type": "boolean", "default": true, "description": "Ask for finish."},
    "route": {"type": "string", "default": "", "description": "A path prefix to serve."}
  },
  "additionalProperties": false
})";

class Source : public invited::BlockingSource {
public:
  Source(invited::Host host, const invited::Json& config)
      : host_(host),
        count_(config.integer("count", 3)),
        page_(config.integer("page", 2)),
        settle_(config.boolean("settle", true)) {
    if (const std::string route = config.text("route"); !route.empty()) host_.routes().add(route);
  }

  invited::Page fetch(std::string_view cursor, invited::Intake& out) override {
    const std::int64_t begin = cursor.empty() ? 0 : std::stoll(std::string(cursor));
    const std::int64_t end = std::min(begin + page_, count_);
    for (std::int64_t i = begin + 1; i <= end; ++i) {
      invited::Record record(i);
      record.set(INVITED_KEY_USER_ID, "user-" + std::to_string(i)).set(INVITED_KEY_NAME, "User " + std::to_string(i));
      if (!out.emit(record)) return {};
    }
    return {std::to_string(end), end < count_, settle_};
  }

  void finish(const invited::Report& report) override {
    const std::string rows = std::to_string(report.results.size());
    host_.log(invited::LogLevel::info, "finished", {{"cursor", report.cursor}, {"rows", rows}});
  }

  // A JSON object of texts: each member is a key of the record.
  void on_record(std::string_view json, invited::Intake& out) override {
    invited::Record record;
    try {
      const invited::Json body = invited::Json::parse(json);
      for (const auto& [key, value] : body.as_object()) record.set(key, value.as_text());
    } catch (const invited::JsonError& error) {
      throw invited::Failure(invited::Status::rejected, error.what());
    }
    static_cast<void>(out.emit(record));
  }

  // One user-id a line; a line with a blank in it is a bad row.
  void on_import(const invited::ImportFile& file, invited::Intake& out) override {
    std::int64_t line = 0;
    for (std::string_view rest = file.bytes; !rest.empty();) {
      const std::string_view row = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(row.size() + 1, rest.size()));
      ++line;
      if (row.find(' ') != std::string_view::npos) {
        out.reject_row(line, INVITED_KEY_USER_ID, "bad_user_id", "a user-id has no blanks");
      } else if (!out.emit(invited::Record(line).set(INVITED_KEY_USER_ID, row))) {
        return;
      }
    }
  }

  invited::HttpReply on_http(const invited::HttpPush& request, invited::Intake& out) override {
    if (request.method != "POST") return {405, "text/plain", "POST only\n"};
    if (!out.emit(invited::Record().set(INVITED_KEY_USER_ID, request.body))) return {};
    return {201, "text/plain", std::string(request.path) + "\n"};
  }

  void export_records(const invited::ExportPart& part, invited::ExportCall& out) override {
    if (part.first && !out.write("user_id\n")) return;
    for (const invited::RecordView& record : part.records) {
      if (!out.write(std::string(record.find(INVITED_KEY_USER_ID).value_or("?")) + "\n")) return;
    }
    if (part.last) static_cast<void>(out.write("end\n"));
  }

private:
  invited::Host host_;
  std::int64_t count_;
  std::int64_t page_;
  bool settle_;
};

}  // namespace

INVITED_MODULE(invited::offer<Source>("good_source", "1.0.0", kSchema));
