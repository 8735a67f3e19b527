#include "model/email.hpp"

#include <fmt/format.h>
#include <libpsl.h>
#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uidna.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include "core/encoding.hpp"

namespace invited::model {

namespace {

using core::ErrorKind;
using core::fail;

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

tl::unexpected<core::Error> bad_email(std::string message) {
  return fail(ErrorKind::invalid, "invalid_email", std::move(message));
}

// A character that no reader sees, or that changes the order in which others are seen. UTS 46 would drop some of them
// in silence.
bool is_hidden(UChar32 c) {
  constexpr std::uint32_t never =
      U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CS_MASK | U_GC_CO_MASK | U_GC_CN_MASK | U_GC_Z_MASK;
  return (U_GET_GC_MASK(c) & never) != 0 || u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0;
}

// The first character of the text that `refused` names; U_SENTINEL: none. The text must be UTF-8.
template <class Refused>
UChar32 first_of(std::string_view text, Refused refused) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t i = 0, n = static_cast<std::int32_t>(text.size()); i < n;) {
    UChar32 c = 0;
    U8_NEXT(bytes, i, n, c);
    if (refused(c)) return c;
  }
  return U_SENTINEL;
}

char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

const UIDNA* idna() {
  static const auto instance = [] {
    UErrorCode status = U_ZERO_ERROR;
    UIDNA* made =
        uidna_openUTS46(UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_CHECK_CONTEXTO |
                            UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE,
                        &status);
    if (U_FAILURE(status) != 0) throw std::runtime_error("ICU cannot load its domain name tables");
    return std::unique_ptr<UIDNA, decltype(&uidna_close)>(made, &uidna_close);
  }();
  return instance.get();
}

// ASCII form by UTS 46 with every error flag checked: nothing is dropped or mapped away silently.
core::Result<std::string> ascii_domain(std::string_view domain) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::invalid, "invalid_domain", fmt::format("\"{}\" is not a mail domain: {}", domain, why));
  };
  if (domain.empty()) return bad("it is empty");
  if (const UChar32 c = first_of(domain, is_hidden); c != U_SENTINEL)
    return fail(ErrorKind::invalid, "invalid_domain",
                fmt::format("U+{:04X} may not stand in a mail domain", static_cast<unsigned>(c)));
  if (domain.back() == '.') domain.remove_suffix(1);  // the fully written form names the same domain
  UErrorCode status = U_ZERO_ERROR;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  std::array<char, 512> out{};
  const auto length = uidna_nameToASCII_UTF8(idna(), domain.data(), static_cast<int32_t>(domain.size()), out.data(),
                                             static_cast<int32_t>(out.size()), &info, &status);
  if (U_FAILURE(status) != 0 || info.errors != 0) {
    if ((info.errors & (UIDNA_ERROR_EMPTY_LABEL)) != 0) return bad("a part between two dots is empty");
    if ((info.errors & (UIDNA_ERROR_LABEL_TOO_LONG | UIDNA_ERROR_DOMAIN_NAME_TOO_LONG)) != 0)
      return bad("it is too long");
    if ((info.errors & (UIDNA_ERROR_LEADING_HYPHEN | UIDNA_ERROR_TRAILING_HYPHEN | UIDNA_ERROR_HYPHEN_3_4)) != 0)
      return bad("a hyphen stands where none may");
    return bad("it has a character that domain names may not have");
  }
  std::string ascii(out.data(), static_cast<std::size_t>(length));
  std::transform(ascii.begin(), ascii.end(), ascii.begin(), ascii_lower);
  if (ascii.empty() || ascii.back() == '.') return bad("a part between two dots is empty");
  if (ascii.size() > 253) return bad("it is too long");
  if (ascii.find('.') == std::string::npos) return bad("it has no dot");
  const auto last_label = ascii.substr(ascii.rfind('.') + 1);
  if (std::all_of(last_label.begin(), last_label.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return bad("it looks like a network address");
  if (const psl_ctx_t* psl = psl_builtin();
      psl != nullptr && psl_is_public_suffix2(psl, ascii.c_str(), PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) == 1)
    return bad("it is a public suffix under which others register");
  return ascii;
}

// RFC 5322 atext; beyond ASCII letters, their marks and digits.
bool is_atext(UChar32 c) {
  if (c >= 0x80) return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) != 0 && !is_hidden(c);
  constexpr std::string_view specials = "!#$%&'*+-/=?^_`{|}~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         specials.find(static_cast<char>(c)) != std::string_view::npos;
}

