#include "profile.hpp"

#include <algorithm>
#include <array>

#include "text.hpp"

namespace invited::file {

namespace {

// ---- the API's names ----

constexpr std::array<std::string_view, 22> api_names{
    INVITED_KEY_USER_ID,     INVITED_KEY_NAME,         INVITED_KEY_GIVEN_NAME,
    INVITED_KEY_FAMILY_NAME, INVITED_KEY_LOGIN_EMAIL,  INVITED_KEY_CONFIRM_EMAIL,
    INVITED_KEY_COMPANY,     INVITED_KEY_DEPARTMENT,   INVITED_KEY_ROLES,
    INVITED_KEY_LOCALE,      INVITED_KEY_START_DATE,   INVITED_KEY_END_DATE,
    INVITED_KEY_ALIAS,       INVITED_KEY_SIGNATURE,    INVITED_KEY_EMPLOYMENT_TEMPLATE,
    INVITED_KEY_CARD_ID,     INVITED_KEY_EXTERNAL_REF, INVITED_KEY_AUTHORISED_COMPANIES,
    INVITED_KEY_ENABLED,     INVITED_KEY_IN_REVIEW,    INVITED_KEY_WITHDRAWN,
    INVITED_KEY_VERSION};

bool is_api_name(std::string_view name) {
  return std::find(api_names.begin(), api_names.end(), name) != api_names.end();
}

// A field of the customer's own: x_ and at least one letter, digit or _.
bool is_own_name(std::string_view name) {
  return name.size() > 2 && name.starts_with("x_") && name.size() <= 64 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

// Changes of a letter from one word to the other; two neighbours in the wrong order are one change.
std::size_t distance(std::string_view a, std::string_view b) {
  const std::size_t width = b.size() + 1;
  std::vector<std::size_t> table((a.size() + 1) * width);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& here = table[i * width + j];
      if (i == 0 || j == 0) {
        here = i + j;
        continue;
      }
      const std::size_t changed = table[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      here = std::min({changed, table[(i - 1) * width + j] + 1, table[i * width + j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        here = std::min(here, table[(i - 2) * width + j - 2] + 1);
    }
  }
  return table.back();
}

std::string did_you_mean(std::string_view name) {
  if (name.size() > 40) return {};
  std::size_t best = std::max<std::size_t>(1, name.size() / 3) + 1;
  std::string_view nearest;
  for (const std::string_view candidate : api_names) {
    const std::size_t apart = distance(name, candidate);
    if (apart < best) {
      best = apart;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string() : "; did you mean \"" + std::string(nearest) + "\"?";
}

// ---- the names of the template ----

// Not a key of a record: what it means depends on the other columns.
constexpr std::string_view employment_number = "employment_number";

struct Field {
  std::string_view key;
  Form form;
  std::string_view swedish, english;  // what an export calls it
  std::string_view others;            // by name_key(), between blanks
};

// In the order of an export.
constexpr std::array<Field, 18> template_fields{{
    {INVITED_KEY_USER_ID, Form::text, "Användar-id", "User-ID", ""},
    {INVITED_KEY_GIVEN_NAME, Form::text, "Förnamn", "First name", "givenname"},
    {INVITED_KEY_FAMILY_NAME, Form::text, "Efternamn", "Last name", "familyname surname"},
    {INVITED_KEY_NAME, Form::text, "Namn", "Name", "fullname"},
    {INVITED_KEY_LOGIN_EMAIL, Form::text, "E-post Visma Connect", "Email Visma Connect", ""},
    {INVITED_KEY_ENABLED, Form::flag, "Användaren är aktiverad", "User is enabled",
     "userisactivated userisenabledactivated aktiverad enabled activated aktiv active"},
    {INVITED_KEY_COMPANY, Form::text, "Företag", "Company", ""},
    {INVITED_KEY_AUTHORISED_COMPANIES, Form::text, "Behöriga företag", "Authorised companies", "authorizedcompanies"},
    {INVITED_KEY_DEPARTMENT, Form::text, "Avdelning", "Department", ""},
    {INVITED_KEY_ROLES, Form::text, "Roller", "Roles", "roll role"},
    {INVITED_KEY_ALIAS, Form::text, "Alias användar-id", "Alias user-ID", "alias"},
    {INVITED_KEY_SIGNATURE, Form::text, "Signatur", "Signature", ""},
    {INVITED_KEY_CARD_ID, Form::text, "Kort-/Brick-ID", "Card-/Tag-ID", "kortid brickid cardid tagid"},
    {INVITED_KEY_EXTERNAL_REF, Form::text, "Extern referens", "External reference", ""},
    {INVITED_KEY_LOCALE, Form::language, "Språk", "Language", ""},
    {INVITED_KEY_START_DATE, Form::date, "Startdatum", "Start date",
     "anställningsdatum anställdfrom anställdfrån employmentdate employmentstartdate employedfrom"},
    {INVITED_KEY_END_DATE, Form::date, "Slutdatum", "End date",
     "avgångsdatum anställdtom anställdtill employmentenddate employedto leavingdate"},
    {INVITED_KEY_EMPLOYMENT_TEMPLATE, Form::text, "Anställningsmall", "Employment template", ""},
}};

constexpr Field number_field{employment_number, Form::text, "Anställningsnummer", "Employment number",
                             "anstnr employeenumber"};

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto end = words.find(' ');
    if (words.substr(0, end) == word) return true;
    if (end == std::string_view::npos) break;
    words.remove_prefix(end + 1);
  }
  return false;
}

// Null for a column that is not used. "E-mail Visma Connect" is read, too: dashes do not count.
const Field* template_field(std::string_view name) {
  const std::string key = name_key(name);
  if (key.empty()) return nullptr;
  const auto is = [&](const Field& field) {
    return key == name_key(field.swedish) || key == name_key(field.english) || has_word(field.others, key);
  };
  if (is(number_field)) return &number_field;
  const auto* const found = std::find_if(template_fields.begin(), template_fields.end(), is);
  return found == template_fields.end() ? nullptr : found;
}

// ---- the first line ----

std::int64_t nth(std::size_t i) {
  return static_cast<std::int64_t>(i) + 1;
}

// The same column twice is refused: nobody knows which one counts.
void refuse_twins(const std::vector<Column>& columns, std::int64_t line) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].key.empty()) continue;
    const auto before = static_cast<std::size_t>(
        std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.key == columns[i].key; }) -
        columns.begin());
    if (before == i) continue;
    const bool is_api_name = lower(columns[i].name) == columns[i].key;
    const std::string meant =
        is_api_name ? shown(columns[i].key) : shown(columns[i].name) + " (" + columns[i].key + ")";
    throw Problem(line, nth(i), "duplicate_column", meant + " is column " + std::to_string(before + 1) + " already");
  }
}

