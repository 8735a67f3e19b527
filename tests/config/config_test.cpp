// invited.yaml: the good file, and one specimen for each way to be wrong, with the exact line that an operator reads.
#include "config/config.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

using namespace invited;
using config::parse;

namespace {

const std::string good =
    "organisation: {name: Example AB, time_zone: Europe/Stockholm}\n"
    "web: {base_url: \"https://invite.example.com\"}\n"
    "mail: {from: no-reply@example.com}\n";
const std::string good_web_mail = good.substr(good.find('\n') + 1);
const std::string top_level =
    "allowed_domains, brakes, companies, control, dns, domains, employment_templates, identities, identity, limits, "
    "link_keys, log, mail, organisation, "
    "plugin_dirs, review_flows, "
    "sources, state_dir, templates_dir, transports, user_templates, web";

std::vector<std::string> lines(const config::Errors& errors) {
  std::vector<std::string> result;
  for (const auto& error : errors) result.push_back(config::line(error));
  return result;
}

std::vector<std::string> refused(const std::string& text) {
  const auto config = parse(text, "invited.yaml", "/etc/invited");
  return config ? std::vector<std::string>{"accepted"} : lines(config.error());
}

config::Config accepted(const std::string& text) {
  auto config = parse(text, "invited.yaml", "/etc/invited");
  if (!config) FAIL(Catch::StringMaker<std::vector<std::string>>::convert(lines(config.error())));
  return std::move(*config);
}

std::string read(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "invited-config-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

struct Specimen {
  std::string name;
  std::string text;
  std::vector<std::string> expected;  // without the name of the file
};

std::string not_a_server(const std::string& place, int index, const std::string& text) {
  return fmt::format(
      "{}: /dns/servers/{}: \"{}\" is not the address of a DNS server; allowed: an IP address, with its port where "
      "that is "
      "not 53, such as 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:5353",
      place, index, text);
}

const std::vector<Specimen> specimens{
    {"tab", good + "log:\n\tlevel: info\n", {"5:1: a tab character; use spaces (inside a quoted text write \\t)"}},
    {"ctrl4", good + "log: {level: \004info}\n", {"4:14: the control character U+0004; remove it"}},
    {"cr", "a: b\rc: d\n", {"1:5: a carriage return without a line feed; use ordinary line ends"}},
    {"dup",
     good + "log: {level: info}\nlog: {level: debug}\n",
     {"5:1: the key \"log\" stands here a second time; the first is in line 4"}},
    {"dup_inner",
     "organisation:\n  name: A\n  time_zone: Europe/Stockholm\n  name: B\n",
     {"4:3: the key \"name\" stands here a second time; the first is in line 2"}},
    {"anchor",
     "organisation: &o {name: A}\nweb: {base_url: x}\n",
     {"1:15: anchors (&) and aliases (*) are not supported; write the value out"}},
    {"alias",
     "a: &x 1\nb: *x\n",
     {"1:4: anchors (&) and aliases (*) are not supported; write the value out",
      "2:4: anchors (&) and aliases (*) are not supported; write the value out"}},
    {"merge", "a:\n  <<: {b: 1}\n", {"2:3: the merge key << is not supported; write the keys out"}},
    {"tag", "a: !!str 1\n", {"1:4: tags (!) are not supported; put text in quotes"}},
    {"tag_own", "a: !secret file\n", {"1:4: tags (!) are not supported; put text in quotes"}},
    {"tag_bang", "a: ! b\n", {"1:4: tags (!) are not supported; put text in quotes"}},
    {"tag_map", "a: !!map {b: 1}\n", {"1:4: tags (!) are not supported; put text in quotes"}},
    {"key_number", "1: a\n", {"1:1: a key must be text; put it in quotes if that is what you mean"}},
    {"key_true", "true: a\n", {"1:1: a key must be text; put it in quotes if that is what you mean"}},
    {"key_list", "[a, b]: c\n", {"1:1: a key must be text, not a list or a mapping"}},
    {"key_empty", "a: {: b}\n", {"1:5: a key must be text; put it in quotes if that is what you mean"}},
    {"second_doc", "a: 1\n---\nb: 2\n", {"2:1: a second document; the file must hold one"}},
    {"second_doc_first_marked", "---\na: 1\n---\nb: 2\n", {"3:1: a second document; the file must hold one"}},
    {"unfit", "- a\nb: c\n", {"2:1: this line does not belong to what stands above it; check its indentation"}},
    {"indent", "a:\n  b: 1\n c: 2\n", {"3:2: this line does not fit the ones above it; check its indentation"}},
    {"indent2",
     "web:\n  listen: x\n   base_url: y\n",
     {"3:12: a \": \" that does not belong here; check the indentation, or put text that contains it in quotes"}},
    {"unclosed_flow",
     "web: {listen: x\nmail: {from: y}\n",
     {"2:5: a { is not closed by } or a comma is missing before this place"}},
    {"unclosed_list", "a: [1, 2\nb: 3\n", {"2:2: a [ is not closed by ] or a comma is missing before this place"}},
    {"unclosed_quote", "a: \"text\nb: c\n", {"1:4: a quoted text begins here and is never closed"}},
    {"colon",
     "a: b: c\n",
     {"1:5: a \": \" that does not belong here; check the indentation, or put text that contains it in quotes"}},
    {"stray_close", "a: 1 ]\nb: ]\n", {"2:4: a ] or } closes nothing, or not what was opened last"}},
    {"at", "a: @b\n", {"1:4: a character that cannot begin a value; put the text in quotes"}},
    {"backtick", "a: `b`\n", {"1:4: a character that cannot begin a value; put the text in quotes"}},
    {"escape", "a: \"\\q\"\n", {"1:7: this is not YAML: unknown escape character: q"}},
    {"empty", "", {"1:1: /: expected a mapping of keys to values, found nothing"}},
    {"comment_only", "# nothing\n", {"1:1: /: expected a mapping of keys to values, found nothing"}},
    {"list_root", "- a\n", {"1:1: /: expected a mapping of keys to values, found a list"}},
    {"text_root", "hello\n", {"1:1: /: expected a mapping of keys to values, found the text \"hello\""}},
    {"missing_all",
     "log: {level: info}\n",
     {"1:1: /: the key \"mail\" is missing: Sender and route of the mails",
      "1:1: /: the key \"organisation\" is missing: The organisation, and what its companies have in common",
      "1:1: /: the key \"web\" is missing: The public side: the pages that a link opens"}},
    {"unknown",
     good + "sorces: []\n",
     {"4:1: /sorces: unknown key; did you mean \"sources\"? Allowed here: " + top_level}},
    {"unknown2",
     "organisation: {name: A, time_zone: Europe/Stockholm, locle: sv, foo: 1}\nweb: {base_url: "
     "\"https://x.example.com\"}\nmail: {from: a@example.com, fron: b}\n",
     {"1:54: /organisation/locle: unknown key; did you mean \"locale\"? Allowed here: auto_invite, holidays, "
      "lead_days, "
      "leaver_days, locale, mails_per_minute, name, phase, send_hour, sign_in, time_zone, valid_days, working_days",
      "1:65: /organisation/foo: unknown key; allowed here: auto_invite, holidays, lead_days, leaver_days, locale, "
      "mails_per_minute, name, phase, send_hour, sign_in, time_zone, valid_days, working_days",
      "3:29: /mail/fron: unknown key; did you mean \"from\"? Allowed here: from, max_attempts, reply_to, transport"}},
    {"nospace",
     good + "log: {level:info}\n",
     {"4:7: /log/level:info: unknown key; did you mean \"level: info\", with a space? Allowed here: level"}},
    {"locale_enum",
     "organisation: {name: A, time_zone: Europe/Stockholm, locale: se}\n" + good_web_mail,
     {"1:54: /organisation/locale: the text \"se\" is not one of the choices; did you mean \"sv\"? Allowed: sv, en"}},
    {"locale_no",
     "organisation: {name: A, time_zone: Europe/Stockholm, locale: no}\n" + good_web_mail,
     {"1:54: /organisation/locale: the text \"no\" is not one of the choices; allowed: sv, en"}},
    {"name_number",
     "organisation: {name: 1845, time_zone: Europe/Stockholm}\n" + good_web_mail,
     {"1:16: /organisation/name: expected text, found the number 1845; put it in quotes"}},
    {"name_empty",
     "organisation: {name: \"\", time_zone: Europe/Stockholm}\n" + good_web_mail,
     {"1:16: /organisation/name: the text is empty; allowed: 1 to 200 characters"}},
    {"name_null",
     "organisation: {name: , time_zone: Europe/Stockholm}\n" + good_web_mail,
     {"1:16: /organisation/name: expected text, found nothing"}},
    {"hour_text",
     "organisation: {name: A, time_zone: Europe/Stockholm, send_hour: \"09:00\"}\n" + good_web_mail,
     {"1:54: /organisation/send_hour: expected a whole number from 0 to 23, found the text \"09:00\""}},
    {"hour_09",
     "organisation: {name: A, time_zone: Europe/Stockholm, send_hour: 09}\n" + good_web_mail,
     {"1:54: /organisation/send_hour: expected a whole number from 0 to 23, found the text \"09\""}},
    {"hour_24",
     "organisation: {name: A, time_zone: Europe/Stockholm, send_hour: 24}\n" + good_web_mail,
     {"1:54: /organisation/send_hour: the number 24 is out of range; allowed: a whole number from 0 to 23"}},
    {"hour_float",
     "organisation: {name: A, time_zone: Europe/Stockholm, send_hour: 9.5}\n" + good_web_mail,
     {"1:54: /organisation/send_hour: expected a whole number from 0 to 23, found the number 9.5"}},
    {"neg_lead",
     "organisation: {name: A, time_zone: Europe/Stockholm, lead_days: -1}\n" + good_web_mail,
     {"1:54: /organisation/lead_days: the number -1 is out of range; allowed: a whole number from 0 to 60"}},
    {"valid0",
     "organisation: {name: A, time_zone: Europe/Stockholm, valid_days: 0}\n" + good_web_mail,
     {"1:54: /organisation/valid_days: the number 0 is out of range; allowed: a whole number from 1 to 60"}},
    {"phase",
     "organisation: {name: A, time_zone: Europe/Stockholm, phase: Live}\n" + good_web_mail,
     {"1:54: /organisation/phase: the text \"Live\" is not one of the choices; did you mean \"live\"? Allowed: "
      "preparation, live"}},
    {"auto",
     "organisation: {name: A, time_zone: Europe/Stockholm, auto_invite: true}\n" + good_web_mail,
     {"1:54: /organisation/auto_invite: expected one of hires, all, none; found true"}},
    {"org_list",
     "organisation: [A]\n" + good_web_mail,
     {"1:1: /organisation: expected a mapping of keys to values, found a list"}},
    {"company_key_missing",
     good + "companies:\n  - {name: North}\n",
     {"5:5: /companies/0: the key \"key\" is missing: The short name that imports and commands use; unique, upper and "
      "lower case are the same"}},
    {"company_key_bad",
     good + "companies:\n  - {key: \"no rth\"}\n",
     {"5:6: /companies/0/key: the text \"no rth\" does not have the right form; allowed: 1 to 64 of the characters A-Z "
      "a-z 0-9 . _ - beginning with a letter or digit"}},
    {"company_key_number",
     good + "companies:\n  - {key: 12}\n",
     {"5:6: /companies/0/key: expected text, found the number 12; put it in quotes"}},
    {"company_dup",
     good + "companies:\n  - {key: north}\n  - {key: North}\n",
     {"6:6: /companies/1/key: the key \"North\" is taken by /companies/0; each company needs its own"}},
    {"company_zone",
     good + "companies:\n  - {key: north, time_zone: Europe/Helsinky}\n",
     {"5:18: /companies/0/time_zone: this system knows no time zone \"Europe/Helsinky\"; did you mean "
      "\"Europe/Helsinki\"?"}},
    {"companies_map", good + "companies: {north: {}}\n", {"4:1: /companies: expected a list, found a mapping"}},
    {"sources_empty", good + "sources: []\n", {"4:1: /sources: the list is empty; allowed: 1 or more elements"}},
    {"source_noplugin",
     good + "sources:\n  - {name: hr}\n",
     {"5:5: /sources/0: the key \"plugin\" is missing: Name of the plugin, as invitectl plugin list shows it"}},
    {"source_dup",
     good + "sources:\n  - {name: hr, plugin: file}\n  - {name: hr, plugin: manual}\n",
     {"6:6: /sources/1/name: the name \"hr\" is taken by /sources/0; each needs its own"}},
    {"interval",
     good + "sources:\n  - {name: hr, plugin: file, interval_s: 0}\n",
     {"5:30: /sources/0/interval_s: the number 0 is out of range; allowed: a whole number from 1 to 86400"}},
    {"interval_transport",
     good + "transports:\n  - {name: relay, plugin: smtp, interval_s: 5}\n",
     {"5:33: /transports/0/interval_s: unknown key; allowed here: config, isolation, name, plugin"}},
    {"isolation",
     good + "sources:\n  - {name: hr, plugin: file, isolation: process}\n",
     {"5:30: /sources/0/isolation: a process of its own is not available in this version; allowed: inline"}},
    {"isolation_bad",
     good + "sources:\n  - {name: hr, plugin: file, isolation: proces}\n",
     {"5:30: /sources/0/isolation: the text \"proces\" is not one of the choices; did you mean \"process\"? Allowed: "
      "inline, process"}},
    {"config_list",
     good + "sources:\n  - {name: hr, plugin: file, config: []}\n",
     {"5:30: /sources/0/config: expected a mapping of keys to values, found a list"}},
    {"plugin_path",
     good + "sources:\n  - {name: hr, plugin: ../evil}\n",
     {"5:16: /sources/0/plugin: the text \"../evil\" does not have the right form; allowed: 1 to 64 of the characters "
      "A-Z a-z 0-9 . _ - beginning with a letter or digit"}},
    {"zone",
     "organisation: {name: A, time_zone: Europe/Stokholm}\n" + good_web_mail,
     {"1:25: /organisation/time_zone: this system knows no time zone \"Europe/Stokholm\"; did you mean "
      "\"Europe/Stockholm\"?"}},
    {"zone_abbr",
     "organisation: {name: A, time_zone: Nowhere}\n" + good_web_mail,
     {"1:25: /organisation/time_zone: this system knows no time zone \"Nowhere\"; allowed: an IANA name such as "
      "Europe/Stockholm"}},
    {"zone_path",
     "organisation: {name: A, time_zone: ../../etc/passwd}\n" + good_web_mail,
     {"1:25: /organisation/time_zone: this system knows no time zone \"../../etc/passwd\"; allowed: an IANA name such "
      "as Europe/Stockholm"}},
    {"http",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"http://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"http://invite.example.com\" is not encrypted: anybody on the way could use the link (http "
      "is only allowed for loopback addresses); allowed: such as https://invite.example.com"}},
    {"ftp",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"ftp://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"ftp://invite.example.com\" is neither https nor http; allowed: such as "
      "https://invite.example.com"}},
    {"query",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com/?a=b\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"https://invite.example.com/?a=b\" has a query (?) or fragment (#); allowed: such as "
      "https://invite.example.com"}},
    {"path",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com/in\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"https://invite.example.com/in\" has a path; the pages need a host name of their own; "
      "allowed: such as https://invite.example.com"}},
    {"userinfo",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://u:p@invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"https://u:p@invite.example.com\" holds a user name or password, which would stand in "
      "every link; allowed: such as https://invite.example.com"}},
    {"nourl",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: \"invite.example.com\"}\nmail: "
     "{from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"invite.example.com\" is not a URL; allowed: such as https://invite.example.com"}},
    {"urlspace",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: \"https://invite "
     "example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/base_url: \"https://invite example.com\" is not a URL; allowed: such as https://invite.example.com"}},
    {"listen",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: localhost, base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: \"localhost\" has no port; allowed: an address and a port, such as 127.0.0.1:8620 or "
      "[::1]:8620"}},
    {"listen_host",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: \"localhost:80\", base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: \"localhost:80\" does not begin with an IP address; allowed: an address and a port, such as "
      "127.0.0.1:8620 or [::1]:8620"}},
    {"listen_star",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: \"*:80\", base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: \"*:80\" does not say which address (0.0.0.0 or [::] mean all); allowed: an address and a "
      "port, such as 127.0.0.1:8620 or [::1]:8620"}},
    {"listen_port",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: \"127.0.0.1:99999\", base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: \"127.0.0.1:99999\" has no port from 0 to 65535 after its last colon; allowed: an address and "
      "a port, such as 127.0.0.1:8620 or [::1]:8620"}},
    {"listen_number",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: 8620, base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: expected text, found the number 8620; put it in quotes"}},
    {"listen_v6",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {listen: \"::1:8620\", base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/listen: \"::1:8620\" does not begin with an IP address; allowed: an address and a port, such as "
      "127.0.0.1:8620 or [::1]:8620"}},
    {"proxy",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {client_address_header: X-Forwarded-For, "
     "base_url: \"https://invite.example.com\"}\nmail: {from: no-reply@example.com}\n",
     {"2:7: /web/client_address_header: the text \"X-Forwarded-For\" is not one of the choices; did you mean "
      "\"x-forwarded-for\"? Allowed: none, x-real-ip, x-forwarded-for"}},
    {"from_no_at",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {from: no-reply.example.com}\n",
     {"3:8: /mail/from: \"no-reply.example.com\" has no @; allowed: such as Example AB <no-reply@example.com> or "
      "no-reply@example.com"}},
    {"from_two",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {from: \"A <a@example.com>, B <b@example.com>\"}\n",
     {"3:8: /mail/from: \"A <a@example.com>, B <b@example.com>\" does not have one address in < and > at its end; "
      "allowed: such as Example AB <no-reply@example.com> or no-reply@example.com"}},
    {"dns_server",
     good + "dns: {servers: [192.0.2.53, ns.example.com, \"192.0.2.53:0\", \"[192.0.2.53]\", \"[2001:db8::53:53\", "
            "\"127.0.0.1:65536\", \"fe80::1%lo\"]}\n",
     {not_a_server("4:29", 1, "ns.example.com"), not_a_server("4:45", 2, "192.0.2.53:0"),
      not_a_server("4:61", 3, "[192.0.2.53]"), not_a_server("4:77", 4, "[2001:db8::53:53"),
      not_a_server("4:97", 5, "127.0.0.1:65536"), not_a_server("4:116", 6, "fe80::1%lo")}},
    {"dns_numbers",
     good + "dns: {timeout_ms: 99, tries: 0}\ndomains: {lapse_after_days: 0}\n",
     {"4:7: /dns/timeout_ms: the number 99 is out of range; allowed: a whole number from 100 to 30000",
      "4:23: /dns/tries: the number 0 is out of range; allowed: a whole number from 1 to 5",
      "5:11: /domains/lapse_after_days: the number 0 is out of range; allowed: a whole number from 1 to 90"}},
    {"from_domain",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {from: \"A <a@exa_mple.com>\"}\n",
     {"3:8: /mail/from: \"exa_mple.com\" is not a mail domain: it has a character that domain names may not have; "
      "allowed: such as Example AB <no-reply@example.com> or no-reply@example.com"}},
    {"from_injection",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {from: \"A\\r\\nBcc: x@example.com <a@example.com>\"}\n",
     {"3:8: /mail/from: the address has U+000D at octet 2; allowed: such as Example AB "
      "<no-reply@example.com> or no-reply@example.com"}},
    {"from_utf8",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {from: \"björn@example.com\"}\n",
     {"3:8: /mail/from: the part before the @ must be ASCII, so that every mail server can answer; allowed: such as "
      "Example AB <no-reply@example.com> or no-reply@example.com"}},
    {"reply",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {reply_to: nobody, from: no-reply@example.com}\n",
     {"3:8: /mail/reply_to: \"nobody\" has no @; allowed: such as Example AB <no-reply@example.com> or "
      "no-reply@example.com"}},
    {"attempts",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {max_attempts: 0, from: no-reply@example.com}\n",
     {"3:8: /mail/max_attempts: the number 0 is out of range; allowed: a whole number from 1 to 100"}},
    {"transport_unknown",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {transport: relay, from: no-reply@example.com}\n",
     {"3:8: /mail/transport: there is no \"relay\": the file lists no transports, so there is only maildir"}},
    {"transport_typo",
     "organisation: {name: Example AB, time_zone: Europe/Stockholm}\nweb: {base_url: "
     "\"https://invite.example.com\"}\nmail: {transport: realy, from: no-reply@example.com}\ntransports:\n  - {name: "
     "relay, plugin: smtp}\n",
     {"3:8: /mail/transport: transports has no \"realy\"; allowed: relay"}},
    {"transport_many",
     good + "transports:\n  - {name: relay, plugin: smtp}\n  - {name: backup, plugin: smtp}\n",
     {"3:1: /mail/transport: transports has more than one; say which: relay, backup"}},
    {"identity_unknown",
     good + "identity: entra\n",
     {"4:1: /identity: there is no \"entra\": the file lists no identities, so there is only directory"}},
    {"allowed",
     good + "allowed_domains: [example.com, \"@example.org\"]\n",
     {"4:32: /allowed_domains/1: \"@example.org\" is not a mail domain: it has a character that domain names may not "
      "have"}},
    {"allowed_suffix",
     good + "allowed_domains: [co.uk]\n",
     {"4:19: /allowed_domains/0: \"co.uk\" is not a mail domain: it is a public suffix under which others register"}},
    {"role_group",
     good + "control: {roles: {viewer: \"HR Staff\"}}\n",
     {"4:19: /control/roles/viewer: the text \"HR Staff\" does not have the right form; allowed: the name of a Unix "
      "group"}},
    {"role_unknown",
     good + "control: {roles: {auditor: hr}}\n",
     {"4:19: /control/roles/auditor: unknown key; allowed here: admin, operator, viewer"}},
    {"keys_dup",
     good + "link_keys: [{id: 1, credential: a}, {id: 1, credential: b}]\n",
     {"4:38: /link_keys/1/id: the id 1 is taken by another key; each needs its own"}},
    {"keys_id",
     good + "link_keys: [{id: 32, credential: a}]\n",
     {"4:14: /link_keys/0/id: the number 32 is out of range; allowed: a whole number from 0 to 31"}},
    {"keys_cred",
     good + "link_keys: [{id: 1, credential: ../a}]\n",
     {"4:21: /link_keys/0/credential: the text \"../a\" does not have the right form; allowed: 1 to 64 of the "
      "characters A-Z a-z 0-9 . _ - beginning with a letter or digit"}},
    {"loglevel",
     good + "log: {level: warn}\n",
     {"4:7: /log/level: the text \"warn\" is not one of the choices; allowed: trace, debug, info, warning, error"}},
    {"limits",
     good + "limits: {cooldown_minutes: soon}\n",
     {"4:10: /limits/cooldown_minutes: expected a whole number from 0 to 1440, found the text \"soon\""}},
    {"plugin_dirs_text",
     good + "plugin_dirs: /usr/lib\n",
     {"4:1: /plugin_dirs: expected a list, found the text \"/usr/lib\""}},
    {"state_dir_empty",
     good + "state_dir: \"\"\n",
     {"4:1: /state_dir: the text is empty; allowed: 1 or more characters"}},
    {"many",
     "organisation: {name: A, time_zone: Mars/Olympus, send_hour: 25}\nweb: {base_url: "
     "\"http://x.example.com\"}\nmail: {from: nobody, transport: x}\nfoo: 1\n",
     {"1:25: /organisation/time_zone: this system knows no time zone \"Mars/Olympus\"; allowed: an IANA name such as "
      "Europe/Stockholm",
      "1:50: /organisation/send_hour: the number 25 is out of range; allowed: a whole number from 0 to 23",
      "2:7: /web/base_url: \"http://x.example.com\" is not encrypted: anybody on the way could use the link (http is "
      "only allowed for loopback addresses); allowed: such as https://invite.example.com",
      "3:8: /mail/from: \"nobody\" has no @; allowed: such as Example AB <no-reply@example.com> or "
      "no-reply@example.com",
      "3:22: /mail/transport: there is no \"x\": the file lists no transports, so there is only maildir",
      "4:1: /foo: unknown key; allowed here: " + top_level}},
};

}  // namespace

TEST_CASE("each way to be wrong is named by line, column, place, fault and remedy") {
  REQUIRE(specimens.size() >= 40);
  for (const auto& specimen : specimens) {
    DYNAMIC_SECTION(specimen.name) {
      std::vector<std::string> expected;
      for (const auto& line : specimen.expected) expected.push_back("invited.yaml:" + line);
      CHECK(refused(specimen.text) == expected);
    }
  }
}

TEST_CASE("the smallest file is enough, and every default is the one that is promised") {
  const auto c = accepted(good);
  const auto& policy = c.policies.organisation();
  CHECK(policy.company.empty());
  CHECK(policy.name == "Example AB");
  CHECK(policy.zone == "Europe/Stockholm");
  CHECK(policy.locale == "sv");
  CHECK(policy.send_hour == 9);
  CHECK(policy.lead_days == 1);
  CHECK(policy.valid_days == 5);
  CHECK(policy.leaver_days == 5);
  CHECK(policy.auto_invite == model::AutoInvite::hires);
  CHECK(policy.phase == model::Phase::live);
  CHECK(policy.allowed_domains.empty());
  CHECK(c.policies.companies().empty());
  CHECK(c.state_dir == "/var/lib/invited");
  CHECK(c.control.socket == "/run/invited/control.sock");
  CHECK(c.control.viewer_group == "invited-viewer");
  CHECK(c.control.operator_group == "invited-operator");
  CHECK(c.control.admin_group == "invited-admin");
  CHECK(c.web.listen == "127.0.0.1:8620");
  CHECK(c.web.base_url == "https://invite.example.com");
  CHECK(c.web.client_address_header == config::ClientAddressHeader::none);
  CHECK(c.mail.from.name.empty());
  CHECK(c.mail.from.address == "no-reply@example.com");
  CHECK_FALSE(c.mail.reply_to);
  CHECK(c.mail.transport == "maildir");
  CHECK(c.mail.max_attempts == 12);
  REQUIRE(c.sources.size() == 2);
  CHECK(c.sources[0].plugin == "manual");
  CHECK(c.sources.at(1).plugin == "file");
  REQUIRE(c.transports.size() == 1);
  CHECK(c.transports[0].embedded);
  CHECK(c.transports[0].plugin == "maildir");
  CHECK(boost::json::serialize(c.transports[0].config) == R"({"path":"/var/lib/invited/outbox"})");
  REQUIRE(c.identities.size() == 1);
  CHECK(c.identities[0].plugin == "directory");
  CHECK(c.identity == "directory");
  REQUIRE(c.plugin_dirs.size() == 1);
  CHECK(c.plugin_dirs[0].is_absolute());
  CHECK_FALSE(c.templates_dir);
  CHECK(c.link_keys.empty());
  CHECK(c.limits.cooldown_minutes == 10);
  CHECK(c.limits.new_links_per_hour == 3);
  CHECK(c.limits.import_max_mib == 64);
  CHECK(c.dns.servers.empty());
  CHECK(c.dns.timeout_ms == 2'000);
  CHECK(c.dns.tries == 2);
  CHECK(c.domains.recheck_hours == 24);
  CHECK(c.domains.pending_recheck_minutes == 60);
  CHECK(c.domains.lapse_after_days == 3);
  CHECK(c.log_level == core::log::Level::info);
}

TEST_CASE("DNS servers are IP addresses, each with its port") {
  const auto c = accepted(good +
                          "dns: {servers: [\"127.0.0.1:5353\", 192.0.2.53, \"2001:db8::53\", \"[2001:DB8::54]\", "
                          "\"[::1]:5353\"], timeout_ms: 300, tries: 1}\n"
                          "domains: {recheck_hours: 12, pending_recheck_minutes: 5, lapse_after_days: 7}\n");
  CHECK(c.dns.servers == std::vector<std::string>{"127.0.0.1:5353", "192.0.2.53:53", "[2001:db8::53]:53",
                                                  "[2001:db8::54]:53", "[::1]:5353"});
  CHECK(c.dns.timeout_ms == 300);
  CHECK(c.dns.tries == 1);
  CHECK(c.domains.recheck_hours == 12);
  CHECK(c.domains.pending_recheck_minutes == 5);
  CHECK(c.domains.lapse_after_days == 7);
}

TEST_CASE("the public shape loads as it is written") {
  const auto c = accepted(R"(organisation: {name: "Example AB", time_zone: Europe/Stockholm, locale: sv}
companies:
  - {key: north, name: "Example North", time_zone: Europe/Helsinki, locale: en}
state_dir: /var/lib/invited
control: {socket: /run/invited/control.sock}
web: {listen: "127.0.0.1:8620", base_url: "https://invite.example.com"}
mail: {from: "Example AB <no-reply@example.com>", transport: relay}
sources:
  - {name: manual, plugin: manual}
  - {name: hr, plugin: file, config: {path: /var/lib/invited/import}}
transports:
  - {name: relay, plugin: smtp, config: {url: "smtp://127.0.0.1:2525", connections: 8}}
identities:
  - {name: directory, plugin: directory, config: {sign_in_url: "https://login.example.com"}}
plugin_dirs: [/usr/lib/x86_64-linux-gnu/invited/plugins]
)");
  CHECK(c.policies.of("north").name == "Example North");
  CHECK(c.policies.of("north").zone == "Europe/Helsinki");
  CHECK(c.policies.of("north").locale == "en");
  CHECK(c.mail.from.name == "Example AB");
  CHECK(c.mail.from.address == "no-reply@example.com");
  CHECK(c.mail.transport == "relay");
  REQUIRE(c.sources.size() == 2);
  CHECK(c.sources[1].name == "hr");
  CHECK(c.sources[1].interval_s == 300);
  CHECK(boost::json::serialize(c.sources[1].config) == R"({"path":"/var/lib/invited/import"})");
  CHECK_FALSE(c.sources[1].embedded);
  CHECK(boost::json::serialize(c.transports[0].config) == R"({"url":"smtp://127.0.0.1:2525","connections":8})");
  CHECK(c.plugin_dirs == std::vector<std::filesystem::path>{"/usr/lib/x86_64-linux-gnu/invited/plugins"});
  CHECK(c.where("/sources/1/config/path") == "invited.yaml:10:39");
}

TEST_CASE("a company inherits what it does not say, and only that") {
  const auto c = accepted(
      "organisation: {name: A, time_zone: Europe/Stockholm, locale: en, send_hour: 7, lead_days: 2, valid_days: 6, "
      "phase: "
      "preparation, auto_invite: all, leaver_days: 9}\n" +
      good_web_mail +
      "allowed_domains: [Example.com]\n"
      "companies:\n"
      "  - {key: silent}\n"
      "  - {key: loud, name: B, time_zone: Asia/Tokyo, locale: sv, send_hour: 0, lead_days: 0, valid_days: 1, phase: "
      "live, "
      "auto_invite: none, leaver_days: 0, allowed_domains: [\"*.Exämple.org\"]}\n");
  const auto& silent = c.policies.of("silent");
  CHECK(silent.company == "silent");
  CHECK(silent.name == "A");
  CHECK(silent.zone == "Europe/Stockholm");
  CHECK(silent.locale == "en");
  CHECK(silent.send_hour == 7);
  CHECK(silent.lead_days == 2);
  CHECK(silent.valid_days == 6);
  CHECK(silent.phase == model::Phase::preparation);
  CHECK(silent.auto_invite == model::AutoInvite::all);
  CHECK(silent.leaver_days == 9);
  CHECK(silent.allowed_domains == std::vector<std::string>{"example.com"});
  const auto& loud = c.policies.of("loud");
  CHECK(loud.name == "B");
  CHECK(loud.zone == "Asia/Tokyo");
  CHECK(loud.locale == "sv");
  CHECK(loud.send_hour == 0);
  CHECK(loud.lead_days == 0);
  CHECK(loud.valid_days == 1);
  CHECK(loud.phase == model::Phase::live);
  CHECK(loud.auto_invite == model::AutoInvite::none);
  CHECK(loud.leaver_days == 0);
  CHECK(loud.allowed_domains == std::vector<std::string>{"*.xn--exmple-cua.org"});
  CHECK(c.policies.of("").name == "A");
}

TEST_CASE("relative paths count from the file, absolute ones stay") {
  const auto c = accepted(good +
                          "state_dir: ../state\n"
                          "control: {socket: run/c.sock}\n"
                          "plugin_dirs: [plugins, /opt/plugins]\n"
                          "templates_dir: ./templates\n");
  CHECK(c.state_dir == "/etc/state");
  CHECK(c.control.socket == "/etc/invited/run/c.sock");
  CHECK(c.plugin_dirs == std::vector<std::filesystem::path>{"/etc/invited/plugins", "/opt/plugins"});
  CHECK(c.templates_dir == std::filesystem::path("/etc/invited/templates"));
  CHECK(boost::json::serialize(c.transports[0].config) == R"({"path":"/etc/state/outbox"})");
}

TEST_CASE("addresses, URLs and choices that are unusual but right are accepted") {
  const auto from = [](const std::string& text) {
    return accepted(good_web_mail.substr(0, good_web_mail.find("mail:")) + good.substr(0, good.find('\n') + 1) +
                    "mail: {from: " + text + "}\n")
        .mail.from;
  };
  CHECK(from(R"('"Example, AB" <No-Reply@EXAMPLE.com>')").name == "Example, AB");
  CHECK(from(R"('"Example, AB" <No-Reply@EXAMPLE.com>')").address == "No-Reply@example.com");
  CHECK(from(R"("Företaget <a@exämple.com>")").name == "Företaget");
  CHECK(from(R"("Företaget <a@exämple.com>")").address == "a@xn--exmple-cua.com");

  const auto url = [](const std::string& text) {
    return accepted(good.substr(0, good.find('\n') + 1) + "mail: {from: a@example.com}\nweb: {base_url: \"" + text +
                    "\"}\n")
        .web.base_url;
  };
  CHECK(url("https://invite.example.com/") == "https://invite.example.com");
  CHECK(url("https://invite.example.com:8443") == "https://invite.example.com:8443");
  CHECK(url("http://127.0.0.1:8620") == "http://127.0.0.1:8620");
  CHECK(url("http://localhost:8620/") == "http://localhost:8620");
  CHECK(url("http://[::1]:8620") == "http://[::1]:8620");

  const auto listen = [](const std::string& text) {
    return accepted(good.substr(0, good.find('\n') + 1) +
                    "mail: {from: a@example.com}\nweb: {base_url: \"https://a.example.com\", listen: \"" + text +
                    "\"}\n")
        .web.listen;
  };
  CHECK(listen("[::1]:0") == "[::1]:0");
  CHECK(listen("0.0.0.0:65535") == "0.0.0.0:65535");

  const auto keys =
      accepted(good + "link_keys: [{id: 31, credential: old}, {id: 0, credential: secret_new}]\n").link_keys;
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].id == 31);
  CHECK(keys[1].credential == "secret_new");

  const auto chosen = accepted(good +
                               "identities: [{name: a, plugin: directory}, {name: b, plugin: directory}]\nidentity: b\n"
                               "log: {level: warning}\n");
  CHECK(chosen.identity == "b");
  CHECK(chosen.log_level == core::log::Level::warning);
  CHECK(accepted(good + "identities: [{name: a, plugin: directory}, {name: b, plugin: directory}]\n").identity == "a");
}

TEST_CASE("a place that the file does not mention is shown where it would stand") {
  const auto c = accepted(good);
  CHECK(c.where("/mail/from") == "invited.yaml:3:8");
  CHECK(c.where("/mail/transport") == "invited.yaml:3:1");
  CHECK(c.where("/log/level") == "invited.yaml:1:1");
}

TEST_CASE("a folder that is not there, or is none, is named where the file names it") {
  const Folder folder;
  std::ofstream(folder.path / "file") << "no folder";
  const auto c = accepted(good + "plugin_dirs: [" + folder.path.string() +
                          ", /nowhere/plugins]\ntemplates_dir: " + (folder.path / "file").string() + "\n");
  CHECK(config::check_folder(c, "/plugin_dirs/0", c.plugin_dirs[0]));
  const auto missing = config::check_folder(c, "/plugin_dirs/1", c.plugin_dirs[1]);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().kind == core::ErrorKind::invalid);
  CHECK(config::line(missing.error()) == fmt::format("invited.yaml:4:{}: /plugin_dirs/1: there is no folder "
                                                     "/nowhere/plugins",
                                                     17 + folder.path.string().size()));
  const auto file = config::check_folder(c, "/templates_dir", *c.templates_dir);
  REQUIRE_FALSE(file);
  CHECK(config::line(file.error()) ==
        "invited.yaml:5:1: /templates_dir: " + (folder.path / "file").string() + " is not a folder");
  // One that the file does not name: where it would stand.
  const auto silent = accepted(good);
  const auto embedded = config::check_folder(silent, "/plugin_dirs/0", "/nowhere/plugins");
  REQUIRE_FALSE(embedded);
  CHECK(config::line(embedded.error()) == "invited.yaml:1:1: /plugin_dirs/0: there is no folder /nowhere/plugins");
}

TEST_CASE("limits are named on both sides") {
  CHECK(refused("organisation: {name: \"" + std::string(201, 'x') + "\", time_zone: Europe/Stockholm}\n" +
                good_web_mail) ==
        std::vector<std::string>{"invited.yaml:1:16: /organisation/name: the text \"" + std::string(60, 'x') +
                                 "…\" has the wrong length; allowed: 1 to 200 characters"});
  CHECK(
      accepted("organisation: {name: \"" + std::string(200, 'x') + "\", time_zone: Europe/Stockholm}\n" + good_web_mail)
          .policies.organisation()
          .name.size() == 200);
  CHECK(refused(good + "control: {socket: /run/" + std::string(103, 'x') + "}\n") ==
        std::vector<std::string>{
            "invited.yaml:4:11: /control/socket: the path has 108 bytes; a Unix socket allows at most 107"});
  CHECK(accepted(good + "control: {socket: /run/" + std::string(102, 'x') + "}\n").control.socket.native().size() ==
        107);
  CHECK(refused("organisation: {name: \"" + std::string(3000, 'x') + "\", time_zone: Europe/Stockholm}\n" +
                good_web_mail) ==
        std::vector<std::string>{
            "invited.yaml:1:16: /organisation/name: the text has 3000 bytes; allowed: at most 2048"});
}

TEST_CASE("a mistake is named once, and hides no other in the same line") {
  CHECK(refused(good + "companies: [{key: a b}, {key: a b}]\n").size() == 2);
  CHECK(refused(good.substr(0, good.find("mail:")) +
                "mail: {}\ntransports: [{name: relay, plugin: smtp}, {name: backup, plugin: smtp}]\n") ==
        std::vector<std::string>{
            "invited.yaml:3:1: /mail: the key \"from\" is missing: Sender, as \"Example AB <no-reply@example.com>\"",
            "invited.yaml:3:1: /mail/transport: transports has more than one; say which: relay, backup"});
}

TEST_CASE("a file full of errors is answered with fifty and a count") {
  std::string text = good;
  for (int i = 0; i < 70; ++i) text += "unknown_" + std::to_string(i) + ": 1\n";
  const auto found = refused(text);
  REQUIRE(found.size() == 51);
  CHECK(found.back() == "invited.yaml: 20 more errors");
}

TEST_CASE("a file that cannot be read is named with the reason") {
  const Folder folder;
  const auto missing = config::load(folder.path / "none.yaml");
  REQUIRE_FALSE(missing);
  CHECK(lines(missing.error()) == std::vector<std::string>{"Cannot open " + (folder.path / "none.yaml").string() +
                                                           ": No such file or directory"});
  const auto is_folder = config::load(folder.path);
  REQUIRE_FALSE(is_folder);
  CHECK(is_folder.error().front().kind == core::ErrorKind::invalid);

  const auto file = folder.path / "big.yaml";
  std::ofstream(file) << std::string(config::max_yaml_bytes + 1, '#');
  const auto big = config::load(file);
  REQUIRE_FALSE(big);
  CHECK(big.error().front().kind == core::ErrorKind::too_large);
}

TEST_CASE("errors of a file carry the name the operator gave") {
  const Folder folder;
  const auto file = folder.path / "invited.yaml";
  std::ofstream(file) << good << "state_dir: state\n";
  const auto c = config::load(file);
  REQUIRE(c);
  CHECK(c->state_dir == folder.path / "state");
  std::ofstream(file, std::ios::app) << "colour: red\n";
  const auto bad = config::load(file);
  REQUIRE_FALSE(bad);
  CHECK(lines(bad.error()) ==
        std::vector<std::string>{file.string() + ":5:1: /colour: unknown key; allowed here: " + top_level});
}

TEST_CASE("the shipped file loads as it is, and mails nobody") {
  const auto text = read(std::filesystem::path(INVITED_SOURCE_DIR) / "config/invited.yaml");
  const auto c = accepted(text);
  CHECK(c.transports.at(0).plugin == "maildir");
  CHECK(c.transports.at(0).embedded);
}

TEST_CASE("every commented line of the shipped file is right once its mark is taken away") {
  const auto text = read(std::filesystem::path(INVITED_SOURCE_DIR) / "config/invited.yaml");
  const auto all = std::regex_replace(text, std::regex("(^|\\n)( *)# ( *(?:- \\{|[a-z_]+: ?)[^\\n]*)"), "$1$2$3");
  // A line commented inside a mapping keeps its indentation; two passes, since neighbours share a line end.
  const auto twice = std::regex_replace(all, std::regex("(^|\\n)( *)# ( *(?:- \\{|[a-z_]+: ?)[^\\n]*)"), "$1$2$3");
  REQUIRE(twice != text);
  const auto c = accepted(twice);
  CHECK(c.mail.transport == "relay");
  CHECK(c.policies.of("north").name == "Example North");
  CHECK(c.link_keys.size() == 1);
  CHECK(c.sources.size() == 2);
  CHECK(c.limits.new_links_per_hour == 3);
  CHECK(c.log_level == core::log::Level::info);
  // What is not marked as an example is the default.
  const auto plain = accepted(text);
  CHECK(c.state_dir == plain.state_dir);
  CHECK(c.control.socket == plain.control.socket);
  CHECK(c.control.operator_group == plain.control.operator_group);
  CHECK(c.web.listen == plain.web.listen);
  CHECK(c.mail.max_attempts == plain.mail.max_attempts);
  CHECK(c.limits.cooldown_minutes == plain.limits.cooldown_minutes);
  CHECK(c.limits.import_max_mib == plain.limits.import_max_mib);
  CHECK(c.dns.servers == plain.dns.servers);
  CHECK(c.dns.timeout_ms == plain.dns.timeout_ms);
  CHECK(c.domains.pending_recheck_minutes == plain.domains.pending_recheck_minutes);
  CHECK(c.domains.lapse_after_days == plain.domains.lapse_after_days);
  CHECK(c.policies.organisation().send_hour == plain.policies.organisation().send_hour);
  CHECK(c.policies.organisation().leaver_days == plain.policies.organisation().leaver_days);
  CHECK(c.sources.at(1).interval_s == 300);
}

TEST_CASE("the schema that is carried is the one that is shipped") {
  CHECK(config::schema_text() == read(std::filesystem::path(INVITED_SOURCE_DIR) / "config/invited.schema.json"));
}

TEST_CASE("a plugin's errors name line and column of the file, good configs get defaults and absolute paths") {
  const std::string schema = R"({"type": "object", "additionalProperties": false, "required": ["path"], "properties": {
      "path": {"description": "Folder to read", "type": "string", "format": "path"},
      "delimiter": {"type": "string", "enum": ["comma", "tab"], "default": "comma"},
      "skip": {"type": "integer", "minimum": 0, "default": 0}}})";
  auto c = accepted(good +
                    "sources:\n"
                    "  - name: hr\n"
                    "    plugin: file\n"
                    "    config: {path: import}\n"
                    "  - name: wrong\n"
                    "    plugin: file\n"
                    "    config:\n"
                    "      pth: import\n"
                    "      skip: \"2\"\n"
                    "  - {name: bare, plugin: file}\n");
  CHECK(config::apply_schema(c.sources.at(0), schema).empty());
  CHECK(boost::json::serialize(c.sources[0].config) ==
        R"({"path":"/etc/invited/import","delimiter":"comma","skip":0})");

  const auto before = boost::json::serialize(c.sources.at(1).config);
  CHECK(lines(config::apply_schema(c.sources[1], schema)) ==
        std::vector<std::string>{
            "invited.yaml:10:5: /sources/1/config: the key \"path\" is missing: Folder to read",
            "invited.yaml:11:7: /sources/1/config/pth: unknown key; did you mean \"path\"? Allowed here: delimiter, "
            "path, skip",
            "invited.yaml:12:7: /sources/1/config/skip: expected a whole number, 0 or more, found the text \"2\""});
  CHECK(boost::json::serialize(c.sources[1].config) == before);

  CHECK(lines(config::apply_schema(c.sources.at(2), schema)) ==
        std::vector<std::string>{"invited.yaml:13:5: /sources/2/config: the key \"path\" is missing: Folder to read"});

  const auto broken = config::apply_schema(c.sources.at(0), "{");
  REQUIRE(broken.size() == 1);
  CHECK(broken[0].code == "bad_schema");
  CHECK(broken[0].location == "invited.yaml:7:5");
  CHECK(broken[0].message.starts_with("plugin \"file\": the configuration schema is not usable: "));
}

