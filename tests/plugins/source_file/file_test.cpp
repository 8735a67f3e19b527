// The source "file" through its C table, on real folders with a clock that only the test moves.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sdk/fake_host.hpp"
#include "source_file.hpp"
#include "support/temp_folder.hpp"

namespace fs = std::filesystem;
using invited::file::FileSource;
using invited::test::TempFolder;
using Instance = fake::Instance<FileSource, invited_source>;

namespace {

using Names = std::vector<std::string>;

Names names(const fs::path& folder) {
  Names result;
  for (const auto& entry : fs::directory_iterator(folder)) result.push_back(entry.path().filename());
  std::sort(result.begin(), result.end());
  return result;
}
std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const fs::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary) << text;
}

constexpr std::string_view two_rows = "user_id,name\n14,A\n15,B\n";

struct Source {
  explicit Source(const fs::path& path, const std::string& more = "") {
    host.offer_all();
    host.now_ms = 1'796'025'600'000;  // 2026-11-30T08:00:00Z
    instance.emplace(host, R"({"path": )" + invited::json_quoted(path.string()) + more + "}");
    REQUIRE(instance->status() == INVITED_OK);
  }
  fake::Call& fetch(std::string_view cursor = "") {
    return host.operation(
        [&](invited_call* call) { instance->operations().fetch(instance->self(), call, invited::borrow(cursor)); });
  }
  // What the daemon does when everything is durable: each row was taken.
  fake::Call& finish(const fake::Call& fetched) {
    std::vector<invited_row_result> rows;
    for (const auto& row : fetched.rows) {
      invited_row_result raw{};
      raw.struct_size = sizeof raw;
      raw.code = INVITED_RESULT_CREATED;
      raw.line = row.line;
      raw.user_id = invited::borrow(row.fields.at("user_id"));
      rows.push_back(raw);
    }
    for (const auto& text : fetched.rejected) {
      invited_row_result raw{};
      raw.struct_size = sizeof raw;
      raw.code = INVITED_RESULT_REJECTED;
      raw.message = invited::borrow(text);
      rows.push_back(raw);
    }
    return report(fetched.cursor, rows);
  }
  fake::Call& report(std::string_view cursor, const std::vector<invited_row_result>& rows) {
    std::vector<const invited_row_result*> list;
    for (const auto& row : rows) list.push_back(&row);
    return host.operation([&](invited_call* call) {
      invited_report raw{};
      raw.struct_size = sizeof raw;
      raw.cursor = invited::borrow(cursor);
      raw.results = list.data();
      raw.result_count = list.size();
      instance->operations().finish(instance->self(), call, &raw);
    });
  }
  fake::Call& import(std::string_view bytes, std::string_view format = "csv", std::string_view name = "people.csv") {
    return host.operation([&](invited_call* call) {
      invited_request request{};
      request.struct_size = sizeof request;
      request.kind = INVITED_REQUEST_IMPORT;
      request.body = invited::borrow(bytes);
      request.format = invited::borrow(format);
      request.file_name = invited::borrow(name);
      instance->operations().handle(instance->self(), call, &request);
    });
  }
  // A look that finds nothing ready, and another one after the file stood still.
  fake::Call& fetch_when_still() {
    const auto& first = fetch();
    CHECK(first.rows.empty());
    CHECK_FALSE(first.settle);
    host.now_ms += 2'000;
    return fetch();
  }

  fake::Host host;
  std::optional<Instance> instance;
};

// Puts a whole file in, as a careful exporter does. The source has to have looked at the folder once before.
void drop(const fs::path& folder, const std::string& name, std::string_view text) {
  write(folder / ("." + name + ".part"), text);
  fs::rename(folder / ("." + name + ".part"), folder / name);
}

}  // namespace