bool has_key(const std::vector<Column>& columns, std::string_view key) {
  return std::any_of(columns.begin(), columns.end(), [key](const Column& column) { return column.key == key; });
}

Header api_header(const std::vector<std::string>& names, std::int64_t line) {
  Header header;
  for (const std::string& name : names) header.columns.push_back({lower(name), name});
  const auto is_good = [](const Column& column) { return is_api_name(column.key) || is_own_name(column.key); };
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const auto wrong = not_utf8(names[i]))
      throw Problem(
          line, nth(i), "not_utf8",
          "the column's name is not UTF-8 (byte " + hex(names[i][*wrong]) + "); save the file as \"CSV UTF-8\"");
  }
  if (std::none_of(header.columns.begin(), header.columns.end(), is_good))
    throw Problem(line, 1, "no_header",
                  "the first line has to name the columns, such as user_id,name,login_email or the HR system's own "
                  "names; it begins with " +
                      shown(header.columns.front().key));
  for (std::size_t i = 0; i < header.columns.size(); ++i) {
    const Column& column = header.columns[i];
    if (column.key.empty()) throw Problem(line, nth(i), "unnamed_column", "the column has no name");
    if (!is_good(column))
      throw Problem(line, nth(i), "unknown_column",
                    shown(column.key) + " is no field of a user" + did_you_mean(column.key));
  }
  refuse_twins(header.columns, line);
  if (!has_key(header.columns, INVITED_KEY_USER_ID) && !has_key(header.columns, INVITED_KEY_EXTERNAL_REF))
    throw Problem(line, 0, "no_user_id", "there is no column \"user_id\", so nobody can be told apart");
  return header;
}

// What is left aside is said once, for the whole file.
void note_unused(const std::vector<std::size_t>& unused, Header& header) {
  if (unused.empty()) return;
  constexpr std::size_t most = 12;
  std::string list;
  std::string ordinary;
  for (std::size_t i = 0; i < unused.size(); ++i) {
    const std::string& name = header.columns[unused[i]].name;
    if (i < most) list += (i == 0 ? "" : ", ") + (name.empty() ? "no. " + std::to_string(unused[i] + 1) : shown(name));
    if (name_key(name) == "epost" || name_key(name) == "email") ordinary = name;
  }
  if (unused.size() > most) list += " and " + std::to_string(unused.size() - most) + " more";
  std::string message =
      (unused.size() == 1 ? "This column is not used: " : "These columns are not used: ") + list + ".";
  if (!ordinary.empty() && !has_key(header.columns, INVITED_KEY_LOGIN_EMAIL))
    message += " " + shown(ordinary) +
               " is the ordinary address; sign-ins are tied to \"E-post Visma Connect\" (\"Email Visma Connect\").";
  header.notes.push_back({"columns_not_used", message});
}