TEST_CASE("a plugin may keep a file in the state folder without being told its path") {
  const std::string schema = R"({"type": "object", "additionalProperties": false, "properties": {
      "path": {"type": "string", "format": "path", "x-default-in-state-dir": "directory.jsonl"}}})";
  auto c = accepted(good +
                    "state_dir: /srv/invited\n"
                    "identities:\n"
                    "  - {name: directory, plugin: directory}\n"
                    "  - {name: other, plugin: directory, config: {path: other.jsonl}}\n");
  CHECK(config::apply_schema(c.identities.at(0), schema).empty());
  CHECK(boost::json::serialize(c.identities[0].config) == R"({"path":"/srv/invited/directory.jsonl"})");
  CHECK(config::apply_schema(c.identities.at(1), schema).empty());
  CHECK(boost::json::serialize(c.identities[1].config) == R"({"path":"/etc/invited/other.jsonl"})");
}

TEST_CASE("an embedded default that does not fit its plugin is named, too") {
  auto c = accepted(good);
  const auto errors = config::apply_schema(c.identities.at(0), R"({"type": "object", "required": ["x"]})");
  REQUIRE(errors.size() == 1);
  CHECK(config::line(errors[0]) == "invited.yaml:1:1: /identities: the key \"x\" is missing");
}

