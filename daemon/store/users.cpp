#include "store/users.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "model/text.hpp"

namespace invited::store {

namespace {

constexpr std::string_view select_user =
    "key, user_id, name, given_name, family_name, login_email, login_email_canonical, login_email_domain, company, "
    "department, "
    "locale, alias, signature, card_id, external_ref, authorised_companies, roles, enabled, connection, source, "
    "created_at, updated_at";

// ",a,b," ↔ {"a", "b"}: one LIKE finds one whole name.
std::string join_list(const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string out = ",";
  for (const auto& item : items) out += item + ",";
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (comma != 0) items.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return items;
}

User user_of(SQLite::Statement& q) {
  User u;
  u.key = id_at(q, 0);
  u.user_id = text_at(q, 1);
  u.name = text_at(q, 2);
  u.given_name = text_at(q, 3);
  u.family_name = text_at(q, 4);
  u.login_email = text_at(q, 5);
  u.login_email_canonical = text_at(q, 6);
  u.login_email_domain = text_at(q, 7);
  u.company = text_at(q, 8);
  u.department = text_at(q, 9);
  u.locale = text_at(q, 10);
  u.alias = text_at(q, 11);
  u.signature = text_at(q, 12);
  u.card_id = text_at(q, 13);
  u.external_ref = text_at(q, 14);
  u.authorised_companies = split_list(text_at(q, 15));
  u.roles = split_list(text_at(q, 16));
  u.enabled = q.getColumn(17).getInt() != 0;
  u.connection = model::parse_connection(text_at(q, 18)).value();
  u.source = text_at(q, 19);
  u.created_at = instant_at(q, 20);
  u.updated_at = instant_at(q, 21);
  return u;
}

// The earliest one that is neither withdrawn nor over, else the latest; the same in SQL and here.
constexpr std::string_view order_in_force =
    "withdrawn, over, CASE WHEN withdrawn = 0 AND over = 0 THEN start_date ELSE -start_date END, key";

bool more_in_force(const Employment& a, const Employment& b) {
  const auto order = [](const Employment& e) {
    const int start = model::date_key(e.start_date);
    return std::tuple(e.withdrawn, e.over, !e.withdrawn && !e.over ? start : -start, e.key);
  };
  return order(a) < order(b);
}

constexpr std::string_view select_employment =
    "key, user, start_date, end_date, employment_template, review, review_actor, review_reason, reviewed_at, "
    "withdrawn, hire_open, created_at, flow, entered_by, gap, over";

Employment employment_of(SQLite::Statement& q) {
  Employment e;
  e.key = id_at(q, 0);
  e.user = id_at(q, 1);
  e.start_date = model::date_of_key(q.getColumn(2).getInt()).value();
  if (!q.getColumn(3).isNull()) e.end_date = model::date_of_key(q.getColumn(3).getInt());
  e.employment_template = text_at(q, 4);
  e.review = model::parse_review_state(text_at(q, 5)).value();
  e.review_actor = text_at(q, 6);
  e.review_reason = text_at(q, 7);
  e.reviewed_at = optional_instant_at(q, 8);
  e.withdrawn = q.getColumn(9).getInt() != 0;
  e.hire_open = q.getColumn(10).getInt() != 0;
  e.created_at = instant_at(q, 11);
  e.flow = text_at(q, 12);
  e.entered_by = text_at(q, 13);
  e.gap = model::parse_gap_state(text_at(q, 14)).value();
  e.over = q.getColumn(15).getInt() != 0;
  return e;
}

std::optional<std::int32_t> key_of(const std::optional<model::CivilDate>& date) {
  if (!date) return std::nullopt;
  return model::date_key(*date);
}

// What free text is compared with, folded like a user-id: LIKE itself knows no letters beyond ASCII.
std::string search_text(const User& u) {
  return fold_user_id(u.user_id + "\n" + u.name + "\n" + u.login_email + "\n" + u.alias + "\n" + u.signature + "\n" +
                      u.card_id + "\n" + u.external_ref + "\n" + u.department);
}

// LIKE takes % and _ literally only when escaped.
std::string like_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

template <class Row, class Read>
std::vector<Row> collect(SQLite::Statement& q, Read read) {
  std::vector<Row> rows;
  while (q.executeStep()) rows.push_back(read(q));
  q.reset();
  return rows;
}

template <class Row, class Read>
std::optional<Row> one(SQLite::Statement& q, Read read) {
  std::optional<Row> row;
  if (q.executeStep()) row = read(q);
  q.reset();
  return row;
}

}  // namespace

std::string fold_user_id(std::string_view user_id) {
  return model::folded(model::tidied(user_id));
}

namespace users {

std::optional<User> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM users WHERE key = ?", select_user);
  return one<User>(db.prepare(sql, key), user_of);
}

std::optional<User> find(Db& db, std::string_view user_id) {
  static const std::string sql = fmt::format("SELECT {} FROM users WHERE user_id_folded = ?", select_user);
  const std::string folded = fold_user_id(user_id);
  return one<User>(db.prepare(sql, folded), user_of);
}

std::optional<Id> owner_of_login_email(Db& db, std::string_view canonical) {
  // The condition lets SQLite use the partial unique index.
  auto& q =
      db.prepare("SELECT key FROM users WHERE login_email_canonical = ? AND login_email_canonical <> ''", canonical);
  return one<Id>(q, [](SQLite::Statement& row) { return id_at(row, 0); });
}

std::vector<User> with_external_ref(Db& db, std::string_view reference) {
  static const std::string sql =
      fmt::format("SELECT {} FROM users WHERE external_ref = ? AND external_ref <> '' LIMIT 2", select_user);
  return collect<User>(db.prepare(sql, reference), user_of);
}

void insert(Db& db, const User& u) {
  const std::string folded = fold_user_id(u.user_id);
  const std::string companies = join_list(u.authorised_companies);
  const std::string roles = join_list(u.roles);
  db.run(
      "INSERT INTO users (key, user_id, user_id_folded, name, given_name, family_name, login_email, "
      "login_email_canonical, "
      "login_email_domain, company, department, locale, alias, signature, card_id, external_ref, authorised_companies, "
      "roles, enabled, "
      "connection, source, created_at, updated_at, search_text) VALUES "
      "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      u.key, u.user_id, folded, u.name, u.given_name, u.family_name, u.login_email, u.login_email_canonical,
      u.login_email_domain, u.company, u.department, u.locale, u.alias, u.signature, u.card_id, u.external_ref,
      companies, roles, u.enabled, model::to_text(u.connection), u.source, u.created_at, u.updated_at, search_text(u));
}

void update(Db& db, const User& u) {
  const std::string companies = join_list(u.authorised_companies);
  const std::string roles = join_list(u.roles);
  db.run_one(
      "UPDATE users SET name=?2, given_name=?3, family_name=?4, login_email=?5, login_email_canonical=?6, "
      "login_email_domain=?7, "
      "company=?8, department=?9, locale=?10, alias=?11, signature=?12, card_id=?13, external_ref=?14, "
      "authorised_companies=?15, "
      "roles=?16, enabled=?17, connection=?18, source=?19, updated_at=?20, search_text=?21 WHERE key=?1",
      u.key, u.name, u.given_name, u.family_name, u.login_email, u.login_email_canonical, u.login_email_domain,
      u.company, u.department, u.locale, u.alias, u.signature, u.card_id, u.external_ref, companies, roles, u.enabled,
      model::to_text(u.connection), u.source, u.updated_at, search_text(u));
}

void set_connection(Db& db, const Id& key, model::Connection connection) {
  db.run_one("UPDATE users SET connection = ?2 WHERE key = ?1", key, model::to_text(connection));
}

void set_leaving(Db& db, const Id& key, const std::optional<model::CivilDue>& due) {
  std::optional<std::int32_t> on;
  std::optional<std::string> zone;
  if (due) {
    on = model::date_key(due->date);
    zone = due->zone;
  }
  db.run(
      "UPDATE users SET leaves_on = ?2, leaves_zone = ?3 WHERE key = ?1 AND (leaves_on IS NOT ?2 OR leaves_zone IS NOT "
      "?3)",
      key, on, zone);
}

std::int64_t count(Db& db) {
  return db.integer("SELECT count(*) FROM users").value_or(0);
}

std::vector<User> page(Db& db, const model::UserFilter& f, const std::optional<Id>& after, std::size_t limit,
                       const std::optional<Id>& last) {
  // A page is a walk in key order over an index that holds what the filter asks for; left to itself SQLite would look
  // into each row.
  const std::string_view index_by = !f.search.empty() ? " INDEXED BY users_by_search"
                                    : f.empty()       ? ""
                                                      : " INDEXED BY users_by_filter";
  std::string sql = fmt::format("SELECT {} FROM users u{} WHERE u.key > ?1", select_user, index_by);
  std::vector<std::string> texts;
  std::vector<std::pair<int, std::int64_t>> integers;
  int index = 1;  // ?1 is `after`
  const auto text = [&](std::string_view condition, std::string value) {
    sql += fmt::format(fmt::runtime(condition), ++index);
    texts.push_back(std::move(value));
    integers.emplace_back(-1, 0);
  };
  const auto number = [&](std::string_view condition, std::int64_t value) {
    sql += fmt::format(fmt::runtime(condition), ++index);
    texts.emplace_back();
    integers.emplace_back(index, value);
  };
  if (f.company) text(" AND u.company = ?{}", *f.company);
  if (f.department) text(" AND u.department = ?{}", *f.department);
  if (f.authorised_company)
    text(" AND u.authorised_companies LIKE ?{} ESCAPE '\\'", "%," + like_escaped(*f.authorised_company) + ",%");
  if (f.role) text(" AND u.roles LIKE ?{} ESCAPE '\\'", "%," + like_escaped(*f.role) + ",%");
  if (f.enabled) number(" AND u.enabled = ?{}", *f.enabled ? 1 : 0);
  if (f.connection) text(" AND u.connection = ?{}", std::string(model::to_text(*f.connection)));
  if (f.login_email_saved)
    sql += *f.login_email_saved ? " AND u.login_email_domain <> ''" : " AND u.login_email_domain = ''";
  if (f.start_before) number(" AND u.start_date < ?{}", model::date_key(*f.start_before));
  if (f.start_after) number(" AND u.start_date > ?{}", model::date_key(*f.start_after));
  if (f.review) text(" AND u.review = ?{}", std::string(model::to_text(*f.review)));
  if (f.invitation) text(" AND u.newest_invitation = ?{}", std::string(model::to_text(*f.invitation)));
  if (!f.search.empty()) {
    // What folds to nothing is in nobody, not in everybody.
    const std::string folded = fold_user_id(f.search);
    if (folded.empty())
      sql += " AND 0";
    else
      text(" AND u.search_text LIKE ?{} ESCAPE '\\'", "%" + like_escaped(folded) + "%");
  }
  if (last) sql += fmt::format(" AND u.key <= ?{}", ++index);
  sql += fmt::format(" ORDER BY u.key LIMIT {}", limit);

  auto& q = db.prepare_built(sql);
  Db::bind(q, 1, after.value_or(Id{}));
  if (last) Db::bind(q, index, last);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (integers[i].first > 0) {
      q.bind(integers[i].first, integers[i].second);
    } else {
      q.bind(static_cast<int>(i) + 2, texts[i]);
    }
  }
  return collect<User>(q, user_of);
}