Header template_header(const std::vector<std::string>& names, std::int64_t line, const Layout& layout) {
  Header header;
  header.profile = Profile::flex_employees_users;
  for (const std::string& name : names) {
    const Field* field = template_field(name);
    header.columns.push_back(
        {field == nullptr ? "" : std::string(field->key), name, field == nullptr ? Form::text : field->form});
  }
  refuse_twins(header.columns, line);
  // The HR system's own number of a person: her user-id where the file has no other, else the reference to her.
  const bool is_user_id = !has_key(header.columns, INVITED_KEY_USER_ID) && !layout.number_is_reference;
  const bool has_reference = has_key(header.columns, INVITED_KEY_EXTERNAL_REF);
  std::vector<std::size_t> unused;
  for (std::size_t i = 0; i < header.columns.size(); ++i) {
    Column& column = header.columns[i];
    if (column.key == employment_number)
      column.key = is_user_id ? INVITED_KEY_USER_ID : has_reference ? "" : INVITED_KEY_EXTERNAL_REF;
    if (column.key.empty()) unused.push_back(i);
  }
  if (unused.size() == names.size())
    throw Problem(line, 1, "no_header",
                  "the first line has to name the columns as the HR system does, such as Användar-id or User-ID; it "
                  "begins with " +
                      shown(names.front()));
  if (!has_key(header.columns, INVITED_KEY_USER_ID) && !has_key(header.columns, INVITED_KEY_EXTERNAL_REF))
    throw Problem(line, 0, "no_user_id",
                  "there is no column \"Användar-id\" (\"User-ID\") or \"Anställningsnummer\" (\"Employment number\"), "
                  "so nobody can be told apart");
  note_unused(unused, header);
  return header;
}

// ---- values ----

std::optional<int> number_of(std::string_view digits, std::size_t least, std::size_t most) {
  if (digits.size() < least || digits.size() > most) return std::nullopt;
  int value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// "08:00", "00:00:00", with a fraction or without
bool is_time(std::string_view text) {
  return text.size() >= 5 && text[2] == ':' && text.find_first_not_of("0123456789:.") == std::string_view::npos;
}

std::optional<std::string> normal_date(std::string_view text, DateOrder order) {
  text = trimmed(text);
  if (const auto blank = text.find_first_of(" T"); blank != std::string_view::npos) {
    if (!is_time(text.substr(blank + 1))) return std::nullopt;
    text = text.substr(0, blank);
  }
  std::array<std::string_view, 3> parts;
  const bool bare = text.size() == 8 && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (bare) {
    const std::size_t first = order == DateOrder::ymd ? 4 : 2;
    parts = {text.substr(0, first), text.substr(first, 2), text.substr(first + 2)};
  } else {
    const auto one = text.find_first_of("-/.");
    if (one == std::string_view::npos) return std::nullopt;
    const auto two = text.find(text[one], one + 1);
    if (two == std::string_view::npos) return std::nullopt;
    parts = {text.substr(0, one), text.substr(one + 1, two - one - 1), text.substr(two + 1)};
  }
  // A year in front says by itself what follows.
  if (parts[0].size() == 4) order = DateOrder::ymd;
  const auto year = number_of(order == DateOrder::ymd ? parts[0] : parts[2], 4, 4);
  const auto month = number_of(order == DateOrder::mdy ? parts[0] : parts[1], 1, 2);
  const auto day = number_of(order == DateOrder::ymd ? parts[2] : order == DateOrder::dmy ? parts[0] : parts[1], 1, 2);
  if (!year || !month || !day) return std::nullopt;
  const auto two_digits = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  std::string years = std::to_string(*year);
  years.insert(0, 4 - years.size(), '0');
  return years + "-" + two_digits(*month) + "-" + two_digits(*day);
}

// ---- the way out ----

// Behind any apostrophes.
bool begins_formula(std::string_view value) {
  const auto first = value.find_first_not_of('\'');
  return first != std::string_view::npos && std::string_view("=+-@\t\r").find(value[first]) != std::string_view::npos;
}

bool is_swedish(const ExportPart& part) {
  const std::string_view language = part.option("language");
  if (language == "sv") return true;
  if (language.empty() || language == "en") return false;
  throw Failure(Status::rejected, "an export has its names in sv or en");
}

char delimiter_of(const ExportPart& part, Profile profile) {
  const std::string_view name = part.option("delimiter");
  if (name == "comma") return ',';
  if (name == "semicolon") return ';';
  if (name == "tab") return '\t';
  if (!name.empty()) throw Failure(Status::rejected, "the delimiter of an export is comma, semicolon or tab");
  return profile == Profile::api ? ',' : ';';
}

std::string value_out(const RecordView& record, const Field& field, Profile profile, bool swedish) {
  std::string_view key = field.key;
  if (profile == Profile::flex_employees_users) {
    if (key == INVITED_KEY_COMPANY) key = INVITED_KEY_COMPANY_NAME;
    if (key == INVITED_KEY_AUTHORISED_COMPANIES) key = INVITED_KEY_AUTHORISED_COMPANY_NAMES;
  }
  const std::string_view value = record.find(key).value_or("");
  if (profile == Profile::api) return std::string(value);
  if (field.form == Form::flag) {
    if (value == "true") return swedish ? "Ja" : "Yes";
    if (value == "false") return swedish ? "Nej" : "No";
  }
  if (field.form == Form::language) {
    if (value == "sv") return swedish ? "Svenska" : "Swedish";
    if (value == "en") return swedish ? "Engelska" : "English";
  }
  return std::string(value);
}

}  // namespace

