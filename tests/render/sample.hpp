// Shipped templates, and one ordinary mail to vary.
#pragma once

#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "render/mail.hpp"
#include "render/templates.hpp"

namespace invited::render::sample {

inline TemplateFolders folders() {
  const std::filesystem::path share = std::filesystem::path(INVITED_BINARY_DIR) / "share" / "invited";
  return {{share / "templates"}, share / "locale"};
}

inline const Templates& templates() {
  static const Templates loaded = [] {
    auto result = Templates::load(folders());
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
  }();
  return loaded;
}

inline const char* link() {
  return "https://invite.example.com/c/1a7f3q2mzk5xw4p6n8r9t0vybdgh2jlcs4e6u8i0o1a3b5c7d9f1g3h5j7k9";
}

inline VerificationMail mail() {
  using namespace std::chrono_literals;
  VerificationMail mail;
  mail.from = {"Example AB", "no-reply@example.com"};
  mail.to = {"Åsa Öberg", "asa.oberg@example.com"};
  mail.organisation = "Example AB";
  mail.locale = Locale::sv;
  mail.link = link();
  mail.last_valid_day = 2026y / std::chrono::October / 27;
  mail.zone = "Europe/Stockholm";
  mail.message_id = "<01997b3c-58f1-7aaa-9c1d-2b8f6f1c0e11.1@example.com>";
  mail.date = std::chrono::sys_days(2026y / std::chrono::October / 23) + 7h + 5s;
  return mail;
}

inline SignInReadyMail sign_in_mail() {
  const VerificationMail like = mail();
  SignInReadyMail mail;
  mail.from = like.from;
  mail.to = like.to;
  mail.organisation = like.organisation;
  mail.locale = like.locale;
  mail.sign_in_url = "https://login.example.com/start?a=1&b=2";
  mail.help = "Ring växeln om du inte kommer in.";
  mail.zone = like.zone;
  mail.message_id = like.message_id;
  mail.date = like.date;
  return mail;
}

}  // namespace invited::render::sample
