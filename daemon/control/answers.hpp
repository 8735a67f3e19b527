// The daemon's values as the API's JSON (api/schemas.cpp), and its errors as problem documents.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/http_message.hpp"
#include "core/result.hpp"
#include "service/batches.hpp"
#include "service/domains.hpp"
#include "service/fetching.hpp"
#include "service/preview.hpp"
#include "service/queries.hpp"

namespace invited::control {

[[nodiscard]] boost::json::value when(const std::optional<core::Instant>& at);  // "…Z" or null
[[nodiscard]] boost::json::object user_json(const service::UserView& view, const model::Policies& policies);
[[nodiscard]] boost::json::object invitation_json(const model::Invitation& invitation,
                                                  const std::optional<model::Delivery>& delivery,
                                                  const std::string& user_id);
[[nodiscard]] boost::json::object review_json(const service::UserView& view, const model::Policies& policies);
[[nodiscard]] boost::json::object batch_json(const model::Batch& batch);
[[nodiscard]] boost::json::object batch_json(const service::BatchView& view);
// Adds what a run's batch keeps back to the counts of its job.
void add_held(boost::json::object& counts, const service::Settled& settled);
[[nodiscard]] boost::json::object plan_item_json(const service::PlanItem& item);
[[nodiscard]] boost::json::object plan_change_json(const service::PlanChange& change);
[[nodiscard]] boost::json::object risk_json(const service::RiskItem& item);
[[nodiscard]] boost::json::object why_json(const service::Why& why);
[[nodiscard]] boost::json::object domain_json(const model::Domain& domain, const service::Domains& domains);
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