TEST_CASE("file: a file that arrives by rename is read at once, and ends in done with its results beside it") {
  const TempFolder folder;
  Source source(folder.path());
  CHECK(source.fetch("before").cursor == "before");
  drop(folder.path(), "people.csv", two_rows);
  const auto& call = source.fetch("before");
  REQUIRE(call.status == INVITED_OK);
  REQUIRE(call.rows.size() == 2);
  CHECK(call.rows[0].line == 2);
  CHECK(call.rows[1].fields == std::map<std::string, std::string>{{"user_id", "15"}, {"name", "B"}});
  CHECK(call.settle);
  CHECK_FALSE(call.more);
  CHECK_FALSE(call.soon);
  CHECK(call.cursor.starts_with("people.csv:"));
  CHECK(call.cursor.size() == std::string("people.csv:").size() + 32);
  CHECK(fs::exists(folder / "people.csv"));  // until it is durable

  CHECK(source.finish(call).status == INVITED_OK);
  CHECK(names(folder.path()) == Names{"done", "failed"});
  CHECK(names(folder / "done") == Names{"people.csv", "people.csv.result.csv"});
  CHECK(content(folder / "done/people.csv.result.csv") ==
        "line,user_id,result,column,message\r\n2,14,created,,\r\n3,15,created,,\r\n");
  CHECK(content(folder / "done/people.csv") == two_rows);
  struct stat kind{};
  REQUIRE(::stat((folder / "done").c_str(), &kind) == 0);
  CHECK((kind.st_mode & 07777) == 0700);
  CHECK(source.fetch(call.cursor).cursor == call.cursor);
}

TEST_CASE("file: a file that is written in place is read after it stood still for two seconds") {
  const TempFolder folder;
  Source source(folder.path());
  write(folder / "people.csv", two_rows);
  CHECK(source.fetch().rows.empty());
  source.host.now_ms += 1'999;
  const auto& early = source.fetch();
  CHECK(early.rows.empty());
  CHECK(early.soon);                           // the daemon shall not think that it has seen everything
  CHECK_FALSE(source.host.scheduled.empty());  // it asks to be woken for the next look
  source.host.now_ms += 1;
  const auto& call = source.fetch();
  CHECK(call.rows.size() == 2);
  CHECK_FALSE(call.soon);
}

TEST_CASE("file: a file that came while the daemon was down is read at the first look") {
  Source source(INVITED_OLD_FOLDER);
  CHECK(source.fetch().rows.size() == 2);
}

TEST_CASE("file: a writer that pauses is waited for, however long its pause") {
  const TempFolder folder;
  Source source(folder.path());
  const int fd = ::open((folder / "people.csv").c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(fd >= 0);
  // At each byte of the file.
  for (std::size_t i = 0; i < two_rows.size(); ++i) {
    REQUIRE(::write(fd, two_rows.data() + i, 1) == 1);
    CHECK(source.fetch().rows.empty());
    source.host.now_ms += 10'000;
    CHECK(source.fetch().rows.empty());
    source.host.now_ms += 10'000;
    CHECK(source.fetch().rows.empty());
  }
  CHECK_FALSE(source.host.logged("another process has it open"));
  source.host.now_ms += 60'000;
  CHECK(source.fetch().rows.empty());
  CHECK(source.host.logged("another process has it open for writing"));
  ::close(fd);
  CHECK(source.fetch().rows.size() == 2);
}

TEST_CASE("file: a file that grows between two looks begins to stand still anew") {
  const TempFolder folder;
  Source source(folder.path());
  write(folder / "people.csv", "user_id,name\n14,A\n");
  CHECK(source.fetch().rows.empty());
  source.host.now_ms += 1'500;
  std::ofstream(folder / "people.csv", std::ios::app) << "15,B\n";
  CHECK(source.fetch().rows.empty());
  source.host.now_ms += 1'500;
  CHECK(source.fetch().rows.empty());
  source.host.now_ms += 500;
  CHECK(source.fetch().rows.size() == 2);
}

TEST_CASE("file: the oldest file goes first, one at a time") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  const auto now = fs::file_time_type::clock::now();
  for (const auto& [name, age] : {std::pair{"a.csv", 1}, {"b.TXT", 3}, {"c.tsv", 2}}) {
    write(folder / (std::string(".") + name), "user_id\n" + std::string(name) + "\n");
    fs::last_write_time(folder / (std::string(".") + name), now - std::chrono::hours(age));
    fs::rename(folder / (std::string(".") + name), folder / name);
  }
  Names order;
  bool more = true;
  while (more) {
    const auto& call = source.fetch();
    REQUIRE(call.rows.size() == 1);
    order.push_back(call.rows[0].fields.at("user_id"));
    more = call.more;
    source.finish(call);
  }
  CHECK(order == Names{"b.TXT", "c.tsv", "a.csv"});
  CHECK(names(folder / "done").size() == 6);
}

