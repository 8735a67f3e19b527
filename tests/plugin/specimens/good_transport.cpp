// A well-behaved blocking transport that sends nothing: the recipient's local part says what becomes of the message.
//   retry@…  rejected@…  unknown@…  transport@… (the server is broken)  throws@…  anything else: taken
#include <invited/cpp/roles.hpp>

namespace {

constexpr char kSchema[] = R"({
  "type": "object",
  "description": "Verdicts after the recipient's local part, for tests.",
  "properties": {
    "window": {"type": "integer", "minimum": 1, "default": 1, "description": "How many messages may be out."},
    "refuse_config": {"type": "boolean", "default": false, "description": "Refuse to be made."}
  },
  "additionalProperties": false
})";

class Transport : public invited::BlockingTransport {
public:
  Transport(invited::Host host, const invited::Json& config)
      : host_(host), window_(static_cast<std::uint32_t>(config.integer("window", 1))) {
    if (config.boolean("refuse_config"))
      throw invited::Failure(invited::Status::bad_config, "told to refuse", "/refuse_config");
  }

  std::uint32_t window() override { return window_; }

  invited::Verdict send(const invited::Message& message) override {
    const std::string_view who = message.envelope_to.substr(0, message.envelope_to.find('@'));
    if (who == "retry")
      return {.status = invited::Status::retry,
              .detail = "mailbox busy",
              .phase = invited::Phase::recipient,
              .reply_code = 450,
              .retry_after_s = 60};
    if (who == "rejected")
      return {.status = invited::Status::rejected,
              .detail = "no such mailbox",
              .phase = invited::Phase::recipient,
              .reply_code = 550};
    if (who == "unknown")
      return {.status = invited::Status::unknown, .detail = "connection lost", .phase = invited::Phase::content};
    if (who == "transport")
      return {.status = invited::Status::retry,
              .detail = "sign-in refused",
              .scope = invited::Scope::transport,
              .phase = invited::Phase::auth,
              .reply_code = 535};
    if (who == "throws") throw std::runtime_error("thrown while sending");
    return {.detail = "taken",
            .phase = invited::Phase::content,
            .reply_code = 250,
            .remote_id = "r-" + std::string(message.id)};
  }

  void settled(std::string_view id) noexcept override { host_.log(invited::LogLevel::info, "settled", {{"id", id}}); }

  void probe(invited::Probe& steps) override {
    steps.step(invited::Phase::connect, "connected");
    steps.step(invited::Phase::quit, "said goodbye");
  }

private:
  invited::Host host_;
  std::uint32_t window_;
};

}  // namespace

INVITED_MODULE(invited::offer<Transport>("good_transport", "1.0.0", kSchema));
