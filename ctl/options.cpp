#include "options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <map>

#include "api/request.hpp"
#include "failure.hpp"

namespace invited::ctl {

namespace json = boost::json;

namespace {

constexpr const char* default_socket = "/run/invited/control.sock";

constexpr const char* exit_codes =
    "Exit codes: 0 done, 1 failed, 2 wrong usage or not confirmed, 3 partly failed, 4 not permitted,\n"
    "5 not found, 69 daemon not reachable, 130 interrupted (a job that was started goes on).\n"
    "Global options may stand anywhere on the line.";

json::string_view key(std::string_view field) {
  return {field.data(), field.size()};
}

// One verb of the tree and the options CLI11 made for it.
struct Verb {
  const api::Command* command = nullptr;
  const api::Command* bulk = nullptr;
  const api::Command* with_file = nullptr;
  CLI::App* app = nullptr;
  std::map<const api::Argument*, CLI::Option*> options;
};

class UsageError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

const char* placeholder(api::Type type) {
  switch (type) {
    case api::Type::integer:
      return "N";
    case api::Type::boolean:
      return "true|false";
    case api::Type::date:
      return "YYYY-MM-DD";
    case api::Type::file:
      return "FILE";
    case api::Type::strings:
      return "A,B";
    case api::Type::string:
      return "TEXT";
  }
  return "TEXT";
}

std::string upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

std::string choice_list(const api::Argument& argument) {
  return fmt::format("{}", fmt::join(argument.choices, "|"));
}

// In lines of at most 100 characters, each ended.
std::string wrapped(std::string_view text) {
  std::string out;
  std::size_t used = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    if (used > 0 && used + end + 1 > 100) {
      out += '\n';
      used = 0;
    }
    if (used > 0) {
      out += ' ';
      ++used;
    }
    out += text.substr(0, end);
    used += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out.empty() ? out : out + "\n";
}

// As CLI11 wants them: last first. "--alias=" is taken apart, or CLI11 would take the next word for the missing value.
std::vector<std::string> arguments_of(int argc, const char* const* argv) {
  std::vector<std::string> words;
  bool options = true;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    options = options && word != "--";
    const bool empty_value = options && word.starts_with("--") && word.find('=') == word.size() - 1;
    if (empty_value) word.pop_back();
    words.push_back(std::move(word));
    if (empty_value) words.emplace_back();
  }
  std::ranges::reverse(words);
  return words;
}

class CommandLine {
public:
  CommandLine() : app_("Steers the invitation daemon.", "invitectl") {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.footer(exit_codes);
    app_.set_version_flag("--version", "invitectl " INVITED_VERSION, "The version of invitectl");
    app_.get_formatter()->column_width(34);
    add_global_options();
    for (const auto& command : api::commands()) {
      if (command.in_cli) add(command);
    }
  }

  Invocation read(int argc, const char* const* argv) {
    app_.parse(arguments_of(argc, argv));
    const auto verb = std::ranges::find_if(verbs_, [](const Verb& v) { return v.app->parsed(); });
    if (verb == verbs_.end()) throw CLI::RequiredError("A command");
    Invocation call;
    call.settings = settings();
    call.asked = verb->command;
    call.command = choose(*verb);
    read_values(*verb, call);
    return call;
  }

  int report(const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app_.exit(error);
    const auto* missing = dynamic_cast<const CLI::RequiredError*>(&error);
    if (missing != nullptr && !app_.remaining(true).empty()) {
      return refuse("There is no command " + app_.remaining(true).front() + " here");
    }
    return refuse(error.what());
  }

  int refuse(std::string_view sentence) {
    const CLI::App* deepest = &app_;
    while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
    std::string path;
    for (const CLI::App* app = deepest; app != nullptr; app = app->get_parent()) {
      path = app->get_name() + (path.empty() ? "" : " ") + path;
    }
    fmt::print(stderr, "invitectl: {}\nSee {} --help\n", sentence, path);
    return exit_usage;
  }

private:
  void add_global_options() {
    const std::string group = "Global options";
    app_.add_option("--socket", socket_, "Control socket of the daemon")
        ->envname("INVITED_SOCKET")
        ->type_name("PATH")
        ->default_str(default_socket)
        ->group(group);
    app_.add_flag("--json", json_, "One JSON document with the API's field names")->group(group);
    app_.add_option("-o,--output", output_, "Form of the answer: table, json, ndjson, csv or name")
        ->check(CLI::IsMember({"table", "json", "ndjson", "csv", "name"}))
        ->type_name("FORM")
        ->group(group);
    app_.add_flag("--utc", utc_, "Show times in UTC instead of the organisation's time zone")->group(group);
    app_.add_flag("--no-color", no_color_, "No colours (also: NO_COLOR in the environment)")->group(group);
    app_.add_flag("-q,--quiet", quiet_, "Only the answer: no progress, no hints")->group(group);
  }