TEST_CASE("file: hidden files, other endings and folders are none of its business") {
  const TempFolder folder;
  write(folder / ".people.csv", two_rows);
  write(folder / "people.pdf", "PK");
  write(folder / "csv", two_rows);
  write(folder / ".csv", two_rows);
  fs::create_directory(folder / "folder.csv");
  Source source(folder.path());
  CHECK(source.fetch_when_still().rows.empty());
  CHECK(source.host.lines.empty());
}

TEST_CASE("file: links, FIFOs and files of strangers are left where they are and said once") {
  const TempFolder folder;
  const TempFolder elsewhere;
  write(elsewhere / "secret.csv", two_rows);
  fs::create_symlink(elsewhere / "secret.csv", folder / "soft.csv");
  fs::create_hard_link(elsewhere / "secret.csv", folder / "hard.csv");
  REQUIRE(::mkfifo((folder / "pipe.csv").c_str(), 0600) == 0);
  const bool root = ::geteuid() == 0;
  if (root) {
    write(folder / "stranger.csv", two_rows);
    REQUIRE(::chown((folder / "stranger.csv").c_str(), 4242, 4242) == 0);
  }
  Source source(folder.path());
  CHECK(source.fetch_when_still().rows.empty());
  source.fetch();
  CHECK(source.host.logged("it is a link; put the file itself here file=soft.csv"));
  CHECK(source.host.logged("it has a second name (a hard link) somewhere; copy it instead file=hard.csv"));
  CHECK(source.host.logged("it is no regular file file=pipe.csv"));
  if (root)
    CHECK(source.host.logged(
        "it belongs to uid 4242, which is neither the folder's owner nor invited nor root file=stranger.csv"));
  CHECK(source.host.lines.size() == (root ? 4 : 3));
  CHECK(names(folder / "done").empty());
  CHECK(names(folder / "failed").empty());
}

TEST_CASE("file: a spreadsheet is left where it is, and it is said once what to do") {
  const TempFolder folder;
  write(folder / "people.XLSX", "PK");
  write(folder / "notes.md", "x");
  Source source(folder.path());
  CHECK(source.fetch_when_still().rows.empty());
  source.fetch();
  CHECK(source.host.logged("it is a spreadsheet; save it as CSV and put that here file=people.XLSX"));
  CHECK(source.host.lines.size() == 1);
  CHECK(fs::exists(folder / "people.XLSX"));
}

TEST_CASE("file: a link that takes a file's place between two system calls is not followed") {
  const TempFolder folder;
  const TempFolder elsewhere;
  write(elsewhere / "secret.csv", "user_id\nsecret\n");
  Source source(folder.path());
  source.fetch();
  write(folder / "people.csv", "user_id\nhonest\n");
  fs::create_symlink(elsewhere / "secret.csv", folder / ".link");
  std::atomic<bool> over = false;
  std::thread swapper([&] {
    const std::string file = folder / "people.csv";
    const std::string link = folder / ".link";
    while (!over) ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
  });
  std::size_t secret = 0;
  for (int i = 0; i < 20'000; ++i) {
    for (const auto& row : source.fetch().rows) secret += row.fields.at("user_id") == "secret" ? 1 : 0;
    source.host.now_ms += 2'000;
  }
  over = true;
  swapper.join();
  CHECK(secret == 0);
}

TEST_CASE("file: a file that cannot be read as a whole goes to failed with the reason, and no row of it counts") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), "people.csv", "user_id,nmae\n14,A\n");
  const auto& call = source.fetch();
  CHECK(call.status == INVITED_OK);
  CHECK(call.rows.empty());
  CHECK(call.rejected ==
        std::vector<std::string>{
            "1/2/unknown_column/line 1, column 2: \"nmae\" is no field of a user; did you mean \"name\"?"});
  CHECK(call.settle);
  CHECK(source.host.logged("a file cannot be read: line 1, column 2: \"nmae\""));
  CHECK(source.finish(call).status == INVITED_OK);
  CHECK(names(folder / "failed") == Names{"people.csv", "people.csv.result.csv"});
  CHECK(content(folder / "failed/people.csv.result.csv").find("did you mean \"\"name\"\"?") != std::string::npos);
  CHECK(names(folder / "done").empty());
}

