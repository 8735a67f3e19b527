#include "model/review_flow.hpp"

#include <algorithm>
#include <array>

#include "model/text.hpp"

namespace invited::model {

namespace {

const StepApproval* approval_of(const std::vector<StepApproval>& approvals, std::string_view step) {
  const auto found = std::find_if(approvals.begin(), approvals.end(),
                                  [&](const StepApproval& approval) { return equal_folded(approval.step, step); });
  return found == approvals.end() ? nullptr : &*found;
}

}  // namespace

std::string_view to_text(StepState state) {
  constexpr std::array<std::string_view, 3> names{"approved", "open", "waiting"};
  return names.at(static_cast<std::size_t>(state));
}

std::vector<std::string> ReviewStanding::open() const {
  std::vector<std::string> names;
  for (const StepStanding& one : steps) {
    if (one.state == StepState::open) names.push_back(one.step.name);
  }
  return names;
}

ReviewStanding standing(const ReviewFlow& flow, const std::vector<StepApproval>& approvals) {
  ReviewStanding result;
  if (!flow.active) return result;
  for (const ReviewStep& step : flow.steps) {
    StepStanding one;
    one.step = step;
    if (const StepApproval* approval = approval_of(approvals, step.name)) {
      one.state = StepState::approved;
      one.approval = *approval;
    } else {
      result.finished = false;
      const bool blocked = !step.after.empty() && approval_of(approvals, step.after) == nullptr;
      one.state = blocked ? StepState::waiting : StepState::open;
    }
    result.steps.push_back(std::move(one));
  }
  return result;
}

ReviewFlows::ReviewFlows() : ReviewFlows(std::vector<ReviewFlow>{}) {}

ReviewFlows::ReviewFlows(std::vector<ReviewFlow> flows) : flows_(std::move(flows)) {
  const auto own = std::find_if(flows_.begin(), flows_.end(),
                                [](const ReviewFlow& flow) { return equal_folded(flow.name, default_name); });
  if (own == flows_.end()) {
    ReviewFlow single;
    single.name = default_name;
    single.steps.push_back({"approval", ""});
    flows_.insert(flows_.begin(), std::move(single));
  } else {
    std::rotate(flows_.begin(), own, own + 1);
  }
}

const ReviewFlow* ReviewFlows::find(std::string_view name) const {
  const auto found =
      std::find_if(flows_.begin(), flows_.end(), [&](const ReviewFlow& flow) { return equal_folded(flow.name, name); });
  return found == flows_.end() ? nullptr : &*found;
}

const ReviewFlow& ReviewFlows::of(std::string_view name) const {
  const ReviewFlow* flow = find(name);
  return flow == nullptr ? flows_.front() : *flow;
}

bool ReviewFlows::knows(std::string_view name) const {
  return find(name) != nullptr;
}

}  // namespace invited::model
