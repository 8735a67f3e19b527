// The identity "directory" through its C table, and its register on a real disk.
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "identity_directory.hpp"
#include "sdk/fake_host.hpp"
#include "support/temp_folder.hpp"

namespace fs = std::filesystem;
using invited::test::TempFolder;
using namespace invited::directory;
using Instance = fake::Instance<Directory, invited_identity>;

namespace {

std::string config_for(const fs::path& file) {
  return R"({"path": )" + invited::json_quoted(file.string()) + R"(, "sign_in_url": "https://login.example"})";
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write(const fs::path& file, std::string_view text) {
  std::ofstream(file, std::ios::binary) << text;
}

// A directory with its host, and the four operations as a test wants to write them.
struct Provider {
  explicit Provider(fs::path file) : file_(std::move(file)) {
    host.offer_all();
    host.now_ms = 1'796'025'600'000;  // 2026-11-30T08:00:00Z
    instance.emplace(host, config_for(file_));
  }
  fake::Call& ensure(std::string_view id, std::string_view email, std::string_view name = "A. Example") {
    return host.operation([&](invited_call* call) {
      invited_account_request request{};
      request.struct_size = sizeof request;
      request.external_id = invited::borrow(id);
      request.login_email = invited::borrow(email);
      request.name = invited::borrow(name);
      instance->operations().ensure_account(instance->self(), call, &request);
    });
  }
  fake::Call& remove(std::string_view id) {
    return host.operation([&](invited_call* call) {
      instance->operations().remove_connection(instance->self(), call, invited::borrow(id));
    });
  }
  fake::Call& reset(std::string_view id) {
    return host.operation([&](invited_call* call) {
      instance->operations().reset_password(instance->self(), call, invited::borrow(id));
    });
  }
  fake::Call& lookup(std::string_view id) {
    return host.operation(
        [&](invited_call* call) { instance->operations().lookup(instance->self(), call, invited::borrow(id)); });
  }

  fake::Host host{INVITED_ROLE_IDENTITY};
  fs::path file_;
  std::optional<Instance> instance;
};

}  // namespace

TEST_CASE("directory: an account is made once and found again by its external id") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  const auto& made = provider.ensure("u1", "a@b.example");
  REQUIRE(made.status == INVITED_OK);
  REQUIRE(made.accounts.size() == 1);
  CHECK(made.accounts[0].created);
  CHECK(made.accounts[0].external_id == "u1");
  CHECK(made.accounts[0].sign_in_url == "https://login.example");
  const std::string provider_id = made.accounts[0].provider_id;
  CHECK(provider_id.starts_with("account-"));

  const std::string before = content(provider.file_);
  const auto& again = provider.ensure("u1", "a@b.example");
  REQUIRE(again.accounts.size() == 1);
  CHECK_FALSE(again.accounts[0].created);
  CHECK(again.accounts[0].provider_id == provider_id);
  CHECK(content(provider.file_) == before);  // a repeat writes nothing

  provider.host.now_ms += 60'000;
  CHECK(provider.ensure("u1", "new@b.example").accounts.at(0).login_email == "new@b.example");
  CHECK(provider.lookup("u1").accounts.at(0).provider_id == provider_id);
}

TEST_CASE("directory: a line says what an operator wants to read, and the file is for its owner only") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  provider.ensure("u1", "a@b.example", "Åsa \"Q\"");
  const std::string text = content(provider.file_);
  CHECK(text == R"({"external_id":"u1","login_email":"a@b.example","name":"Åsa \"Q\"","provider_id":")" +
                    provider.lookup("u1").accounts.at(0).provider_id + R"(","created_at":"2026-11-30T08:00:00Z"})" +
                    "\n");
  struct stat kind{};
  REQUIRE(::stat(provider.file_.c_str(), &kind) == 0);
  CHECK((kind.st_mode & 07777) == 0600);
}