std::optional<Id> key_ahead(Db& db, const std::optional<Id>& after, std::size_t rows) {
  auto& q = db.prepare("SELECT key FROM users WHERE key > ?1 ORDER BY key LIMIT 1 OFFSET ?2", after.value_or(Id{}),
                       static_cast<std::int64_t>(rows - 1));
  return one<Id>(q, [](SQLite::Statement& row) { return id_at(row, 0); });
}

std::vector<std::string> unconnected_domains(Db& db, std::string_view after, std::size_t limit) {
  // From each name to the next one in the index: as many steps as there are names, however many users have them.
  return collect<std::string>(
      db.prepare("WITH RECURSIVE names (name) AS ("
                 "SELECT min(login_email_domain) FROM users INDEXED BY users_unconnected_by_domain "
                 "WHERE connection <> 'connected' AND login_email_domain <> '' AND login_email_domain > ?1 UNION ALL "
                 "SELECT (SELECT min(login_email_domain) FROM users INDEXED BY users_unconnected_by_domain WHERE "
                 "connection <> 'connected' AND login_email_domain <> '' AND login_email_domain > names.name) "
                 "FROM names WHERE names.name IS NOT NULL) "
                 "SELECT name FROM names WHERE name IS NOT NULL LIMIT ?2",
                 after, static_cast<std::int64_t>(limit)),
      [](SQLite::Statement& q) { return text_at(q, 0); });
}

