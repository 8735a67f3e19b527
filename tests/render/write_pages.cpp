// write_pages FOLDER: every page in every state and language, with its style sheet, for a browser or a checker.
#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "render/page.hpp"
#include "render/sample.hpp"

int main(int argc, char** argv) {
  using namespace invited::render;
  using namespace std::chrono_literals;
  if (argc != 2) {
    std::fputs("usage: write_pages FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const auto& templates = sample::templates();
  std::ofstream(folder / "style.css") << templates.stylesheet();

  const LocalDay day{2026y / 10 / 27, "Europe/Stockholm"};
  const Form form{"/c/token", "6x0cq4nonce"};
  const std::string sign_in = "https://login.example.com/";
  const auto sent_at = std::chrono::sys_days(2026y / 10 / 23) + 7h;
  const ConfirmPage confirm{.form = form, .masked_address = "a***@example.com", .last_day = day};
  auto again = confirm;
  again.try_again = true;
  auto wide = confirm;  // nowhere a place to break
  wide.masked_address = "a***@" + std::string(60, 'w') + "." + std::string(60, 'w') + ".example.com";
  wide.last_day.zone = "America/Argentina/ComodRivadavia";
  const std::string help = "Lösenordet är det som du har i e-posten. The password is the one of your mail.";
  using Fault = AddressFormPage::Fault;
  const auto typed = [&](Fault fault) {
    return AddressFormPage{
        .form = form, .fault = fault, .typed = "anna.berg@example.com", .typed_again = "anna.bert@example.com"};
  };
  const std::vector<std::pair<std::string, PageState>> states{
      {"confirm", confirm},
      {"confirm-again", again},
      {"confirm-wide", wide},
      {"connected", ConnectedPage{sign_in, ""}},
      {"connected-help", ConnectedPage{sign_in, help}},
      {"used", UsedPage{sign_in, ""}},
      {"used-help", UsedPage{sign_in, help}},
      {"connecting", ConnectingPage{}},
      {"expired", ExpiredPage{form, day}},
      {"expired-ask", ExpiredPage{std::nullopt, day}},
      {"requested", RequestedPage{"a***@example.com"}},
      {"superseded", SupersededPage{SupersededPage::Sent{sent_at, "Europe/Stockholm"}}},
      {"superseded-unsent", SupersededPage{}},
      {"revoked", RevokedPage{}},
      {"unknown", UnknownPage{}},
      {"address", AddressFormPage{.form = form}},
      {"address-saved", AddressFormPage{.form = form, .masked_address = "a***@example.com"}},
      {"address-mail-back",
       AddressFormPage{.form = form, .masked_address = "a***@example.com", .mail_came_back = true}},
      {"address-mail-out", AddressFormPage{.form = form, .masked_address = "a***@example.com", .mail_is_out = true}},
      {"address-invalid", typed(Fault::invalid)},
      {"address-mismatch", typed(Fault::mismatch)},
      {"address-unusable", typed(Fault::unusable)},
      {"address-again", AddressFormPage{.form = form, .try_again = true, .typed = "anna@example.com"}},
      {"sent", AddressSentPage{"a***@example.com"}},
      {"saved", AddressSavedPage{"a***@example.com"}},
      {"over", PageOverPage{}},
      {"too-many", TooManyRequestsPage{}},
      {"unavailable", UnavailablePage{}},
      {"not-found", NotFoundPage{}},
      {"not-allowed", MethodNotAllowedPage{}},
  };
  for (const Locale locale : all_locales)
    for (const auto& [name, state] : states)
      std::ofstream(folder / (name + "." + std::string(tag(locale)) + ".html")) << render_page(
          templates, {.locale = locale, .organisation = "Example AB", .stylesheet = "style.css", .state = state});
  return 0;
}
