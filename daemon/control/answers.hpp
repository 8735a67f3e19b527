// The daemon's values as the API's JSON (api/schemas.cpp), and its errors as problem documents.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/http_message.hpp"
#include "core/result.hpp"
#include "service/fetching.hpp"
#include "service/queries.hpp"

namespace invited::control {

[[nodiscard]] boost::json::value when(const std::optional<core::Instant>& at);  // "…Z" or null
[[nodiscard]] boost::json::object user_json(const service::UserView& view, const model::Policies& policies);
[[nodiscard]] boost::json::object invitation_json(const model::Invitation& invitation,
                                                  const std::optional<model::Delivery>& delivery,
                                                  const std::string& user_id);
[[nodiscard]] boost::json::object review_json(const service::UserView& view);
[[nodiscard]] boost::json::object plan_item_json(const std::string& user_id, const std::string& name,
                                                 const model::Decision& decision, const std::string& zone);
[[nodiscard]] boost::json::object why_json(const service::Why& why);
[[nodiscard]] boost::json::object domain_json(const model::Domain& domain);
[[nodiscard]] boost::json::object source_json(const service::SourceStatus& source);
[[nodiscard]] boost::json::object audit_json(const model::AuditEvent& event);

[[nodiscard]] core::HttpResponse answer(unsigned status, const boost::json::value& body);
[[nodiscard]] core::HttpResponse list_answer(boost::json::array items, boost::json::value next_cursor);

struct ProblemDetail {
  std::string where;
  std::string code;
  std::string message;
};
[[nodiscard]] core::HttpResponse problem(unsigned status, const std::string& code, const std::string& detail,
                                         const std::vector<ProblemDetail>& errors = {});
[[nodiscard]] core::HttpResponse problem(const core::Error& error);
[[nodiscard]] core::HttpResponse bad_cursor();

}  // namespace invited::control