TEST_CASE("file: a NUL in the last row stops the whole file before its first row") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  std::string text = "user_id\n";
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i) + "\n";
  text += std::string("x\0\n", 3);
  drop(folder.path(), "people.csv", text);
  const auto& call = source.fetch();
  CHECK(call.rows.empty());
  REQUIRE(call.rejected.size() == 1);
  CHECK(call.rejected[0].starts_with("100002//nul/line 100002: there is a NUL byte"));
}

TEST_CASE("file: a name too long for the result beside it stops no other file") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), std::string(240, 'a') + ".csv", "user_id\n14\n");
  drop(folder.path(), "people.csv", "user_id\n15\n");
  const auto& call = source.fetch();
  REQUIRE(call.rows.size() == 1);
  CHECK(source.finish(call).status == INVITED_OK);
  CHECK(source.fetch().rows.empty());
}

TEST_CASE("file: a file of more rows than are taken at once is refused without being read") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  std::string text = "user_id\n";
  for (int i = 0; i <= 500'000; ++i) text += "x\n";
  drop(folder.path(), "people.csv", text);
  const auto& call = source.fetch();
  CHECK(call.rows.empty());
  REQUIRE(call.rejected.size() == 1);
  CHECK(call.rejected[0] == "0//too_many_rows/the file has 500001 rows; at most 500000 are taken at once: split it");
}

TEST_CASE("file: a file over the limit is refused without being read") {
  const TempFolder folder;
  Source source(folder.path(), R"(, "max_mib": 1)");
  source.fetch();
  drop(folder.path(), "people.csv", "user_id\n" + std::string((1 << 20) - 7, '\n'));
  const auto& call = source.fetch();
  REQUIRE(call.rejected.size() == 1);
  CHECK(call.rejected[0] == "0//too_large/the file has 1048577 bytes; at most 1048576 are taken (max_mib)");
  drop(folder.path(), "fits.csv", "user_id\n14" + std::string((1 << 20) - 10, '\n'));
  CHECK(source.finish(call).status == INVITED_OK);
  CHECK(source.fetch().rows.size() == 1);
}

TEST_CASE("file: a file that invited may not read goes to failed") {
  if (::geteuid() == 0) return;  // who may read everything
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  write(folder / ".people.csv", two_rows);
  fs::permissions(folder / ".people.csv", fs::perms::none);
  fs::rename(folder / ".people.csv", folder / "people.csv");
  const auto& call = source.fetch();
  REQUIRE(call.rejected.size() == 1);
  CHECK(call.rejected[0] == "0//unreadable/invited may not read the file: check its owner and mode");
}

TEST_CASE("file: a crash before the end reads the file again, and a result without its file is written anew") {
  const TempFolder folder;
  {
    Source source(folder.path());
    source.fetch();
    drop(folder.path(), "people.csv", two_rows);
    CHECK(source.fetch().rows.size() == 2);
  }
  // Killed between the result and the move.
  write(folder / "done/people.csv.result.csv", "older");
  Source source(folder.path());
  const auto& again = source.fetch_when_still();
  CHECK(again.rows.size() == 2);
  CHECK(source.finish(again).status == INVITED_OK);
  CHECK(names(folder / "done") == Names{"people.csv", "people.csv.result.csv"});
  CHECK(content(folder / "done/people.csv.result.csv").starts_with("line,user_id"));
}

TEST_CASE("file: a finish that belongs to no file in hand changes nothing") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), "people.csv", two_rows);
  CHECK(source.report("people.csv:0123", {}).status == INVITED_OK);
  CHECK(fs::exists(folder / "people.csv"));
}

TEST_CASE("file: a name that is taken gets the time, and then a number") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  for (int i = 0; i < 3; ++i) {
    drop(folder.path(), "people.csv", two_rows);
    source.finish(source.fetch());
  }
  CHECK(names(folder / "done") == Names{"people-20261130T080000Z-2.csv", "people-20261130T080000Z-2.csv.result.csv",
                                        "people-20261130T080000Z.csv", "people-20261130T080000Z.csv.result.csv",
                                        "people.csv", "people.csv.result.csv"});
}

