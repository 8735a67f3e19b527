// write_mails FOLDER: mails with awkward contents, each with a JSON file that says what a parser must find in it.
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "render/mail.hpp"
#include "render/sample.hpp"

int main(int argc, char** argv) {
  using namespace invited::render;
  if (argc != 2) {
    std::fputs("usage: write_mails FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const std::vector<std::string> names{
      "",
      "Anna Berg",
      "Åsa Öberg",
      "Berg, Anna",
      "Anna \"Ann\" Berg",
      "Anna\\Berg",
      "Anna (HR) Berg",
      "Anna <evil@example.net>",
      "Åsa, \"Öberg\" <x@y>",
      "山田太郎",
      "<script>alert(1)</script>",
      "=?utf-8?q?evil=0D=0ABcc:_x?=",
      "Å =?utf-8?b?DQpCY2M6IHg=?= B",
      "Group: a, b;",
      "From Anna",
      ".",
      std::string(256, 'x'),
      "Anna Maria Elisabet Charlotta Wilhelmina af Långtbortistan och Närliggande Öar"};
  int number = 0;
  for (const Locale locale : all_locales)
    for (const auto& name : names)
      for (const std::string address : {"anna@example.com", "anna@exämple.com", "ånna@example.com"}) {
        auto mail = sample::mail();
        mail.locale = locale;
        mail.to = {name, address};
        mail.organisation = name.empty() ? "Example AB" : name;
        mail.message_id = "<m" + std::to_string(++number) + ".1@example.com>";
        const auto made = render_mail(sample::templates(), mail);
        if (!made) {
          std::fprintf(stderr, "%s\n", made.error().message.c_str());
          return 1;
        }
        const auto stem = folder / std::to_string(number);
        std::ofstream(stem.string() + ".eml", std::ios::binary) << made->bytes;
        std::ofstream(stem.string() + ".json") << boost::json::serialize(boost::json::object{
            {"name", name},
            {"organisation", mail.organisation},
            {"envelope_to", made->envelope_to},
            {"needs_smtputf8", made->needs_smtputf8},
            {"eight_bit", made->eight_bit},
            {"locale", tag(locale)},
            {"message_id", mail.message_id},
            {"link", mail.link},
            {"last_day", locale == Locale::sv ? "tisdag 27 oktober 2026" : "Tuesday 27 October 2026"}});
      }
  return 0;
}
