#include "source_manual.hpp"

namespace invited::manual {

namespace {

constexpr char kSchema[] = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "manual",
  "description": "People who are added and changed by hand, with invitectl or through the control socket.",
  "type": "object",
  "additionalProperties": false
})json";

Json parsed(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const JsonError& error) {
    throw Failure(Status::rejected, std::string("the record is not JSON: ") + error.what());
  }
}

}  // namespace

Manual::Manual(Host /*host*/, const Json& /*config*/) {}

void Manual::on_record(std::string_view json, Intake& out) {
  const Json body = parsed(json);
  if (!body.is_object())
    throw Failure(Status::rejected,
                  R"(the record must be a JSON object such as {"user_id": "14", "name": "A. Example"})");
  if (body.as_object().empty()) throw Failure(Status::rejected, "the record has no fields");
  Record record;
  for (const auto& [key, value] : body.as_object()) {
    if (!value.is_text())
      throw Failure(Status::rejected, '"' + key + "\" must be text; numbers and switches are written in quotes", key);
    record.set(key, value.as_text());
  }
  if (!out.emit(record)) throw Failure(Status::cancelled, "the daemon takes no records now");
}

}  // namespace invited::manual

INVITED_MODULE(invited::offer<invited::manual::Manual>("manual", "1.0.0", invited::manual::kSchema));
