// TXT records as a real DNS server gives them, and every way in which a server can give no word.
#include "dns/txt_resolver.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/run.hpp"
#include "support/temp_folder.hpp"

using namespace invited;
using namespace invited::test;
namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using core::Milliseconds;
using Records = std::vector<std::string>;

namespace {

// A port that is free for UDP and TCP now.
std::uint16_t free_port() {
  asio::io_context io;
  for (int i = 0; i < 100; ++i) {
    tcp::acceptor stream(io, {asio::ip::address_v4::loopback(), 0});
    udp::socket datagram(io, udp::v4());
    boost::system::error_code error;
    datagram.bind({asio::ip::address_v4::loopback(), stream.local_endpoint().port()}, error);
    if (!error) return stream.local_endpoint().port();
  }
  throw std::runtime_error("no free port");
}

std::string at(std::uint16_t port) {
  return "127.0.0.1:" + std::to_string(port);
}

// Debian's dnsmasq on a port of its own: it knows the zone "example" and refuses everything else.
class DnsMasq {
public:
  explicit DnsMasq(const std::string& records) : port_(free_port()) {
    std::ofstream config(folder_ / "dnsmasq.conf");
    config << "port=" << port_
           << "\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\npid-file=\nlocal=/example/\nuser="
           << getpwuid(geteuid())->pw_name << "\n"
           << records;
    config.close();
    start(folder_ / "dnsmasq.conf");
  }
  ~DnsMasq() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(words_);
  }
  DnsMasq(const DnsMasq&) = delete;
  DnsMasq& operator=(const DnsMasq&) = delete;
  [[nodiscard]] std::string address() const { return at(port_); }

private:
  void start(const std::string& config) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    words_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    std::string program = "/usr/sbin/dnsmasq";
    std::string option = "--conf-file=" + config;
    std::string stay = "--keep-in-foreground";
    std::string log = "--log-facility=-";
    char* arguments[] = {program.data(), option.data(), stay.data(), log.data(), nullptr};
    const int failed = posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (failed != 0) throw std::runtime_error("dnsmasq is not installed: ./dev setup test");
    std::string said;
    while (said.find("started") == std::string::npos) {
      pollfd waiting{words_, POLLIN, 0};
      char piece[512];
      const auto got = ::poll(&waiting, 1, 20'000) == 1 ? ::read(words_, piece, sizeof piece) : 0;
      if (got <= 0) throw std::runtime_error("dnsmasq does not start: " + said);
      said.append(piece, static_cast<std::size_t>(got));
    }
  }

  TempFolder folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
  int words_ = -1;
};

// A server in this process that answers datagrams as the test says, or never.
class FakeServer {
public:
  using Reply = std::function<std::string(std::string query)>;
  FakeServer(asio::io_context& io, Reply reply)
      : socket_(io, {asio::ip::address_v4::loopback(), 0}), reply_(std::move(reply)) {
    listen();
  }
  [[nodiscard]] std::string address() const { return at(socket_.local_endpoint().port()); }
  int queries = 0;

private:
  void listen() {
    socket_.async_receive_from(asio::buffer(piece_), from_, [this](boost::system::error_code error, std::size_t size) {
      if (error) return;
      ++queries;
      if (reply_) socket_.send_to(asio::buffer(reply_({piece_.data(), size})), from_);
      listen();
    });
  }
  udp::socket socket_;
  udp::endpoint from_;
  std::array<char, 512> piece_{};
  Reply reply_;
};

// The question comes back as an answer with these two bytes of flags.
FakeServer::Reply flags(unsigned char first, unsigned char second) {
  return [first, second](std::string query) {
    query[2] = static_cast<char>(first);
    query[3] = static_cast<char>(second);
    return query;
  };
}

struct Asking {
  asio::io_context io;
  core::SystemClock clock;
  dns::Settings settings{.servers = {}, .timeout = Milliseconds{2'000}, .tries = 2};

  explicit Asking(Records servers) { settings.servers = std::move(servers); }
  core::Result<Records> txt(const std::string& name) {
    dns::TxtResolver resolver(io.get_executor(), clock, settings);
    return run(io, resolver.txt(name));
  }
};

constexpr const char* unreachable = "No DNS server can be reached, or all of them fail or refuse.";
const std::string challenge = "_invited-challenge.";

std::string long_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += "piece " + std::to_string(i) + "; ";
  return text.substr(0, size);
}

}  // namespace

