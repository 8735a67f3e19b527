#include "identity_directory.hpp"

#include <chrono>
#include <cstdio>

namespace invited::directory {

namespace {

constexpr char kSchema[] = R"json({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "directory",
  "description": "Keeps accounts in a file of its own, one JSON object a line, until there is an identity provider.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "path": {
      "type": "string", "format": "path", "minLength": 1, "x-default-in-state-dir": "directory.jsonl",
      "description": "The file; it is made when it is not there. Default: directory.jsonl in the state folder."
    },
    "sign_in_url": {
      "type": "string", "pattern": "^https?://[^\\s]+$", "maxLength": 2000,
      "x-allowed": "a URL such as https://login.example.com",
      "description": "Where people sign in; the landing page shows it after the confirmation."
    }
  }
})json";

// What the register says, as the daemon wants to hear it.
template <class Work>
auto told(Work&& work) {
  try {
    return work();
  } catch (const Damaged& error) {
    throw Failure(Status::bad_config, error.what(), "/path");
  } catch (const Unavailable& error) {
    throw Failure(Status::retry, error.what(), "/path");
  } catch (const Doubtful& error) {
    throw Failure(Status::unknown, error.what(), "/path");
  }
}

// FNV-1a: the provider's id only has to differ from that of an account that was removed, and to be no secret.
std::string provider_id_of(std::string_view external_id, std::int64_t created_ms) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text) {
      hash ^= static_cast<unsigned char>(c);
      hash *= 0x100000001b3U;
    }
  };
  mix(external_id);
  mix("@" + std::to_string(created_ms));
  char text[32];
  std::snprintf(text, sizeof text, "account-%016llx", static_cast<unsigned long long>(hash));
  return text;
}

}  // namespace

std::string utc_text(std::int64_t ms_since_1970) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(ms_since_1970)};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{floor<seconds>(at - day)};
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

Directory::Directory(Host host, const Json& config)
    : host_(host), register_(config.at("path").as_text()), sign_in_url_(config.text("sign_in_url")) {
  told([&] { register_.read(); });
}

std::string Directory::now() const {
  return utc_text(host_.clock().now_ms());
}

Account Directory::account(const Entry& entry, bool created) const {
  return {.external_id = entry.external_id,
          .provider_id = entry.provider_id,
          .login_email = entry.login_email,
          .sign_in_url = sign_in_url_,
          .created = created};
}

Account Directory::ensure_account(const AccountRequest& request) {
  return told([&] {
    register_.open();
    if (request.external_id.empty()) throw Failure(Status::rejected, "an account needs an external id", "external_id");
    if (const Entry* owner = register_.find_by_email(request.login_email);
        owner != nullptr && owner->external_id != request.external_id)
      throw Failure(Status::rejected, "the address belongs to an account with another external id", "login_email");
    const Entry* known = register_.find(request.external_id);
    if (known == nullptr) {
      const std::int64_t at = host_.clock().now_ms();
      Entry made;
      made.external_id = request.external_id;
      made.login_email = request.login_email;
      made.name = request.name;
      made.provider_id = provider_id_of(request.external_id, at);
      made.created_at = utc_text(at);
      register_.put(made);
      return account(made, true);
    }
    Entry entry = *known;
    if (entry.login_email != request.login_email || entry.name != request.name) {
      entry.login_email = request.login_email;
      entry.name = request.name;
      entry.updated_at = now();
      register_.put(entry);
    }
    return account(entry, false);
  });
}

void Directory::remove_connection(std::string_view external_id) {
  told([&] {
    register_.open();
    if (register_.find(external_id) != nullptr) register_.remove(std::string(external_id), now());
  });
}

void Directory::reset_password(std::string_view external_id) {
  told([&] {
    register_.open();
    const Entry* known = register_.find(external_id);
    if (known == nullptr) throw Failure(Status::rejected, "the directory has no account for this user");
    Entry entry = *known;
    entry.password_reset_at = now();
    register_.put(entry);
  });
}

std::optional<Account> Directory::lookup(std::string_view external_id) {
  return told([&]() -> std::optional<Account> {
    register_.open();
    const Entry* known = register_.find(external_id);
    if (known == nullptr) return std::nullopt;
    return account(*known, false);
  });
}

}  // namespace invited::directory

INVITED_MODULE(invited::offer<invited::directory::Directory>("directory", "1.0.0", invited::directory::kSchema));
