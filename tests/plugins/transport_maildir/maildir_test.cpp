// The transport "maildir" through its C table, on real folders.
#include "transport_maildir.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "sdk/fake_host.hpp"
#include "support/temp_folder.hpp"

namespace fs = std::filesystem;
using invited::test::TempFolder;
using Instance = fake::Instance<invited::maildir::Maildir, invited_transport>;

namespace {

std::string config_for(const fs::path& path) {
  return R"({"path": )" + invited::json_quoted(path.string()) + "}";
}

struct Mail {
  std::string id = "0190c0de-0000-7000-8000-000000000001";
  std::string content = "Subject: hello\r\n\r\nHello\r\n";
  int attempt = 1;
  std::int64_t deadline_ms = 0;
};

fake::VerdictSeen send(fake::Host& host, Instance& transport, const Mail& mail) {
  const auto& call = host.operation([&](invited_call* raw) {
    invited_message message{};
    message.struct_size = sizeof message;
    message.id = invited::borrow(mail.id);
    message.content = invited::borrow(mail.content);
    message.attempt = mail.attempt;
    message.deadline_ms = mail.deadline_ms;
    const invited_message* list[] = {&message};
    transport.operations().send(transport.self(), raw, list, 1);
  });
  REQUIRE(call.status == INVITED_OK);
  REQUIRE(call.verdicts.size() == 1);
  CHECK(call.verdicts[0].id == mail.id);
  return call.verdicts[0];
}

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> result;
  for (const auto& entry : fs::directory_iterator(folder)) result.push_back(entry.path().filename());
  std::sort(result.begin(), result.end());
  return result;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

unsigned mode(const fs::path& path) {
  struct stat kind{};
  REQUIRE(::stat(path.c_str(), &kind) == 0);
  return kind.st_mode & 07777;
}

}  // namespace

TEST_CASE("maildir: a mail becomes one file with its bytes as they came, which only its owner may read") {
  const TempFolder folder;
  const fs::path outbox = folder.path() / "outbox";
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(outbox));
  REQUIRE(transport.status() == INVITED_OK);
  CHECK_FALSE(fs::exists(outbox));  // a configuration that is only checked leaves no trace

  const auto verdict = send(host, transport, {});
  CHECK(verdict.status == INVITED_OK);
  CHECK(verdict.remote_id == "0190c0de-0000-7000-8000-000000000001.eml");
  CHECK(names(outbox / "new") == std::vector<std::string>{verdict.remote_id});
  CHECK(names(outbox / "tmp").empty());
  CHECK(content(outbox / "new" / verdict.remote_id) == Mail{}.content);
  CHECK(mode(outbox) == 0700);
  CHECK(mode(outbox / "new") == 0700);
  CHECK(mode(outbox / "new" / verdict.remote_id) == 0600);
}

TEST_CASE("maildir: a repeat of one delivery makes no second file, read or not") {
  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path()));
  CHECK((transport.plugin().capabilities & INVITED_TRANSPORT_IDEMPOTENT) != 0);
  const std::string name = send(host, transport, {}).remote_id;
  CHECK(send(host, transport, {.attempt = 2}).status == INVITED_OK);
  CHECK(names(folder.path() / "new").size() == 1);

  fs::rename(folder.path() / "new" / name, folder.path() / "cur" / (name + ":2,S"));
  CHECK(send(host, transport, {.attempt = 3}).status == INVITED_OK);
  CHECK(names(folder.path() / "new").empty());
  CHECK(names(folder.path() / "cur").size() == 1);
}

TEST_CASE("maildir: no id leads out of the folder or onto another id's file") {
  using invited::maildir::file_name;
  CHECK(file_name("0190-ab") == "0190-ab.eml");
  CHECK(file_name("../../etc/passwd") == "_2e_2e_2f_2e_2e_2fetc_2fpasswd.eml");
  CHECK(file_name("a_2f") != file_name("a/"));
  CHECK(file_name("") == ".eml");

  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path() / "outbox"));
  CHECK(send(host, transport, {.id = "../escaped"}).status == INVITED_OK);
  CHECK(names(folder.path()) == std::vector<std::string>{"outbox"});
  CHECK(send(host, transport, {.id = std::string(300, 'x')}).status == INVITED_REJECTED);
}

TEST_CASE("maildir: a link planted in tmp is not written through") {
  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path()));
  const std::string name = send(host, transport, {}).remote_id;
  std::ofstream(folder.path() / "precious") << "precious";
  fs::create_symlink("../precious", folder.path() / "tmp" / name);
  const auto verdict = send(host, transport, {.attempt = 2});
  CHECK(verdict.status == INVITED_RETRY);
  CHECK(content(folder.path() / "precious") == "precious");
}

TEST_CASE("maildir: trouble with the folder is retried and blames no mail") {
  const TempFolder folder;
  std::ofstream(folder.path() / "outbox") << "a file, no folder";
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path() / "outbox"));
  const auto verdict = send(host, transport, {});
  CHECK(verdict.status == INVITED_RETRY);
  CHECK(verdict.scope == INVITED_SCOPE_TRANSPORT);
  CHECK(verdict.detail == "cannot open the folder " + (folder.path() / "outbox").string() + ": Not a directory");

  const auto& probe = host.operation([&](invited_call* raw) { transport.operations().probe(transport.self(), raw); });
  CHECK(probe.status == INVITED_RETRY);
  CHECK(probe.message == verdict.detail);
}

TEST_CASE("maildir: a full disk is retried, blames no mail and leaves nothing half written") {
  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path()));
  struct rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto verdict = send(host, transport, {.content = std::string(5000, 'x')});
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old);
  CHECK(verdict.status == INVITED_RETRY);
  CHECK(verdict.scope == INVITED_SCOPE_TRANSPORT);
  CHECK(names(folder.path() / "tmp").empty());
  CHECK(names(folder.path() / "new").empty());
}

TEST_CASE("maildir: a mail whose time is over is not begun") {
  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path() / "outbox"));
  CHECK(send(host, transport, {.deadline_ms = host.now_ms - 1}).status == INVITED_RETRY);
  CHECK_FALSE(fs::exists(folder.path() / "outbox"));
}

TEST_CASE("maildir: a probe says what works and leaves nothing behind") {
  const TempFolder folder;
  fake::Host host(INVITED_ROLE_TRANSPORT);
  host.offer_all();
  Instance transport(host, config_for(folder.path()));
  const auto& call = host.operation([&](invited_call* raw) { transport.operations().probe(transport.self(), raw); });
  CHECK(call.status == INVITED_OK);
  CHECK(call.steps.size() == 2);
  CHECK(names(folder.path() / "tmp").empty());
  CHECK(names(folder.path() / "new").empty());
}