TEST_CASE("a record is read as it was published: short, split, long, and too long for a datagram") {
  const DnsMasq server(
      "txt-record=_invited-challenge.right.example,invited-verification=abc\n"
      "txt-record=_invited-challenge.split.example,\"invited-veri\",\"fication=\",\"abc\"\n"
      "txt-record=_invited-challenge.long.example,\"" +
      long_text(300) +
      "\"\n"
      "txt-record=_invited-challenge.huge.example,\"" +
      long_text(900) +
      "\"\n"
      "txt-record=_invited-challenge.empty.example,\"\"\n");
  Asking asking({server.address()});
  CHECK(asking.txt(challenge + "right.example") == Records{"invited-verification=abc"});
  CHECK(asking.txt(challenge + "split.example") == Records{"invited-verification=abc"});
  CHECK(asking.txt(challenge + "long.example") == Records{long_text(300)});
  CHECK(asking.txt(challenge + "huge.example") == Records{long_text(900)});
  CHECK(asking.txt(challenge + "empty.example") == Records{""});
  CHECK(asking.txt("_INVITED-Challenge.Right.EXAMPLE.") == Records{"invited-verification=abc"});
}

TEST_CASE("several records of one name stay apart, also when only TCP can carry them") {
  std::string records;
  for (int i = 0; i < 40; ++i)
    records += "txt-record=_invited-challenge.many.example,\"site-verification=" + std::to_string(i) + "\",\"" +
               std::string(40, 'x') + "\"\n";
  const DnsMasq server(
      "txt-record=_invited-challenge.two.example,invited-verification=old\n"
      "txt-record=_invited-challenge.two.example,invited-verification=new\n" +
      records);
  Asking asking({server.address()});
  auto two = asking.txt(challenge + "two.example").value();
  std::sort(two.begin(), two.end());
  CHECK(two == Records{"invited-verification=new", "invited-verification=old"});
  auto many = asking.txt(challenge + "many.example").value();
  CHECK(many.size() == 40);
  CHECK(std::count(many.begin(), many.end(), "site-verification=7" + std::string(40, 'x')) == 1);
}

TEST_CASE("a record behind an alias counts: that is how the answer is handed to another zone") {
  const DnsMasq server(
      "cname=_invited-challenge.alias.example,proof.example\n"
      "txt-record=proof.example,invited-verification=abc\n");
  CHECK(Asking({server.address()}).txt(challenge + "alias.example") == Records{"invited-verification=abc"});
}

TEST_CASE("no such name and no such record are a definite answer: there is none") {
  const DnsMasq server("host-record=_invited-challenge.host.example,192.0.2.1\n");
  Asking asking({server.address()});
  CHECK(asking.txt(challenge + "host.example") == Records{});
  CHECK(asking.txt(challenge + "nobody.example") == Records{});
}

TEST_CASE("a server that gives no word is no answer, each kind with its sentence") {
  const DnsMasq server("");
  struct Dead {
    const char* what;
    FakeServer::Reply reply;
    const char* sentence;
  };
  Asking asking({});
  asking.settings.timeout = Milliseconds{100};
  const Dead specimens[] = {
      {"silent", nullptr, "No DNS server answered in time."},
      {"SERVFAIL", flags(0x81, 0x82), unreachable},
      {"REFUSED", flags(0x81, 0x85), unreachable},
      {"NOTIMP", flags(0x81, 0x84), unreachable},
      {"success without the question it answers", [](const std::string&) { return std::string("\0\0\x81\x80", 4); },
       "No DNS server answered in time."},
      {"an answer to another question",
       [](std::string query) {
         query[0] = static_cast<char>(query[0] + 1);
         return flags(0x81, 0x83)(std::move(query));
       },
       "No DNS server answered in time."},
      {"cut off, and nobody listens for TCP", flags(0x83, 0x80), unreachable},
      {"says that there is an answer and has none",
       [](std::string query) {
         query[7] = 1;
         return flags(0x81, 0x80)(std::move(query));
       },
       "The DNS server's answer makes no sense."},
  };
  for (const Dead& dead : specimens) {
    CAPTURE(dead.what);
    FakeServer fake(asking.io, dead.reply);
    asking.settings.servers = {fake.address()};
    const auto answer = asking.txt(challenge + "right.example");
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == core::ErrorKind::unavailable);
    CHECK(answer.error().code == "dns_unavailable");
    CHECK(answer.error().message == dead.sentence);
    CHECK(fake.queries >= 1);
  }
  asking.settings.servers = {at(free_port())};
  CHECK(asking.txt(challenge + "right.example").error().message == unreachable);
  asking.settings.servers = {server.address()};
  const auto refused = asking.txt(challenge + "right.other");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == unreachable);
}