TEST_CASE("directory: an address that belongs to someone else is refused, in any case of its letters") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  provider.ensure("u1", "a@b.example");
  const auto& refused = provider.ensure("u2", "A@B.example");
  CHECK(refused.status == INVITED_REJECTED);
  CHECK(refused.field == "login_email");
  CHECK(refused.message == "the address belongs to an account with another external id");
  CHECK(provider.lookup("u2").accounts.empty());
  // … until it is given up.
  provider.ensure("u1", "other@b.example");
  CHECK(provider.ensure("u2", "a@b.example").status == INVITED_OK);
}

TEST_CASE("directory: a removed connection is gone, and the next account is another one") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  const std::string first = provider.ensure("u1", "a@b.example").accounts.at(0).provider_id;
  CHECK(provider.remove("u1").status == INVITED_OK);
  CHECK(provider.remove("u1").status == INVITED_OK);
  CHECK(provider.remove("nobody").status == INVITED_OK);
  const auto& none = provider.lookup("u1");
  CHECK(none.status == INVITED_OK);
  CHECK(none.accounts.empty());
  provider.host.now_ms += 1'000;
  const auto& again = provider.ensure("u1", "a@b.example");
  CHECK(again.accounts.at(0).created);
  CHECK(again.accounts.at(0).provider_id != first);
}

TEST_CASE("directory: a password reset is written down with its time; without an account it is rejected") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  provider.ensure("u1", "a@b.example");
  provider.host.now_ms += 3'600'000;
  CHECK(provider.reset("u1").status == INVITED_OK);
  CHECK(content(provider.file_).find(R"("password_reset_at":"2026-11-30T09:00:00Z")") != std::string::npos);
  const auto& none = provider.reset("u2");
  CHECK(none.status == INVITED_REJECTED);
  CHECK(none.message == "the directory has no account for this user");
}

TEST_CASE("directory: what was confirmed is there after a restart") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  std::string id;
  {
    Provider provider(file);
    id = provider.ensure("u1", "a@b.example").accounts.at(0).provider_id;
    provider.ensure("u2", "c@b.example");
    provider.remove("u2");
  }
  Provider provider(file);
  CHECK(provider.lookup("u1").accounts.at(0).provider_id == id);
  CHECK(provider.lookup("u2").accounts.empty());
}

TEST_CASE("directory: a last line that was cut off at any byte is taken away, and the register goes on") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  {
    Provider provider(file);
    provider.ensure("u1", "a@b.example");
    provider.ensure("u2", "c@b.example");
  }
  const std::string whole = content(file);
  const std::size_t second = whole.find('\n') + 1;
  for (std::size_t cut = second; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    write(file, whole.substr(0, cut));
    Provider provider(file);
    REQUIRE(provider.instance->status() == INVITED_OK);
    CHECK(provider.lookup("u1").accounts.size() == 1);
    // Only the line that lacks nothing but its end is whole.
    CHECK(provider.lookup("u2").accounts.size() == (cut + 1 == whole.size() ? 1 : 0));
    CHECK(provider.ensure("u2", "c@b.example").status == INVITED_OK);
    CHECK(content(file).size() == whole.size());
    CHECK(content(file).ends_with("}\n"));
  }
}

TEST_CASE("directory: a damaged line in the middle names its place and is left for a person") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  const std::string good = R"({"external_id":"u1","login_email":"a@b.example","provider_id":"p1"})";
  const auto [line, why] = GENERATE(table<std::string, std::string>({
      {"garbage", "line 1, column 1: not a JSON value"},
      {"[]", "\"external_id\" is missing"},
      {R"({"external_id":""})", "\"external_id\" is empty"},
      {R"({"external_id":"u2"})", "\"provider_id\" is missing"},
      {R"({"external_id":"u2","provider_id":7})", "must be text"},
      {R"({"external_id":"u2","provider_id":"p2","name":7})", "\"name\" must be text"},
  }));
  const std::string text = good + "\n" + line + "\n" + good + "\n";
  write(file, text);
  const Provider provider(file);
  CHECK(provider.instance->status() == INVITED_BAD_CONFIG);
  CHECK(provider.instance->field() == "/path");
  CHECK(provider.instance->message() ==
        file.string() + ":2: this line is no account (" + why + "); correct it or take it out");
  CHECK(content(file) == text);
}