TEST_CASE("review flows and templates are read, with the default flow beside them") {
  const auto config =
      accepted(good +
               "companies: [{key: north, name: North}]\n"
               "review_flows:\n"
               "  - {name: office, four_eyes: true, steps: [{name: manager}, {name: hr, after: manager}]}\n"
               "  - {name: off, active: false, steps: [{name: any}]}\n"
               "user_templates:\n"
               "  - {name: staff, company: north, department: Sales, roles: [b, a], locale: en, leaver_days: 30,\n"
               "     user_id: '{given:1}{family}', login_email: '{given}.{family}@north.example.com'}\n"
               "employment_templates:\n"
               "  - {name: permanent, user_template: staff, review_flow: office}\n"
               "  - {name: hourly}\n");
  const auto& flows = config.policies.flows();
  CHECK(flows.all().size() == 3);
  CHECK(flows.of("nothing like it").steps.front().name == "approval");
  CHECK(flows.of("office").four_eyes);
  CHECK(flows.of("office").steps.at(1).after == "manager");
  CHECK_FALSE(flows.of("off").active);
  const auto& templates = config.policies.templates();
  REQUIRE(templates.user_of_employment("permanent") != nullptr);
  const auto& staff = *templates.user_of_employment("permanent");
  CHECK(staff.company == "north");
  CHECK(staff.roles == std::vector<std::string>{"a", "b"});
  CHECK(staff.leaver_days == 30);
  CHECK(templates.employment("hourly")->review_flow.empty());
}

