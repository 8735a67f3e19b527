#include "dns/txt_resolver.hpp"

#include <ares.h>
#include <arpa/nameser.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "core/wakeup.hpp"

namespace invited::dns {

namespace asio = boost::asio;
using core::ErrorKind;
using core::fail;
using core::Milliseconds;
using Answer = core::Result<std::vector<std::string>>;

namespace {

tl::unexpected<core::Error> no_word(std::string message) {
  return fail(ErrorKind::unavailable, "dns_unavailable", std::move(message));
}

Answer records_of(const unsigned char* bytes, int length) {
  ares_txt_ext* list = nullptr;
  const int status = ares_parse_txt_reply_ext(bytes, length, &list);
  const std::unique_ptr<ares_txt_ext, decltype(&ares_free_data)> owned(list, &ares_free_data);
  if (status == ARES_ENODATA) return std::vector<std::string>{};
  if (status != ARES_SUCCESS) return no_word("The DNS server's answer makes no sense.");
  std::vector<std::string> records;
  for (const ares_txt_ext* piece = list; piece != nullptr; piece = piece->next) {
    if (piece->record_start != 0 || records.empty()) records.emplace_back();
    records.back().append(reinterpret_cast<const char*>(piece->txt), piece->length);
  }
  return records;
}

Answer answer_of(int status, const unsigned char* bytes, int length) {
  switch (status) {
    case ARES_SUCCESS:
      return records_of(bytes, length);
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
      return std::vector<std::string>{};
    case ARES_EBADNAME:
      return fail(ErrorKind::invalid, "bad_dns_name", "This is not a name that the DNS can be asked for.");
    case ARES_ETIMEOUT:
      return no_word("No DNS server answered in time.");
    case ARES_ECONNREFUSED:  // also after SERVFAIL, NOTIMP or REFUSED of every server: the next one is asked for those
      return no_word("No DNS server can be reached, or all of them fail or refuse.");
    default:
      return no_word(fmt::format("The DNS could not be asked: {}.", ares_strerror(status)));
  }
}

void start_library() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  if (status != ARES_SUCCESS) throw std::runtime_error("c-ares does not start");
}

// One question with a channel of its own. c-ares says which sockets it wants to hear of, and is called when they are
// ready.
class Question : public std::enable_shared_from_this<Question> {
public:
  explicit Question(const asio::any_io_executor& executor) : executor_(executor), wakeup_(executor) {}
  ~Question() { close(); }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  core::Result<void> open(const Settings& settings) {
    start_library();
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
    options.timeout = static_cast<int>(settings.timeout.count());
    options.tries = settings.tries;
    options.sock_state_cb = &Question::on_socket;
    options.sock_state_cb_data = this;
    int status = ares_init_options(&channel_, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
    if (status == ARES_SUCCESS && !settings.servers.empty())
      status = ares_set_servers_ports_csv(channel_, fmt::format("{}", fmt::join(settings.servers, ",")).c_str());
    if (status != ARES_SUCCESS) return no_word(fmt::format("The DNS cannot be asked: {}.", ares_strerror(status)));
    return {};
  }

  void ask(const std::string& name) {
    ares_query(channel_, name.c_str(), ns_c_in, ns_t_txt, &Question::on_answer, this);
  }

  [[nodiscard]] const std::optional<Answer>& answer() const { return answer_; }

  // Until c-ares has to look at the time, or something came.
  [[nodiscard]] asio::awaitable<void> wait(core::Clock& clock) {
    timeval left{};
    const timeval* until = ares_timeout(channel_, nullptr, &left);
    const auto pause =
        until == nullptr ? Milliseconds{0} : Milliseconds{until->tv_sec * 1'000 + until->tv_usec / 1'000 + 1};
    return wakeup_.wait_for(clock, pause);
  }
  void look_at_the_time() { ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  // Gives the sockets back; whoever waited for them lets go of this.
  void close() {
    if (channel_ == nullptr) return;
    ares_destroy(std::exchange(channel_, nullptr));
  }

private:
  struct Watch {
    explicit Watch(const asio::any_io_executor& executor) : descriptor(executor) {}
    asio::posix::stream_descriptor descriptor;
    bool open = true;
    std::array<bool, 2> wanted{};  // to read, to write
    std::array<bool, 2> waiting{};
  };

  // Both are called by C code, which no exception may cross.
  static void on_answer(void* self, int status, int /*timeouts*/, unsigned char* bytes, int length) noexcept {
    static_cast<Question*>(self)->answer_ = answer_of(status, bytes, length);
  }
  static void on_socket(void* self, ares_socket_t socket, int readable, int writable) noexcept {
    static_cast<Question*>(self)->watch(socket, readable != 0, writable != 0);
  }

  void watch(ares_socket_t socket, bool readable, bool writable) {
    if (!readable && !writable) {
      const auto found = watches_.find(socket);
      if (found == watches_.end()) return;
      found->second->open = false;
      (void)found->second->descriptor.release();  // c-ares closes it
      watches_.erase(found);
      return;
    }
    auto& watch = watches_[socket];
    if (!watch) {
      watch = std::make_shared<Watch>(executor_);
      boost::system::error_code error;
      watch->descriptor.assign(socket, error);
      if (error) {
        watches_.erase(socket);
        answer_ = no_word(fmt::format("The DNS cannot be asked: {}.", error.message()));
        wakeup_.ring();
        return;
      }
    }
    watch->wanted[0] = readable;
    watch->wanted[1] = writable;
    arm(watch);
  }

  void arm(const std::shared_ptr<Watch>& watch) {
    for (const bool write : {false, true}) {
      if (!watch->wanted[write] || watch->waiting[write]) continue;
      watch->waiting[write] = true;
      const auto what = write ? asio::posix::stream_descriptor::wait_write : asio::posix::stream_descriptor::wait_read;
      watch->descriptor.async_wait(what, [self = shared_from_this(), watch, write](const boost::system::error_code&) {
        watch->waiting[write] = false;
        if (watch->open) self->ready(watch, write);
      });
    }
  }

  void ready(const std::shared_ptr<Watch>& watch, bool write) {
    const ares_socket_t socket = watch->descriptor.native_handle();
    ares_process_fd(channel_, write ? ARES_SOCKET_BAD : socket, write ? socket : ARES_SOCKET_BAD);
    if (watch->open) arm(watch);
    wakeup_.ring();
  }

  asio::any_io_executor executor_;
  core::Wakeup wakeup_;
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, std::shared_ptr<Watch>> watches_;
  std::optional<Answer> answer_;
};

struct Closed {
  Question& question;
  explicit Closed(Question& asked) : question(asked) {}
  ~Closed() { question.close(); }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;
};

}  // namespace

TxtResolver::TxtResolver(asio::any_io_executor executor, core::Clock& clock, Settings settings)
    : executor_(std::move(executor)), clock_(clock), settings_(std::move(settings)) {}

asio::awaitable<Answer> TxtResolver::txt(std::string name) {
  const auto question = std::make_shared<Question>(executor_);
  const Closed in_the_end(*question);
  if (const auto opened = question->open(settings_); !opened) co_return fail(opened.error());
  question->ask(name);
  while (!question->answer()) {
    co_await question->wait(clock_);
    question->look_at_the_time();
  }
  co_return *question->answer();
}

}  // namespace invited::dns
