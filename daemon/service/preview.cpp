#include "service/preview.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "service/users.hpp"
#include "store/users.hpp"

namespace invited::service {

namespace {

std::vector<PlanItem> acts_of(const Planner& planner, const Loaded& loaded, Instant now) {
  std::vector<PlanItem> items;
  const model::Facts facts = planner.facts(loaded, now);
  for (model::Decision& act : model::foreseen(facts)) items.push_back(plan_item(facts, std::move(act)));
  return items;
}

bool same_acts(const std::vector<PlanItem>& left, const std::vector<PlanItem>& right) {
  return std::ranges::equal(left, right, [](const PlanItem& a, const PlanItem& b) {
    return a.decision.action == b.decision.action && a.decision.at == b.decision.at &&
           a.link_ends_at == b.link_ends_at && a.zone == b.zone;
  });
}

}  // namespace

struct Preview::Looking {
  std::shared_ptr<Planner> planner;
  core::Clock& clock;
  std::optional<Loaded> after{};  // of the row under way
  std::vector<PlanChange> changes{};

  void look(Db& db, const model::RowResult& row) {
    after.reset();
    if (auto found = find_user(db, row.user)) after = std::move(*found);
  }

  // The row has already acted on the rules: what it released looks as if its mail were under way. What the plan would
  // be is decided from the new facts and the old offer, as the row's own decision was.
  void look_back(Db& db, const model::RowResult& row) {
    if (!after) return;
    const auto before = Planner::load(db, after->user.key);
    after->invitation = before ? before->invitation : std::nullopt;
    after->delivery = before ? before->delivery : std::nullopt;
    const Instant now = clock.now();
    PlanChange change{.user_id = after->user.user_id,
                      .name = after->user.name,
                      .line = row.line,
                      .result = row.result(),
                      .before = before ? acts_of(*planner, *before, now) : std::vector<PlanItem>{},
                      .after = acts_of(*planner, *after, now)};
    if (!same_acts(change.before, change.after)) changes.push_back(std::move(change));
  }
};

Preview::Preview(std::shared_ptr<Planner> planner, core::Clock& clock)
    : looking_(std::make_shared<Looking>(Looking{std::move(planner), clock})) {}

IntakeContext Preview::context(std::string source, std::string actor) const {
  IntakeContext context;
  context.source = std::move(source);
  context.actor = std::move(actor);
  context.dry_run = true;
  context.at_once = true;
  context.look = [looking = looking_](Db& db, const model::RowResult& row) { looking->look(db, row); };
  context.look_back = [looking = looking_](Db& db, const model::RowResult& row) { looking->look_back(db, row); };
  return context;
}

std::vector<PlanChange> Preview::take() {
  return std::exchange(looking_->changes, {});
}

}  // namespace invited::service