TEST_CASE("review flows and templates that cannot be meant are refused, each with its place") {
  const auto said = [](const std::string& text) {
    const auto all = refused(good + text);
    REQUIRE(all.size() == 1);
    return all.front().substr(std::string("invited.yaml:").size());
  };
  CHECK(said("review_flows: [{name: a, steps: [{name: x, after: y}, {name: y}]}]\n") ==
        "4:44: /review_flows/0/steps/0/after: \"y\" is not an earlier step of this flow; a step may only wait for one "
        "that stands before it");
  CHECK(said("review_flows: [{name: a, steps: [{name: x}, {name: X}]}]\n") ==
        "4:46: /review_flows/0/steps/1/name: the flow has a step \"X\" already; each needs a name of its own");
  CHECK(said("review_flows: [{name: a, steps: [{name: x}]}, {name: A, steps: [{name: x}]}]\n") ==
        "4:48: /review_flows/1/name: the name \"A\" is taken by /review_flows/0; each needs its own");
  CHECK(said("employment_templates: [{name: a, user_template: none}]\n") ==
        "4:34: /employment_templates/0/user_template: /user_templates has no \"none\"");
  CHECK(said("employment_templates: [{name: a, review_flow: none}]\n") ==
        "4:34: /employment_templates/0/review_flow: /review_flows has no \"none\"");
  CHECK(said("user_templates: [{name: a, company: none}]\n") ==
        "4:28: /user_templates/0/company: /companies has no key \"none\"");
  CHECK(said("user_templates: [{name: a}, {name: A}]\n") ==
        "4:30: /user_templates/1/name: the name \"A\" is taken; each needs its own");
  CHECK(said("user_templates: [{name: a, user_id: 'fixed'}]\n") ==
        "4:28: /user_templates/0/user_id: \"fixed\" would be the same for everybody; allowed: text with {given}, "
        "{family}, {given:N} or {family:N}");
  CHECK(said("user_templates: [{name: a, login_email: '{given}'}]\n").find("does not make addresses") !=
        std::string::npos);
}