std::vector<Id> unconnected_in_domain(Db& db, std::string_view domain, const std::optional<Id>& after,
                                      std::size_t limit) {
  return collect<Id>(
      db.prepare("SELECT key FROM users INDEXED BY users_unconnected_by_domain WHERE connection <> 'connected' AND "
                 "login_email_domain <> '' AND login_email_domain = ?1 AND key > ?2 ORDER BY key LIMIT ?3",
                 domain, after.value_or(Id{}), static_cast<std::int64_t>(limit)),
      [](SQLite::Statement& q) { return id_at(q, 0); });
}

}  // namespace users

namespace employments {

Current current(Db& db, const Id& user) {
  static const std::string sql = fmt::format("SELECT {} FROM employments WHERE user = ?", select_employment);
  auto all = collect<Employment>(db.prepare(sql, user), employment_of);
  std::ranges::sort(all, more_in_force);
  Current found;
  if (all.empty()) return found;
  found.in_force = std::move(all.front());
  // What is neither withdrawn nor over stands first, the earliest start before the later ones.
  const auto next = std::find_if(all.begin() + 1, all.end(), [&](const Employment& e) {
    return !e.withdrawn && !e.over && e.start_date > found.in_force->start_date;
  });
  if (next != all.end()) found.following = std::move(*next);
  return found;
}

std::optional<Employment> in_force(Db& db, const Id& user) {
  return current(db, user).in_force;
}

std::optional<Employment> get(Db& db, const Id& key) {
  static const std::string sql = fmt::format("SELECT {} FROM employments WHERE key = ?", select_employment);
  return one<Employment>(db.prepare(sql, key), employment_of);
}

std::vector<Employment> open_hires(Db& db, const std::optional<Id>& after, std::size_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments INDEXED BY employments_open_hires WHERE hire_open = 1 AND withdrawn = 0 AND "
      "key > ?1 ORDER BY key LIMIT ?2",
      select_employment);
  return collect<Employment>(db.prepare(sql, after.value_or(Id{}), static_cast<std::int64_t>(limit)), employment_of);
}