TEST_CASE("directory: a second user of the file is told so, while a configuration may be checked beside it") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  Provider first(file);
  first.ensure("u1", "a@b.example");
  Provider second(file);
  CHECK(second.instance->status() == INVITED_OK);
  const auto& call = second.ensure("u2", "c@b.example");
  CHECK(call.status == INVITED_RETRY);
  CHECK(call.message == "another process or instance uses " + file.string() + "; each needs its own");
  first.instance.reset();
  CHECK(second.ensure("u2", "c@b.example").status == INVITED_OK);
  CHECK(second.lookup("u1").accounts.size() == 1);
}

TEST_CASE("directory: checking a configuration leaves no trace") {
  const TempFolder folder;
  const Provider provider(folder.path() / "directory.jsonl");
  CHECK(provider.instance->status() == INVITED_OK);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("directory: a full disk changes nothing, and when there is room it goes on") {
  const TempFolder folder;
  Provider provider(folder.path() / "directory.jsonl");
  provider.ensure("u1", "a@b.example");
  const std::string before = content(provider.file_);
  struct rlimit unlimited{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = unlimited;
  small.rlim_cur = before.size() + 20;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto& full = provider.ensure("u2", "c@b.example");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  ::signal(SIGXFSZ, old);
  CHECK(full.status == INVITED_RETRY);
  CHECK(full.message == "cannot write " + provider.file_.string() + ": File too large");
  CHECK(content(provider.file_) == before);
  CHECK(provider.lookup("u2").accounts.empty());
  CHECK(provider.ensure("u2", "c@b.example").status == INVITED_OK);
}

TEST_CASE("directory: history is compacted away at the start, accounts are not") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  std::string text;
  for (int i = 0; i < 300; ++i)
    text +=
        R"({"external_id":"u1","login_email":"a@b.example","provider_id":"p1","name":")" + std::to_string(i) + "\"}\n";
  text += R"({"external_id":"gone","provider_id":"p2"})"
          "\n"
          R"({"external_id":"gone","removed_at":"2026-11-30T08:00:00Z"})"
          "\n";
  write(file, text);
  Provider provider(file);
  CHECK(provider.lookup("u1").accounts.size() == 1);
  CHECK(content(file) == R"({"external_id":"u1","login_email":"a@b.example","name":"299","provider_id":"p1"})"
                         "\n");
  CHECK(provider.ensure("u2", "c@b.example").status == INVITED_OK);
  CHECK_FALSE(fs::exists(file.string() + ".new"));
}

TEST_CASE("directory: a link in place of the file is not followed") {
  const TempFolder folder;
  write(folder.path() / "elsewhere", "");
  fs::create_symlink("elsewhere", folder.path() / "directory.jsonl");
  const Provider provider(folder.path() / "directory.jsonl");
  CHECK(provider.instance->status() == INVITED_RETRY);
}

TEST_CASE("directory: times are written as people read them") {
  CHECK(utc_text(0) == "1970-01-01T00:00:00Z");
  CHECK(utc_text(1'796'025'600'000) == "2026-11-30T08:00:00Z");
  CHECK(utc_text(951'782'399'999) == "2000-02-28T23:59:59Z");
}

TEST_CASE("directory: 100,000 accounts are read in a second or so", "[.speed]") {
  const TempFolder folder;
  const fs::path file = folder.path() / "directory.jsonl";
  {
    std::ofstream out(file);
    for (int i = 0; i < 100'000; ++i) {
      const std::string n = std::to_string(i);
      out << R"({"external_id":"0190c0de-0000-7000-8000-)" << n << R"(","login_email":"user)" << n
          << R"(@b.example","name":"A. Example","provider_id":"account-)" << n
          << R"(","created_at":"2026-11-30T08:00:00Z"})" << '\n';
    }
  }
  const auto begin = std::chrono::steady_clock::now();
  Provider provider(file);
  CHECK(provider.lookup("0190c0de-0000-7000-8000-99999").accounts.size() == 1);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  WARN("read twice (check, then use): " << took.count() << " s");
}