TEST_CASE("how people sign in is read, a company overrides what it says and keeps the rest") {
  const auto config = accepted(
      "organisation:\n"
      "  name: Example AB\n"
      "  time_zone: Europe/Stockholm\n"
      "  phase: preparation\n"
      "  sign_in: {url: \"https://login.example.com\", help: {sv: Ring 12, en: Call 12}, ready_mail: true}\n"
      "companies:\n"
      "  - {key: north, sign_in: {url: \"https://north.example.com\", ready_mail: false}}\n"
      "  - {key: south, sign_in: {help: {sv: Ring 34, en: Call 34}}}\n"
      "limits: {self_service_minutes: 45}\n" +
      good_web_mail);
  const auto& all = config.policies.organisation().sign_in;
  CHECK(all.url == "https://login.example.com");
  CHECK(all.help("sv") == "Ring 12");
  CHECK(all.help("en") == "Call 12");
  CHECK(all.ready_mail);
  CHECK(all.address("https://provider.example.com") == "https://login.example.com");
  const auto& north = config.policies.of("north").sign_in;
  CHECK(north.url == "https://north.example.com");
  CHECK(north.help("en") == "Call 12");
  CHECK_FALSE(north.ready_mail);
  const auto& south = config.policies.of("south").sign_in;
  CHECK(south.url == "https://login.example.com");
  CHECK(south.help("sv") == "Ring 34");
  CHECK(south.ready_mail);
  CHECK(config.limits.self_service_minutes == 45);
}