TEST_CASE("file: a file that is replaced, extended or deleted after it was read is not taken for the one that was") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), "people.csv", two_rows);
  const auto& call = source.fetch();
  SECTION("replaced") {
    drop(folder.path(), "people.csv", "user_id\n99\n");
  }
  SECTION("extended") {
    std::ofstream(folder / "people.csv", std::ios::app) << "99,C\n";
  }
  SECTION("deleted") {
    fs::remove(folder / "people.csv");
  }
  const bool there = fs::exists(folder / "people.csv");
  CHECK(source.finish(call).status == INVITED_OK);
  CHECK(source.host.logged("a file was changed or taken away after it was read"));
  CHECK(names(folder / "done").empty());
  CHECK(fs::exists(folder / "people.csv") == there);
  if (there) {
    source.fetch();
    source.host.now_ms += 2'000;
    CHECK(source.fetch().rows.back().fields.at("user_id") == "99");
  }
}

TEST_CASE("file: a folder that is not there or not writable is retried with a sentence, and works once it is") {
  const TempFolder folder;
  Source source(folder / "import");
  const auto& missing = source.fetch();
  CHECK(missing.status == INVITED_RETRY);
  CHECK(missing.field == "/path");
  CHECK(missing.message ==
        "cannot open the folder " + (folder / "import").string() + " to read files from: No such file or directory");
  CHECK_FALSE(source.host.scheduled.empty());
  write(folder / "import", "");
  CHECK(source.fetch().message ==
        "cannot open the folder " + (folder / "import").string() + " to read files from: Not a directory");
  fs::remove(folder / "import");
  fs::create_directory(folder / "import");
  CHECK(source.fetch().status == INVITED_OK);
  drop(folder / "import", "people.csv", two_rows);
  CHECK(source.fetch().rows.size() == 2);
  // The folder is exchanged for another one: it is that one which is watched.
  fs::rename(folder / "import", folder / "old");
  fs::create_directory(folder / "import");
  CHECK(source.fetch().rows.empty());
  drop(folder / "import", "people.csv", two_rows);
  CHECK(source.fetch().rows.size() == 2);
}

TEST_CASE("file: done that is a link is not written through") {
  const TempFolder folder;
  const TempFolder elsewhere;
  fs::create_symlink(elsewhere.path(), folder / "done");
  Source source(folder.path());
  const auto& call = source.fetch();
  CHECK(call.status == INVITED_RETRY);
  CHECK(call.message.starts_with("cannot open the folder " + (folder / "done").string() + ": "));
}

TEST_CASE("file: a full disk at the end moves nothing, and the next time it ends well") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), "people.csv", two_rows);
  const auto& call = source.fetch();
  struct rlimit unlimited{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = unlimited;
  small.rlim_cur = 10;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto& full = source.finish(call);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  ::signal(SIGXFSZ, old);
  CHECK(full.status == INVITED_RETRY);
  CHECK(fs::exists(folder / "people.csv"));
  const auto& again = source.fetch();
  CHECK(again.rows.size() == 2);
  CHECK(source.finish(again).status == INVITED_OK);
  CHECK(names(folder / "done") == Names{"people.csv", "people.csv.result.csv"});
}

TEST_CASE("file: a daemon that wants to stop gets its call back as cancelled, and the file is read again") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  drop(folder.path(), "people.csv", two_rows);
  source.host.stop_after_rows = 1;
  CHECK(source.fetch().status == INVITED_CANCELLED);
  source.host.stop_after_rows = -1;
  CHECK(source.fetch().rows.size() == 2);
}