// One form per mailbox: composed and lower-case, also for "Å" typed as "A" with a ring.
std::string canonical_local(std::string_view local) {
  if (std::all_of(local.begin(), local.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    std::string lower(local);
    std::transform(lower.begin(), lower.end(), lower.begin(), ascii_lower);
    return lower;
  }
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(status);
  if (U_FAILURE(status) != 0) throw std::runtime_error("ICU cannot load its normalisation tables");
  auto text = icu::UnicodeString::fromUTF8({local.data(), static_cast<std::int32_t>(local.size())});
  text = nfc->normalize(text.toLower(icu::Locale::getRoot()), status);
  std::string out;
  text.toUTF8String(out);
  return out;
}

}  // namespace

core::Result<Email> parse_email(std::string_view text) {
  const std::string_view typed = trim(text);
  // What the messages below repeat is short and printable.
  if (typed.empty()) return bad_email("the address is empty");
  if (typed.size() > 1'000) return bad_email("the address is longer than 254 octets");
  if (!core::is_utf8(typed)) return bad_email("the address is not valid UTF-8");
  if (const UChar32 c = first_of(typed, is_hidden); c != U_SENTINEL && c != ' ')
    return bad_email(fmt::format("U+{:04X} may not stand in an address", static_cast<unsigned>(c)));
  const auto at = typed.rfind('@');
  if (at == std::string_view::npos) return bad_email(fmt::format("\"{}\" has no @", typed));
  const std::string_view local = typed.substr(0, at);
  if (local.empty()) return bad_email(fmt::format("\"{}\" has nothing before the @", typed));
  if (local.size() > 64) return bad_email("the part before the @ is longer than 64 octets");
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos)
    return bad_email(fmt::format("\"{}\" has a dot at the wrong place before the @", typed));
  if (const UChar32 c = first_of(local, [](UChar32 each) { return each != '.' && !is_atext(each); }); c != U_SENTINEL)
    return bad_email(fmt::format("U+{:04X} may not stand before the @", static_cast<unsigned>(c)));
  // It would sit on whatever is shown before the address.
  if (const UChar32 c = first_of(local,
                                 [after = UChar32{'.'}](UChar32 each) mutable {
                                   return std::exchange(after, each) == '.' && (U_GET_GC_MASK(each) & U_GC_M_MASK) != 0;
                                 });
      c != U_SENTINEL)
    return bad_email(fmt::format("the mark U+{:04X} has no letter to stand on", static_cast<unsigned>(c)));
  auto domain = ascii_domain(typed.substr(at + 1));
  if (!domain) return bad_email(domain.error().message);
  std::string canonical = canonical_local(local);
  canonical += '@';
  canonical += *domain;
  if (canonical.size() > 254 || local.size() + 1 + domain->size() > 254)
    return bad_email("the address is longer than 254 octets");
  return Email{std::string(typed), std::move(canonical), std::move(*domain)};
}

core::Result<std::string> parse_domain(std::string_view text, bool wildcard) {
  std::string_view name = trim(text);
  if (name.size() > 1'000 || !core::is_utf8(name))
    return fail(ErrorKind::invalid, "invalid_domain", "the domain is too long or not valid UTF-8");
  const bool below = name.starts_with("*.");
  if (below && !wildcard)
    return fail(ErrorKind::invalid, "invalid_domain", fmt::format("\"{}\": a wildcard is not allowed here", name));
  if (below) name.remove_prefix(2);
  auto ascii = ascii_domain(name);
  if (!ascii || !below) return ascii;
  // "github.io" is one company's mail domain, but below it anybody has a name.
  if (const psl_ctx_t* psl = psl_builtin();
      psl != nullptr && psl_is_public_suffix2(psl, ascii->c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) == 1)
    return fail(ErrorKind::invalid, "invalid_domain",
                fmt::format("\"*.{0}\": others register below {0}, so no rule may cover all of it", *ascii));
  return "*." + *ascii;
}

bool domain_covers(std::string_view rule, std::string_view domain) {
  if (domain.empty()) return false;
  if (!rule.starts_with("*.")) return rule == domain;
  const std::string_view suffix = rule.substr(1);
  return domain.size() > suffix.size() && domain.ends_with(suffix);
}

}  // namespace invited::model