TEST_CASE("without a word about signing in, the provider's address counts and no mail is sent") {
  const auto config = accepted(good);
  const auto& none = config.policies.organisation().sign_in;
  CHECK(none.address("https://provider.example.com") == "https://provider.example.com");
  CHECK(none.help("sv").empty());
  CHECK_FALSE(none.ready_mail);
  CHECK(config.limits.self_service_minutes == 30);
}

TEST_CASE("what cannot be said about signing in is refused, each with its place") {
  const auto said = [](const std::string& sign_in) {
    const auto all =
        refused("organisation: {name: A, time_zone: Europe/Stockholm, sign_in: " + sign_in + "}\n" + good_web_mail);
    return all.size() == 1 ? all.front().substr(all.front().find("/organisation")) : std::to_string(all.size());
  };
  for (const std::string url : {"http://login.example.com", "login.example.com", "javascript:alert(1)", "https://",
                                "https://me:pw@example.com"})
    CHECK(said("{url: \"" + url + "\"}") ==
          "/organisation/sign_in/url: \"" + url +
              "\" is no address of a sign-in page; allowed: such as https://login.example.com");
  // Nobody can listen in between.
  CHECK(accepted("organisation: {name: A, time_zone: Europe/Stockholm, sign_in: {url: \"http://127.0.0.1:80\"}}\n" +
                 good_web_mail)
            .policies.organisation()
            .sign_in.url == "http://127.0.0.1:80");
  CHECK(said("{help: {sv: \"a\\nb\", en: c}}") ==
        "/organisation/sign_in/help/sv: the text has U+000A at octet 2; allowed: one paragraph without line breaks, "
        "control characters and marks that turn the direction of writing");
  std::string long_help;
  for (int i = 0; i < 670; ++i) long_help += "€";
  CHECK(
      said("{help: {sv: \"" + long_help + "\", en: c}}") ==
      "/organisation/sign_in/help/sv: the text has 2010 octets (letters beyond a to z count two to four); allowed: up "
      "to 2000");
  CHECK_THAT(said("{help: {sv: a}}"), Catch::Matchers::Contains("en"));
  CHECK_THAT(said("{ready_mail: perhaps}"), Catch::Matchers::Contains("/organisation/sign_in/ready_mail"));
}