TEST_CASE("file: a dropped file is announced by itself") {
  const TempFolder place;
  fake::Host host;
  host.offer_all();
  std::atomic<int> announced = 0;
  invited::file::Folder folder(place.path(), invited::Host(host.raw()), [&] { ++announced; });
  CHECK_FALSE(folder.look().file);
  write(place / "people.xlsx", two_rows);
  drop(place.path(), "people.csv", two_rows);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (announced == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  CHECK(announced == 1);
  CHECK(folder.look().file);
}

TEST_CASE("file: without a path there is nothing to fetch, but imports are taken") {
  fake::Host host;
  host.offer_all();
  Instance source(host);
  REQUIRE(source.status() == INVITED_OK);
  const auto& call =
      host.operation([&](invited_call* raw) { source.operations().fetch(source.self(), raw, invited::borrow("")); });
  CHECK(call.status == INVITED_OK);
  CHECK(call.cursor.empty());
  CHECK_FALSE(call.settle);
}

TEST_CASE("file: an import gives the same rows as a file in the folder") {
  const TempFolder folder;
  Source source(folder.path());
  const auto& call = source.import("user_id;name\r\n14;Åsa\r\n15\r\n16;C\r\n");
  CHECK(call.status == INVITED_OK);
  REQUIRE(call.rows.size() == 2);
  CHECK(call.rows[0].fields.at("name") == "Åsa");
  CHECK(call.rows[1].line == 4);
  CHECK(call.rejected ==
        std::vector<std::string>{"3//wrong_cell_count/the row has 1 cell where the first line names 2 columns"});
}

TEST_CASE("file: an import that cannot be read as a whole is rejected with file, line and column") {
  const TempFolder folder;
  Source source(folder.path(), R"(, "max_mib": 1)");
  const auto& unknown = source.import("user_id,nmae\n14,A\n");
  CHECK(unknown.status == INVITED_REJECTED);
  CHECK(unknown.message == "people.csv, line 1, column 2: \"nmae\" is no field of a user; did you mean \"name\"?");
  CHECK(unknown.rows.empty());
  CHECK(source.import("").message ==
        "people.csv: the file is empty: its first line has to name the columns, such as user_id,name,login_email");
  CHECK(source.import(std::string((1 << 20) + 1, 'x')).message ==
        "people.csv: the file has 1048577 bytes; at most 1048576 are taken (max_mib)");
  CHECK(source.import("user_id\n", "xlsx", "").message ==
        "the file: workbooks are not read yet; save the file as \"CSV UTF-8\"");
}

TEST_CASE("file: the table of results opens in a spreadsheet without running anything") {
  invited::Report report;
  report.results.push_back({invited::Outcome::ignored, 2, "=1+1", "invalid_email", "login_email", "no \"@\", sorry"});
  report.results.push_back({invited::Outcome::rejected, 0, "-5", "", "", "a\nb"});
  CHECK(invited::file::result_table(report) ==
        "line,user_id,result,column,message\r\n"
        "2,'=1+1,ignored: invalid_email,login_email,\"no \"\"@\"\", sorry\"\r\n"
        ",'-5,rejected,,\"a\nb\"\r\n");
}

TEST_CASE("file: 100,000 rows", "[.speed]") {
  const TempFolder folder;
  Source source(folder.path());
  source.fetch();
  std::string text = "user_id,name,login_email,company,department,roles,locale,start_date\n";
  for (int i = 0; i < 100'000; ++i) {
    const std::string n = std::to_string(i);
    text += n + ",\"Example, A. " + n + "\",a.example" + n +
            "@company.example,north,Sales,\"reader,writer\",sv,2026-12-01\n";
  }
  drop(folder.path(), "people.csv", text);
  struct Counting final : invited::file::Rows {
    std::size_t count = 0;
    bool row(std::int64_t, std::span<const invited::file::Cell>) override { return ++count > 0; }
    bool bad_row(std::int64_t, std::string_view, std::string_view, std::string_view) override { return false; }
  } rows;
  struct rusage before{};
  struct rusage after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto begin = std::chrono::steady_clock::now();
  invited::file::CsvReader reader(invited::file::Layout{}, rows);
  REQUIRE((reader.feed(text) && reader.finish()));
  const std::chrono::duration<double> parsed = std::chrono::steady_clock::now() - begin;
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(rows.count == 100'000);
  const auto& call = source.fetch();
  const std::chrono::duration<double> all = std::chrono::steady_clock::now() - begin;
  CHECK(call.rows.size() == 100'000);
  WARN(text.size() << " bytes: parsed in " << parsed.count() << " s with " << after.ru_maxrss - before.ru_maxrss
                   << " KiB more memory; fetched into a test's host in " << (all - parsed).count() << " s");
}
