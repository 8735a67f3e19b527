// The source "manual": people who are typed in, one at a time, through the control socket. It has nothing to fetch and
// nothing to configure; each push is a JSON object of texts and becomes one record.
//
//   {"user_id": "14", "name": "A. Example", "start_date": "2026-12-01"}
#pragma once

#include <invited/cpp/roles.hpp>

namespace invited::manual {

class Manual : public BlockingSource {
public:
  Manual(Host host, const Json& config);
  // Failure(rejected), with the field where there is one, for what is no JSON object of texts.
  void on_record(std::string_view json, Intake& out) override;
};

}  // namespace invited::manual