TEST_CASE("a name that no mail can carry is refused with its place, whoever's it is") {
  const std::string odd =
      "; allowed: one paragraph without line breaks, control characters and marks that turn the "
      "direction of writing";
  const auto organisation = [](const std::string& name) {
    return refused("organisation: {name: \"" + name + "\", time_zone: Europe/Stockholm}\n" + good_web_mail);
  };
  for (const auto& [name, code] : {std::pair{"A\\nB", "U+000A"},
                                   {"A\\u0085B", "U+0085"},
                                   {"A\\u009bB", "U+009B"},
                                   {"A\\u2028B", "U+2028"},
                                   {"A\\u202eB", "U+202E"},
                                   {"A\\u2066B", "U+2066"}}) {
    const auto all = organisation(name);
    REQUIRE(all.size() == 1);
    CHECK_THAT(all.front(), Catch::Matchers::Contains(std::string("1:16: /organisation/name: the text has ") + code +
                                                      " at octet 2" + odd));
  }
  std::string wide;
  for (int i = 0; i < 129; ++i) wide += "ö";
  REQUIRE(organisation(wide).size() == 1);
  CHECK_THAT(organisation(wide).front(),
             Catch::Matchers::Contains("/organisation/name: the text has 258 octets (letters beyond a to z count two "
                                       "to four); allowed: up to 256"));
  const auto company = refused(good + "companies:\n  - {key: north, name: \"North\\u202eAB\"}\n");
  REQUIRE(company.size() == 1);
  CHECK_THAT(company.front(), Catch::Matchers::Contains("/companies/0/name: the text has U+202E at octet 6"));
  CHECK(accepted("organisation: {name: \"" + wide.substr(0, 256) + "\", time_zone: Europe/Stockholm}\n" + good_web_mail)
            .policies.organisation()
            .name.size() == 256);
}
