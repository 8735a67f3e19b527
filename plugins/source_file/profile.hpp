// What files call their columns and how they write values. Two profiles: `api`, the API's own names and forms, and
// `flex-employees-users`, the columns of the HR system's template "Anställda/användare" ("Employees/users") by their
// Swedish or English names, with its yes/no words, dates and languages.
//
//   Header header = read_header({"Användar-id", "E-post Visma Connect"}, line, layout);   // throws Problem
//   header.columns[1].key == "login_email"; header.columns[1].name == "E-post Visma Connect";
//   std::string text = lines_of(part);                                                    // the way out
//
// What the one reads the other writes: a file goes round and changes nothing. Pure; any thread.
#pragma once

#include <invited/cpp/roles.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem.hpp"

namespace invited::file {

enum class Delimiter { automatic, comma, semicolon, tab };
enum class Profile { automatic, api, flex_employees_users };
enum class Encoding { automatic, utf8, windows_1252 };
enum class DateOrder { ymd, dmy, mdy };

// How the files of an instance are written.
struct Layout {
  Delimiter delimiter = Delimiter::automatic;
  Profile profile = Profile::automatic;
  Encoding encoding = Encoding::automatic;
  DateOrder date_order = DateOrder::ymd;
  // The employment number is always the external reference, also where no column has the user-id.
  bool number_is_reference = false;
};

enum class Form { text, flag, date, language };

struct Column {
  std::string key;   // of a record; empty: not used
  std::string name;  // as the file has it
  Form form = Form::text;
};

struct Note {
  std::string reason;
  std::string message;
};

struct Header {
  Profile profile = Profile::api;
  std::vector<Column> columns;
  std::vector<Note> notes;
};

// Whether a name in a first line is one that the profile knows.
bool knows_name(Profile profile, std::string_view name);

// The first line, its names in UTF-8 and trimmed. Throws Problem with the line and the column.
Header read_header(const std::vector<std::string>& names, std::int64_t line, const Layout& layout);

// A value in the form that records have; nothing where it has that already, or none that we know.
std::optional<std::string> normal_form(Form form, DateOrder order, std::string_view value);

// A spreadsheet takes what begins with = + - @ for a formula. An apostrophe goes before it, and before apostrophes that
// stand there: one is taken off when it is read again.
std::string guarded(std::string_view value);
std::string_view unguarded(std::string_view value);

// One cell of a line.
void append_cell(std::string& text, std::string_view value, char delimiter);

// A part of an export. Throws Failure(rejected) for a format or an option that is not ours.
std::string lines_of(const ExportPart& part);

std::optional<Profile> profile_of(std::string_view name);

}  // namespace invited::file