std::optional<Employment> starting_on(Db& db, const Id& user, model::CivilDate start) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments WHERE user = ?1 AND start_date = ?2 AND withdrawn = 0 LIMIT 1", select_employment);
  return one<Employment>(db.prepare(sql, user, model::date_key(start)), employment_of);
}

std::optional<Employment> latest(Db& db, const Id& user) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments WHERE user = ? ORDER BY withdrawn, start_date DESC LIMIT 1", select_employment);
  return one<Employment>(db.prepare(sql, user), employment_of);
}

namespace {
// The ends that the index lists, and whether another employment follows, whose turn has not come yet.
constexpr std::string_view listed = "withdrawn = 0 AND over = 0 AND end_date IS NOT NULL";
constexpr std::string_view followed =
    "EXISTS (SELECT 1 FROM employments n WHERE n.user = e.user AND n.withdrawn = 0 AND n.over = 0 AND "
    "n.start_date > e.start_date)";
}  // namespace

Ended to_end(Db& db, model::CivilDate before, const std::optional<EndPlace>& behind, std::size_t rows) {
  static const std::string sql = fmt::format(
      "SELECT end_date, key, user, {} FROM employments e INDEXED BY employments_to_end WHERE {} AND end_date "
      "< ?1 AND (end_date, key) > (?2, ?3) ORDER BY end_date, key LIMIT ?4",
      followed, listed);
  Ended found;
  std::size_t read = 0;
  auto& q = db.prepare(sql, model::date_key(before), behind ? behind->end_date : 0, behind ? behind->key : Id{},
                       static_cast<std::int64_t>(rows));
  while (q.executeStep()) {
    ++read;
    found.last = EndPlace{q.getColumn(0).getInt(), id_at(q, 1)};
    if (q.getColumn(3).getInt() != 0) found.users.push_back(id_at(q, 2));
  }
  q.reset();
  if (read < rows) found.last.reset();
  return found;
}

std::vector<Employment> ending(Db& db, model::CivilDate from, model::CivilDate to) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments e INDEXED BY employments_to_end WHERE {} AND {} AND end_date BETWEEN ?1 AND "
      "?2",
      select_employment, listed, followed);
  return collect<Employment>(db.prepare(sql, model::date_key(from), model::date_key(to)), employment_of);
}