  CLI::App* noun(std::string_view name) {
    const auto known = nouns_.find(std::string(name));
    if (known != nouns_.end()) return known->second;
    std::string verbs;
    for (const auto& command : api::commands()) {
      if (!command.in_cli || command.noun != name) continue;
      verbs += (verbs.empty() ? "" : ", ") + std::string(command.verb);
    }
    auto* app = app_.add_subcommand(std::string(name), verbs);
    app->require_subcommand(1);
    nouns_.emplace(std::string(name), app);
    return app;
  }

  void add(const api::Command& command) {
    auto* parent = command.noun.empty() ? &app_ : noun(command.noun);
    auto* app = parent->add_subcommand(std::string(command.verb), std::string(command.help));
    std::string footer = wrapped(command.description);
    if (!command.method.empty()) footer += fmt::format("Needs the role {}. ", api::to_text(command.role));
    app->footer(footer + "Global options: see invitectl --help");
    Verb verb{&command,
              command.bulk.empty() ? nullptr : api::find(command.bulk),
              command.with_file.empty() ? nullptr : api::find(command.with_file),
              app,
              {}};
    for (const auto& argument : command.arguments) add(verb, argument);
    if (verb.bulk != nullptr) {
      for (const auto& argument : verb.bulk->arguments) {
        if (argument.field != "kind") add(verb, argument);
      }
      app->add_option("--expect", expect_, "Refuse unless it is about exactly this many")
          ->type_name("N")
          ->check([](const std::string& text) {
            const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
            return digits && text.size() < 16 ? std::string() : text + " is not a count";
          });
    }
    if (verb.with_file != nullptr) {
      for (const auto& argument : verb.with_file->arguments) add(verb, argument);
    }
    if (command.changes) {
      app->add_flag("-n,--dry-run", dry_run_, "Say what would happen, change nothing");
      app->add_flag("-y,--yes", yes_, "Do not ask for confirmation");
    }
    verbs_.push_back(std::move(verb));
  }