TEST_CASE("a dead server does not keep the next one from answering") {
  const DnsMasq server("txt-record=_invited-challenge.right.example,invited-verification=abc\n");
  Asking asking({at(free_port()), server.address()});
  asking.settings.timeout = Milliseconds{100};
  CHECK(asking.txt(challenge + "right.example") == Records{"invited-verification=abc"});
  FakeServer silent(asking.io, nullptr);
  asking.settings.servers = {silent.address(), server.address()};
  CHECK(asking.txt(challenge + "right.example") == Records{"invited-verification=abc"});
  CHECK(silent.queries == 1);
  FakeServer failing(asking.io, flags(0x81, 0x82));
  asking.settings.servers = {failing.address(), server.address()};
  CHECK(asking.txt(challenge + "right.example") == Records{"invited-verification=abc"});
  CHECK(failing.queries == 1);
}

TEST_CASE("timeout and tries bound the wait, and everything else goes on meanwhile") {
  Asking asking({});
  FakeServer silent(asking.io, nullptr);
  asking.settings = {.servers = {silent.address()}, .timeout = Milliseconds{150}, .tries = 3};
  int turns = 0;
  bool over = false;
  const auto others = [](core::Clock* clock, int* count, const bool* end) -> asio::awaitable<void> {
    while (!*end) {
      co_await clock->sleep_for(Milliseconds{5});
      ++*count;
    }
  };
  bool ended = false;
  asio::co_spawn(asking.io, others(&asking.clock, &turns, &over), [&](std::exception_ptr) { ended = true; });
  const auto began = asking.clock.monotonic();
  CHECK_FALSE(asking.txt(challenge + "right.example"));
  const auto took = asking.clock.monotonic() - began;
  over = true;
  CHECK(took >= Milliseconds{1'000});  // 150 + 300 + 600
  CHECK(took < Milliseconds{10'000});
  CHECK(silent.queries == 3);
  CHECK(turns > 20);
  while (!ended) asking.io.run_one();
}

TEST_CASE("questions are independent: many at once, each with its own answer") {
  std::string records;
  for (int i = 0; i < 50; ++i)
    records += fmt::format("txt-record=_invited-challenge.d{0}.example,invited-verification={0}\n", i);
  const DnsMasq server(records);
  Asking asking({server.address()});
  dns::TxtResolver resolver(asking.io.get_executor(), asking.clock, asking.settings);
  std::map<int, core::Result<Records>> answers;
  for (int i = 0; i < 50; ++i) {
    asio::co_spawn(asking.io, resolver.txt(challenge + "d" + std::to_string(i) + ".example"),
                   [&answers, i](std::exception_ptr error, core::Result<Records> answer) {
                     if (!error) answers.emplace(i, std::move(answer));
                   });
  }
  asking.io.run_for(std::chrono::seconds(20));
  REQUIRE(answers.size() == 50);
  for (const auto& [i, answer] : answers) CHECK(answer == Records{"invited-verification=" + std::to_string(i)});
}

TEST_CASE("a question that is given up ends at once; one that is dropped with its loop does no harm") {
  Asking asking({});
  FakeServer silent(asking.io, nullptr);
  asking.settings = {.servers = {silent.address()}, .timeout = Milliseconds{30'000}, .tries = 1};
  dns::TxtResolver resolver(asking.io.get_executor(), asking.clock, asking.settings);
  const auto open_files = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  const auto before = open_files();
  asio::cancellation_signal give_up;
  std::exception_ptr error;
  bool ended = false;
  asio::co_spawn(asking.io, resolver.txt(challenge + "right.example"),
                 asio::bind_cancellation_slot(give_up.slot(), [&](std::exception_ptr e, core::Result<Records>) {
                   error = e;
                   ended = true;
                 }));
  while (silent.queries == 0) asking.io.run_one();
  give_up.emit(asio::cancellation_type::terminal);
  const auto began = asking.clock.monotonic();
  while (!ended) asking.io.run_one();
  CHECK(error);
  CHECK(asking.clock.monotonic() - began < Milliseconds{5'000});
  CHECK(open_files() == before);

  asio::co_spawn(asking.io, resolver.txt(challenge + "right.example"),
                 [](std::exception_ptr, core::Result<Records>) {});
  while (silent.queries == 1) asking.io.run_one();
}

TEST_CASE("what is no name is refused and not asked for") {
  Asking asking({});
  FakeServer silent(asking.io, nullptr);
  asking.settings.servers = {silent.address()};
  for (const std::string& name : Records{"a..example", ".example", std::string(64, 'a') + ".example"}) {
    CAPTURE(name);
    const auto answer = asking.txt(name);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().kind == core::ErrorKind::invalid);
  }
  CHECK(silent.queries == 0);
}