std::vector<Employment> in_gap(Db& db, const std::optional<Id>& after, std::size_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments INDEXED BY employments_in_gap WHERE gap = 'waits' AND key > ?1 ORDER BY key LIMIT ?2",
      select_employment);
  return collect<Employment>(db.prepare(sql, after.value_or(Id{}), static_cast<std::int64_t>(limit)), employment_of);
}

std::optional<Employment> newest(Db& db, const Id& user) {
  static const std::string sql =
      fmt::format("SELECT {} FROM employments WHERE user = ? ORDER BY key DESC LIMIT 1", select_employment);
  return one<Employment>(db.prepare(sql, user), employment_of);
}

std::vector<Employment> in_review(Db& db, const std::optional<Id>& after, std::size_t limit) {
  static const std::string sql = fmt::format(
      "SELECT {} FROM employments INDEXED BY employments_in_review WHERE review = 'pending' AND withdrawn = 0 AND key "
      "> "
      "?1 ORDER BY key LIMIT ?2",
      select_employment);
  return collect<Employment>(db.prepare(sql, after.value_or(Id{}), static_cast<std::int64_t>(limit)), employment_of);
}

namespace {
// What lists filter by stands beside the user.
void note_in_force(Db& db, const Id& user) {
  static const std::string sql = fmt::format(
      "UPDATE users SET (start_date, review) = (SELECT start_date, review FROM employments WHERE user = ?1 ORDER BY {} "
      "LIMIT 1) WHERE key = ?1",
      order_in_force);
  db.run(sql, user);
}
}  // namespace

void insert(Db& db, const Employment& e) {
  db.run(
      "INSERT INTO employments (key, user, start_date, end_date, employment_template, review, review_actor, "
      "review_reason, reviewed_at, "
      "withdrawn, hire_open, created_at, flow, entered_by, gap, over) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
      e.key, e.user, model::date_key(e.start_date), key_of(e.end_date), e.employment_template, model::to_text(e.review),
      e.review_actor, e.review_reason, e.reviewed_at, e.withdrawn, e.hire_open, e.created_at, e.flow, e.entered_by,
      model::to_text(e.gap), e.over);
  note_in_force(db, e.user);
}

void update(Db& db, const Employment& e) {
  db.run_one(
      "UPDATE employments SET start_date=?2, end_date=?3, employment_template=?4, review=?5, review_actor=?6, "
      "review_reason=?7, "
      "reviewed_at=?8, withdrawn=?9, hire_open=?10, flow=?11, entered_by=?12, gap=?13, over=?14 WHERE key=?1",
      e.key, model::date_key(e.start_date), key_of(e.end_date), e.employment_template, model::to_text(e.review),
      e.review_actor, e.review_reason, e.reviewed_at, e.withdrawn, e.hire_open, e.flow, e.entered_by,
      model::to_text(e.gap), e.over);
  note_in_force(db, e.user);
}

void close_hire(Db& db, const Id& user) {
  db.run("UPDATE employments SET hire_open = 0 WHERE user = ? AND hire_open = 1", user);
}

std::vector<model::StepApproval> approvals(Db& db, const Id& employment) {
  auto& q =
      db.prepare("SELECT step, actor, at FROM review_approvals WHERE employment = ? ORDER BY at, step", employment);
  return collect<model::StepApproval>(q, [](SQLite::Statement& row) {
    return model::StepApproval{text_at(row, 0), text_at(row, 1), instant_at(row, 2)};
  });
}

void approve(Db& db, const Id& employment, const model::StepApproval& approval) {
  db.run("INSERT INTO review_approvals (employment, step, actor, at) VALUES (?,?,?,?)", employment, approval.step,
         approval.actor, approval.at);
}

std::size_t take_back_approvals(Db& db, const Id& employment) {
  const auto count = db.integer("SELECT count(*) FROM review_approvals WHERE employment = ?", employment).value_or(0);
  if (count > 0) db.run("DELETE FROM review_approvals WHERE employment = ?", employment);
  return static_cast<std::size_t>(count);
}

std::vector<Id> users_with_end(Db& db, const std::optional<Id>& after, std::size_t limit) {
  auto& q = db.prepare(
      "SELECT DISTINCT user FROM employments WHERE end_date IS NOT NULL AND withdrawn = 0 AND user > ?1 ORDER BY user "
      "LIMIT ?2",
      after.value_or(Id{}), static_cast<std::int64_t>(limit));
  return collect<Id>(q, [](SQLite::Statement& row) { return id_at(row, 0); });
}

}  // namespace employments

}  // namespace invited::store
