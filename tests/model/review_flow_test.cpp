#include "model/review_flow.hpp"

#include <catch2/catch.hpp>

using namespace invited::model;

namespace {

ReviewFlow office() {
  ReviewFlow flow;
  flow.name = "Office";
  flow.steps = {{"manager", ""}, {"payroll", ""}, {"hr", "manager"}};
  return flow;
}

StepApproval approval(const std::string& step) {
  return {step, "uid:7 (eva)", {}};
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a step is open unless it waits for an earlier one; the last approval finishes") {
  const auto fresh = standing(office(), {});
  CHECK_FALSE(fresh.finished);
  CHECK(fresh.open() == Names{"manager", "payroll"});
  CHECK(fresh.steps.at(2).state == StepState::waiting);

  const auto half = standing(office(), {approval("MANAGER")});
  CHECK_FALSE(half.finished);
  CHECK(half.open() == Names{"payroll", "hr"});
  CHECK(half.steps.at(0).state == StepState::approved);
  CHECK(half.steps.at(0).approval.actor == "uid:7 (eva)");

  CHECK_FALSE(standing(office(), {approval("manager"), approval("hr")}).finished);
  CHECK(standing(office(), {approval("manager"), approval("hr"), approval("payroll")}).finished);
}

TEST_CASE("an approval of a step that the flow no longer has finishes nothing") {
  CHECK_FALSE(standing(office(), {approval("manager"), approval("hr"), approval("gone")}).finished);
}

TEST_CASE("an inactive flow lets hires pass") {
  auto flow = office();
  flow.active = false;
  CHECK(standing(flow, {}).finished);
}

TEST_CASE("there is always a default flow, and unknown names mean it") {
  const ReviewFlows none;
  CHECK(none.of("gone").name == "default");
  CHECK(standing(none.of(""), {}).open() == Names{"approval"});
  CHECK_FALSE(none.knows("gone"));

  ReviewFlow own;
  own.name = "Default";
  own.steps = {{"first", ""}};
  const ReviewFlows configured({office(), own});
  CHECK(configured.of("gone").steps.front().name == "first");
  CHECK(configured.of("OFFICE").name == "Office");
  CHECK(configured.all().size() == 2);
}
