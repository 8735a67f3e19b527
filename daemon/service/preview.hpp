// What an import would change in the plan (`plan show --with FILE`): each row is applied as in a dry run, and the acts
// that are foreseen for its user before and after it are compared.
//
//   Preview preview(planner, clock);
//   fetching.push(source, file, preview.context(source, actor), [&](const auto& rows) { for (… : preview.take()) … });
//
// Nothing is kept. take() belongs into the progress of the same run, as its chunks are never looked at while the next
// one is read.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "service/intake.hpp"
#include "service/queries.hpp"

namespace invited::service {

struct PlanChange {
  std::string user_id;
  std::string name;
  std::int64_t line = 0;
  std::string result;  // of the row: "created", "updated", "ignored: invalid_email"
  std::vector<PlanItem> before;
  std::vector<PlanItem> after;
};

class Preview {
public:
  Preview(std::shared_ptr<Planner> planner, core::Clock& clock);

  // A dry run that looks at each row.
  [[nodiscard]] IntakeContext context(std::string source, std::string actor) const;
  // The changes seen since the last call. [core-thread, inside the run's progress]
  [[nodiscard]] std::vector<PlanChange> take();

private:
  struct Looking;
  std::shared_ptr<Looking> looking_;
};

}  // namespace invited::service
