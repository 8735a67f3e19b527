// Review flows: named, ordered steps that a hire passes before anything is sent (PRODUCT §1 "review, step", W3).
//
// A flow is configuration; what was approved is a row for each approval. standing() puts both together, so that a
// changed flow counts for everybody who is still in review.
//
//   const ReviewFlow& flow = flows.of(employment.flow);
//   const ReviewStanding at = standing(flow, approvals);
//   if (at.finished) …  else  at.open names the steps that may be approved now
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/civil_time.hpp"

namespace invited::model {

struct ReviewStep {
  std::string name;
  std::string after;  // the earlier step that must be approved first; empty: none
};

struct ReviewFlow {
  std::string name;
  bool active = true;      // an inactive flow lets hires pass
  bool four_eyes = false;  // who entered or changed the hire may not approve it
  std::vector<ReviewStep> steps;
};

struct StepApproval {
  std::string step;
  std::string actor;
  Instant at{};
};

enum class StepState : std::uint8_t {
  approved,
  open,     // may be approved now
  waiting,  // for an earlier step
};
[[nodiscard]] std::string_view to_text(StepState);

struct StepStanding {
  ReviewStep step;
  StepState state = StepState::open;
  StepApproval approval;  // if approved
};

struct ReviewStanding {
  bool finished = true;  // nothing is left to approve; an inactive flow is always finished
  std::vector<StepStanding> steps;

  [[nodiscard]] std::vector<std::string> open() const;
};

[[nodiscard]] ReviewStanding standing(const ReviewFlow& flow, const std::vector<StepApproval>& approvals);

// Every flow of the configuration. There is always one named "default": it has the single step "approval" where the
// configuration does not say otherwise.
class ReviewFlows {
public:
  static constexpr std::string_view default_name = "default";

  ReviewFlows();
  explicit ReviewFlows(std::vector<ReviewFlow> flows);

  // The flow of that name without regard to case; the default one where there is none: who was in a flow that is gone
  // finishes in the default one.
  [[nodiscard]] const ReviewFlow& of(std::string_view name) const;
  [[nodiscard]] bool knows(std::string_view name) const;
  [[nodiscard]] const std::vector<ReviewFlow>& all() const { return flows_; }  // the default one first

private:
  [[nodiscard]] const ReviewFlow* find(std::string_view name) const;
  std::vector<ReviewFlow> flows_;
};

}  // namespace invited::model
