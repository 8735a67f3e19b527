#include "smtp_sasl.hpp"

#include <gsasl.h>
#include <string.h>  // explicit_bzero

#include <algorithm>
#include <array>

namespace invited::smtp {

namespace {

class GsaslClient final : public SaslClient {
public:
  static std::unique_ptr<SaslClient> start(const std::string& mechanism, std::string_view user,
                                           std::string_view password) {
    auto self = std::unique_ptr<GsaslClient>(new GsaslClient);
    if (gsasl_init(&self->context_) != GSASL_OK) return nullptr;
    if (gsasl_client_start(self->context_, mechanism.c_str(), &self->session_) != GSASL_OK) return nullptr;
    if (gsasl_property_set_raw(self->session_, GSASL_AUTHID, user.data(), user.size()) != GSASL_OK) return nullptr;
    if (gsasl_property_set_raw(self->session_, GSASL_PASSWORD, password.data(), password.size()) != GSASL_OK)
      return nullptr;
    self->speaks_first_ = mechanism != "LOGIN";
    return self;
  }

  ~GsaslClient() override {
    if (session_ != nullptr) {
      // libgsasl frees without wiping; the value is its own heap block, so it can be wiped in place.
      if (const char* password = gsasl_property_fast(session_, GSASL_PASSWORD)) {
        explicit_bzero(const_cast<char*>(password), strlen(password));
      }
      gsasl_finish(session_);
    }
    if (context_ != nullptr) gsasl_done(context_);
  }

  std::optional<std::string> step(std::string_view challenge) override {
    if (done_ && challenge.empty()) return std::string();
    char* raw = nullptr;
    const int result = gsasl_step64(session_, std::string(challenge).c_str(), &raw);
    std::string response = raw == nullptr ? std::string() : std::string(raw);
    if (raw != nullptr) {
      explicit_bzero(raw, strlen(raw));
      gsasl_free(raw);
    }
    if (result != GSASL_OK && result != GSASL_NEEDS_MORE) {
      why_ = gsasl_strerror(result);
      return std::nullopt;
    }
    done_ = result == GSASL_OK;
    return response;
  }

  bool satisfied() const override { return done_; }
  std::string why() const override { return why_; }
  bool speaks_first() const override { return speaks_first_; }

private:
  GsaslClient() = default;

  Gsasl* context_ = nullptr;
  Gsasl_session* session_ = nullptr;
  bool done_ = false;
  bool speaks_first_ = true;
  std::string why_;
};

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    return upper(x) == upper(y);
  });
}

}  // namespace

std::unique_ptr<SaslClient> SaslClient::start(std::string_view mechanism, std::string_view user,
                                              std::string_view password) {
  return GsaslClient::start(std::string(mechanism), user, password);
}

std::string_view choose_mechanism(std::span<const std::string> offered, bool clear_text_allowed) {
  struct Mechanism {
    std::string_view name;
    bool clear_text;
  };
  static constexpr std::array<Mechanism, 4> PREFERENCE = {
      {{"SCRAM-SHA-256", false}, {"SCRAM-SHA-1", false}, {"PLAIN", true}, {"LOGIN", true}}};
  for (const Mechanism& mechanism : PREFERENCE) {
    if (mechanism.clear_text && !clear_text_allowed) continue;
    if (std::any_of(offered.begin(), offered.end(), [&](const std::string& o) { return same_word(o, mechanism.name); }))
      return mechanism.name;
  }
  return {};
}

}  // namespace invited::smtp