bool knows_name(Profile profile, std::string_view name) {
  const std::string folded = lower(name);
  const bool api = profile != Profile::flex_employees_users && (is_api_name(folded) || is_own_name(folded));
  return api || (profile != Profile::api && template_field(name) != nullptr);
}

Header read_header(const std::vector<std::string>& names, std::int64_t line, const Layout& layout) {
  const auto only_api = [](const std::string& name) {
    const std::string folded = lower(name);
    return is_own_name(folded) || (is_api_name(folded) && folded.find('_') != std::string::npos);
  };
  const auto of_template = [](const std::string& name) { return template_field(name) != nullptr; };
  const bool by_template =
      layout.profile == Profile::flex_employees_users ||
      (layout.profile == Profile::automatic && std::none_of(names.begin(), names.end(), only_api) &&
       std::any_of(names.begin(), names.end(), of_template));
  return by_template ? template_header(names, line, layout) : api_header(names, line);
}

std::optional<std::string> normal_form(Form form, DateOrder order, std::string_view value) {
  switch (form) {
    case Form::text:
      return std::nullopt;
    case Form::date:
      return normal_date(value, order);
    case Form::flag: {
      const std::string word = name_key(value);
      if (has_word("ja j yes y sant true 1 aktiv active", word)) return "true";
      if (has_word("nej n no falskt false 0 inaktiv inactive", word)) return "false";
      return std::nullopt;
    }
    case Form::language: {
      const std::string word = name_key(value);
      if (has_word("svenska swedish sv svse", word)) return "sv";
      if (has_word("engelska english en engb enus", word)) return "en";
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::string guarded(std::string_view value) {
  return (begins_formula(value) ? "'" : "") + std::string(value);
}

std::string_view unguarded(std::string_view value) {
  return value.starts_with('\'') && begins_formula(value) ? value.substr(1) : value;
}

void append_cell(std::string& text, std::string_view value, char delimiter) {
  const bool blank_edge = !value.empty() && (value.front() == ' ' || value.back() == ' ');
  const bool quoted = blank_edge || value.find_first_of("\"\r\n;,\t") != std::string_view::npos ||
                      value.find(delimiter) != std::string_view::npos;
  if (quoted) text += '"';
  for (const char c : value) {
    if (c == '"') text += '"';
    text += c;
  }
  if (quoted) text += '"';
}

std::string lines_of(const ExportPart& part) {
  const auto profile = profile_of(part.format);
  if (!profile)
    throw Failure(Status::rejected, "exports have the profile flex-employees-users or api, not " + shown(part.format));
  const bool swedish = is_swedish(part);
  const char delimiter = delimiter_of(part, *profile);
  std::string text;
  const auto line = [&](auto&& cell_of) {
    for (const Field& field : template_fields) {
      if (&field != template_fields.data()) text += delimiter;
      append_cell(text, guarded(cell_of(field)), delimiter);
    }
    text += "\r\n";
  };
  if (part.first) {
    // A spreadsheet on Windows takes text for UTF-8 only behind this mark.
    if (*profile == Profile::flex_employees_users) text += byte_order_mark;
    line([&](const Field& field) {
      return *profile == Profile::api ? field.key : swedish ? field.swedish : field.english;
    });
  }
  for (const RecordView& record : part.records)
    line([&](const Field& field) { return value_out(record, field, *profile, swedish); });
  return text;
}

std::optional<Profile> profile_of(std::string_view name) {
  if (name == "api") return Profile::api;
  if (name == "flex-employees-users") return Profile::flex_employees_users;
  return std::nullopt;
}

}  // namespace invited::file