  void add(Verb& verb, const api::Argument& argument) {
    const bool positional = argument.kind == api::Kind::positional;
    std::string help(argument.help);
    if (!argument.fallback.empty()) help += fmt::format(" [{}]", argument.fallback);
    CLI::Option* option = nullptr;
    if (argument.kind == api::Kind::flag) {
      option = verb.app->add_flag("--" + std::string(argument.name))->description(help);
    } else {
      const std::string name = positional ? upper(argument.name) : "--" + std::string(argument.name);
      option = verb.app->add_option(name, [](const CLI::results_t&) { return true; }, help);
      option->type_name(positional                 ? std::string()
                        : argument.choices.empty() ? placeholder(argument.type)
                                                   : choice_list(argument));
      if (argument.type == api::Type::strings) {
        option->expected(-1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
      } else {
        option->expected(1);
      }
      if (argument.required && verb.bulk == nullptr && verb.with_file == nullptr) option->required();
    }
    verb.options.emplace(&argument, option);
  }

  Settings settings() const {
    Settings out;
    out.socket = socket_.empty() ? default_socket : socket_;
    out.utc = utc_;
    out.no_color = no_color_;
    out.quiet = quiet_;
    out.dry_run = dry_run_;
    out.yes = yes_;
    if (expect_ >= 0) out.expect = expect_;
    const std::map<std::string, Format> formats{{"table", Format::table},
                                                {"json", Format::json},
                                                {"csv", Format::csv},
                                                {"ndjson", Format::ndjson},
                                                {"name", Format::name}};
    if (!output_.empty()) out.format = formats.at(output_);
    if (json_) {
      if (!output_.empty() && output_ != "json") throw UsageError("--json and -o " + output_ + " do not go together");
      out.format = Format::json;
    }
    return out;
  }

  // The verb itself, or the command behind it that takes a file.
  static const api::Command* choose_by_file(const Verb& verb) {
    const CLI::Option* file = nullptr;
    std::string other_than_file;
    std::string only_with_file;
    for (const auto& [argument, option] : verb.options) {
      if (option->count() == 0) continue;
      const bool of_file = verb.with_file->argument(argument->field) == argument;
      if (argument->in == api::In::raw) {
        file = option;
      } else {
        (of_file ? only_with_file : other_than_file) = "--" + std::string(argument->name);
      }
    }
    if (file == nullptr && !only_with_file.empty()) throw UsageError(only_with_file + " goes with --with FILE only");
    if (file == nullptr) return verb.command;
    if (!other_than_file.empty()) throw UsageError(other_than_file + " does not go with --with");
    return verb.with_file;
  }

  // The verb itself, or the bulk command behind it.
  const api::Command* choose(const Verb& verb) const {
    if (verb.with_file != nullptr) return choose_by_file(verb);
    if (verb.bulk == nullptr) return verb.command;
    bool one = false;
    std::string first_of_bulk;
    bool all = false;
    bool filtered = false;
    bool batch = false;
    for (const auto& [argument, option] : verb.options) {
      if (option->count() == 0) continue;
      if (argument->kind == api::Kind::positional) {
        one = true;
        continue;
      }
      if (first_of_bulk.empty()) first_of_bulk = "--" + std::string(argument->name);
      batch = batch || argument->in == api::In::path;
      if (argument->in == api::In::filter) (argument->field == "all" ? all : filtered) = true;
    }
    const bool of_batches =
        std::ranges::any_of(verb.bulk->arguments, [](const auto& argument) { return argument.in == api::In::path; });
    if (one && !first_of_bulk.empty())
      throw UsageError(of_batches ? "--batch means a whole batch; an id alone means one invitation. Take one of them"
                                  : first_of_bulk + " selects many users; a user-id selects one. Take one of them");
    if (one && expect_ >= 0)
      throw UsageError(of_batches ? "--expect goes with --batch, not with one invitation"
                                  : "--expect goes with a filter or --all, not with one user-id");
    if (one) return verb.command;
    if (batch) return verb.bulk;
    if (of_batches) throw UsageError("Say which: the id of an invitation, or --batch with the id of a batch");
    if (all && filtered) throw UsageError("--all selects everyone and goes with no filter");
    if (!all && !filtered) throw UsageError("Say who: a user-id, a filter such as --company, or --all");
    return verb.bulk;
  }

  static json::value value_of(const api::Argument& argument, const CLI::Option& option) {
    if (argument.kind == api::Kind::flag) return option.as<bool>();
    json::value merged;
    for (const auto& text : option.results()) {
      std::string given = text;
      if (argument.type == api::Type::file && argument.in != api::In::raw) {
        given = std::filesystem::absolute(given).lexically_normal().string();
      }
      auto value = argument.in == api::In::raw ? json::value(json::string(given)) : [&]() -> json::value {
        auto read = api::value_of(argument, given);
        if (!read) {
          const std::string name =
              argument.kind == api::Kind::positional ? upper(argument.name) : "--" + std::string(argument.name);
          throw UsageError(name + ": " + read.error().message);
        }
        return *std::move(read);
      }();
      if (merged.is_array() && value.is_array()) {
        for (auto& item : value.get_array()) merged.get_array().push_back(std::move(item));
      } else {
        merged = std::move(value);
      }
    }
    return merged;
  }

  void read_values(const Verb& verb, Invocation& call) const {
    if (verb.bulk != nullptr && call.command != verb.command && call.command->argument("kind") != nullptr) {
      call.values["kind"] = json::string(key(verb.command->verb));
      call.values["filter"].emplace_object();
    }
    for (const auto& [argument, option] : verb.options) {
      if (option->count() == 0) continue;
      auto value = value_of(*argument, *option);
      if (const auto equals = argument->field.find('='); equals != std::string_view::npos) {
        if (value.is_bool() && value.get_bool()) {
          const auto field = argument->field.substr(0, equals);
          const auto meant = argument->field.substr(equals + 1);
          if (const std::string said = call.text(field); !said.empty() && said != meant)
            throw UsageError(fmt::format("--{} and --{} {} do not go together", argument->name, field, said));
          call.values[key(field)] = json::string(key(meant));
        }
      } else if (argument->in == api::In::filter) {
        call.values["filter"].as_object()[key(argument->field)] = std::move(value);
      } else {
        call.values[key(argument->field)] = std::move(value);
      }
    }
    for (const auto& argument : call.command->arguments) {
      if (!argument.required || call.values.contains(key(argument.field))) continue;
      throw UsageError(fmt::format("{0} is missing: --{1} {2}", argument.field, argument.name, choice_list(argument)));
    }
    const bool writes_fields = call.command->schema == "RowAnswer";
    if (writes_fields && std::ranges::none_of(verb.options, [](const auto& each) {
          return each.first->in == api::In::body && each.second->count() > 0;
        })) {
      throw UsageError(call.command->method == "PATCH" ? "Say what to change" : "Say who: --id and --name at least");
    }
  }

  CLI::App app_;
  std::map<std::string, CLI::App*> nouns_;
  std::deque<Verb> verbs_;
  std::string socket_;
  std::string output_;
  std::int64_t expect_ = -1;
  bool json_ = false;
  bool utc_ = false;
  bool no_color_ = false;
  bool quiet_ = false;
  bool dry_run_ = false;
  bool yes_ = false;
};

}  // namespace

std::string Invocation::text(std::string_view field) const {
  const auto* value = values.if_contains(key(field));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

bool Invocation::flag(std::string_view field) const {
  const auto* value = values.if_contains(key(field));
  return value != nullptr && value->is_bool() && value->get_bool();
}

std::int64_t Invocation::number(std::string_view field, std::int64_t fallback) const {
  const auto* value = values.if_contains(key(field));
  return value != nullptr && value->is_int64() ? value->get_int64() : fallback;
}

std::string spoken(const api::Command& command) {
  return command.noun.empty() ? std::string(command.verb) : std::string(command.noun) + " " + std::string(command.verb);
}

tl::expected<Invocation, int> read_command_line(int argc, const char* const* argv) {
  CommandLine line;
  try {
    return line.read(argc, argv);
  } catch (const CLI::ParseError& error) {
    return tl::unexpected(line.report(error));
  } catch (const UsageError& error) {
    return tl::unexpected(line.refuse(error.what()));
  }
}

}  // namespace invited::ctl
