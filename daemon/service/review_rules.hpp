// What a change of a hire means for its review: which flow it enters, and what is asked again (PRODUCT §1, W3).
// All functions run inside store closures, on the store's thread.
#pragma once

#include <string>
#include <string_view>

#include "service/planner.hpp"

namespace invited::service {

// Puts a new employment into the flow that its template names, or into the default one where a review is asked for.
// An inactive flow lets the hire pass. The employment is not stored here.
void enter_review(const model::Policies& policies, model::Employment& employment, bool review_asked);

// The template of an employment in its hire was changed: it goes on in the flow of the new one. True if something
// changed.
bool change_flow(const model::Policies& policies, model::Employment& employment, bool review_asked);

// What was approved has changed: each step that was approved is asked again, and who changed it counts as who entered
// it. Only while the hire waits for its mail; afterwards there is nothing left to approve. Stores the employment.
void ask_again(Db& db, Planner& planner, const model::User& user, model::Employment& employment,
               const std::string& actor, std::string_view reason, Instant now);

// Notes an actor as one of those who entered what is reviewed.
void note_entered_by(model::Employment& employment, const std::string& actor);
[[nodiscard]] bool entered_by(const model::Employment& employment, const std::string& actor);

// Brings the stored state of a review in line with its flow and the approvals given. True if the review finished now.
// Stores the employment if it changed.
bool settle_review(Db& db, Planner& planner, const model::User& user, model::Employment& employment,
                   const std::string& actor, Instant now);

}  // namespace invited::service
