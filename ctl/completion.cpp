#include "completion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "api/commands.hpp"
#include "invocation.hpp"

namespace invited::ctl {

namespace {

struct Word {
  std::string text;
  std::string help;
  std::vector<std::string> values;  // what may follow an option, or stand as a positional
  bool file = false;
  bool takes_value = false;
};

Word word_of(const api::Argument& argument) {
  Word word;
  word.text = "--" + std::string(argument.name);
  word.help = argument.help;
  word.takes_value = argument.kind != api::Kind::flag;
  word.file = argument.type == api::Type::file;
  for (const auto choice : argument.choices) word.values.emplace_back(choice);
  if (word.takes_value && argument.type == api::Type::boolean) word.values = {"true", "false"};
  return word;
}

const std::vector<Word>& global_words() {
  static const std::vector<Word> words{
      {"--socket", "Control socket of the daemon", {}, true, true},
      {"--json", "One JSON document", {}, false, false},
      {"--output", "Form of the answer", {"table", "json", "ndjson", "csv", "name"}, false, true},
      {"--utc", "Show times in UTC", {}, false, false},
      {"--no-color", "No colours", {}, false, false},
      {"--quiet", "Only the answer", {}, false, false},
      {"--help", "Show help", {}, false, false},
  };
  return words;
}

struct Verb {
  const api::Command* command;
  std::vector<Word> options;
  std::vector<Word> positionals;
};

std::vector<Verb> verbs() {
  std::vector<Verb> all;
  for (const auto& command : api::commands()) {
    if (!command.in_cli) continue;
    Verb verb{&command, {}, {}};
    const auto take = [&](const api::Command& from) {
      for (const auto& argument : from.arguments) {
        if (&from != &command && argument.field == "kind") continue;
        (argument.kind == api::Kind::positional ? verb.positionals : verb.options).push_back(word_of(argument));
      }
    };
    take(command);
    if (!command.bulk.empty()) {
      take(*api::find(command.bulk));
      verb.options.push_back({"--expect", "Refuse unless exactly this many mails would go out", {}, false, true});
    }
    if (!command.with_file.empty()) take(*api::find(command.with_file));
    if (command.changes) {
      verb.options.push_back({"--dry-run", "Say what would happen, change nothing", {}, false, false});
      verb.options.push_back({"--yes", "Do not ask for confirmation", {}, false, false});
    }
    all.push_back(std::move(verb));
  }
  return all;
}

// First words in the order of the table, each with the help to show.
std::vector<Word> first_words() {
  std::vector<Word> words;
  for (const auto& command : api::commands()) {
    if (!command.in_cli) continue;
    if (command.noun.empty()) {
      words.push_back({std::string(command.verb), std::string(command.help), {}, false, false});
    } else if (std::ranges::find(words, command.noun, &Word::text) == words.end()) {
      words.push_back({std::string(command.noun), "", {}, false, false});
    }
  }
  for (auto& word : words) {
    if (!word.help.empty()) continue;
    for (const auto& command : api::commands()) {
      if (command.in_cli && command.noun == word.text)
        word.help += (word.help.empty() ? "" : ", ") + std::string(command.verb);
    }
  }
  return words;
}

std::string texts(const std::vector<Word>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

std::string verbs_of(std::string_view noun) {
  std::string text;
  for (const auto& command : api::commands()) {
    if (command.in_cli && command.noun == noun) text += (text.empty() ? "" : " ") + std::string(command.verb);
  }
  return text;
}

// What may follow `option` anywhere: options of the same name have the same values everywhere.
std::map<std::string, Word> options_with_values() {
  std::map<std::string, Word> found;
  const auto take = [&](const Word& word) {
    if (word.takes_value) found.emplace(word.text, word);
  };
  for (const auto& word : global_words()) take(word);
  for (const auto& verb : verbs()) {
    // --state means one thing for invitations and another for reviews: completed per verb instead.
    for (const auto& option : verb.options) {
      if (option.text != "--state") take(option);
    }
  }
  found.emplace("-o", found.at("--output"));
  return found;
}

// The body that bash and zsh share: sets `words` (candidates) or `files=1` from the words before the cursor.
std::string shell_cases() {
  std::string script;
  script += "  case \"$previous\" in\n";
  for (const auto& [name, word] : options_with_values()) {
    script += fmt::format("    {}) {}; return ;;\n", name,
                          word.file ? "files=1" : fmt::format("candidates=\"{}\"", fmt::join(word.values, " ")));
  }
  script += "  esac\n";
  script += "  case \"$command $previous\" in\n";
  for (const auto& verb : verbs()) {
    for (const auto& option : verb.options) {
      if (option.text != "--state") continue;
      script += fmt::format("    \"{} --state\") candidates=\"{}\"; return ;;\n", spoken(*verb.command),
                            fmt::join(option.values, " "));
    }
  }
  script += "  esac\n";
  script += "  case \"$command\" in\n";
  script += fmt::format("    \"\") candidates=\"{} {}\" ;;\n", texts(first_words()), texts(global_words()));
  for (const auto& word : first_words()) {
    if (const auto inner = verbs_of(word.text); !inner.empty()) {
      script += fmt::format("    {}) candidates=\"{}\" ;;\n", word.text, inner);
    }
  }
  for (const auto& verb : verbs()) {
    std::string choices;
    bool file = false;
    for (const auto& positional : verb.positionals) {
      for (const auto& value : positional.values) choices += value + " ";
      file = file || positional.file;
    }
    const std::string options = texts(verb.options);
    script += fmt::format("    \"{}\") candidates=\"{}{}{}{}\"{} ;;\n", spoken(*verb.command), choices, options,
                          options.empty() ? "" : " ", texts(global_words()), file ? "; files=1" : "");
  }
  script += "  esac\n";
  return script;
}

// Finds the noun and the verb among the words before the cursor, past options and their values.
std::string command_finder() {
  std::string with_values;
  for (const auto& [name, word] : options_with_values()) with_values += (with_values.empty() ? "" : "|") + name;
  std::string nouns;
  for (const auto& word : first_words()) {
    if (!verbs_of(word.text).empty()) nouns += (nouns.empty() ? "" : "|") + word.text;
  }
  return fmt::format(R"(    if [ -n "$skip" ]; then skip=; continue; fi
    case "$word" in
      {}) skip=1 ;;
      -*) ;;
      *) case "$command" in
           "") command="$word" ;;
           {}) command="$command $word" ;;
         esac ;;
    esac
)",
                     with_values + "|--state", nouns);
}

std::string bash_script() {
  return fmt::format(R"(# bash completion for invitectl
_invitectl_candidates() {{
{}}}
_invitectl() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local command= skip= word= candidates= files=
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
{}  done
  _invitectl_candidates
  COMPREPLY=()
  if [ -n "$files" ]; then mapfile -t COMPREPLY < <(compgen -f -- "$current"); fi
  if [ -n "$candidates" ]; then
    mapfile -t -O "${{#COMPREPLY[@]}}" COMPREPLY < <(compgen -W "$candidates" -- "$current")
  fi
}}
complete -o filenames -F _invitectl invitectl
)",
                     shell_cases(), command_finder());
}

std::string zsh_script() {
  return fmt::format(R"(#compdef invitectl
_invitectl_candidates() {{
{}}}
_invitectl() {{
  local previous="${{words[CURRENT-1]}}"
  local command= skip= word= candidates= files=
  for word in "${{(@)words[2,CURRENT-1]}}"; do
{}  done
  _invitectl_candidates
  [[ -n "$files" ]] && _files
  [[ -n "$candidates" ]] && compadd -- ${{=candidates}}
}}
compdef _invitectl invitectl
)",
                     shell_cases(), command_finder());
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_word(const std::string& condition, const Word& word) {
  std::string line = fmt::format("complete -c invitectl -n {} -l {}", fish_quoted(condition), word.text.substr(2));
  if (word.file) {
    line += " -r -F";
  } else if (word.takes_value) {
    line += " -x";
    if (!word.values.empty()) line += " -a " + fish_quoted(fmt::format("{}", fmt::join(word.values, " ")));
  }
  return line + " -d " + fish_quoted(word.help) + "\n";
}

std::string fish_script() {
  std::string script = "# fish completion for invitectl\ncomplete -c invitectl -f\n";
  const std::string all_first = texts(first_words());
  for (const auto& word : first_words()) {
    script +=
        fmt::format("complete -c invitectl -n {} -a {} -d {}\n",
                    fish_quoted("not __fish_seen_subcommand_from " + all_first), word.text, fish_quoted(word.help));
  }
  for (const auto& word : global_words()) script += fish_word("true", word);
  for (const auto& verb : verbs()) {
    const auto& command = *verb.command;
    std::string condition =
        "__fish_seen_subcommand_from " + std::string(command.noun.empty() ? command.verb : command.noun);
    if (!command.noun.empty()) {
      script += fmt::format("complete -c invitectl -n {} -a {} -d {}\n",
                            fish_quoted(condition + "; and not __fish_seen_subcommand_from " + verbs_of(command.noun)),
                            command.verb, fish_quoted(command.help));
      condition += "; and __fish_seen_subcommand_from " + std::string(command.verb);
    }
    for (const auto& option : verb.options) script += fish_word(condition, option);
    for (const auto& positional : verb.positionals) {
      if (positional.file) script += fmt::format("complete -c invitectl -n {} -F\n", fish_quoted(condition));
      if (!positional.values.empty()) {
        script += fmt::format("complete -c invitectl -n {} -a {}\n", fish_quoted(condition),
                              fish_quoted(fmt::format("{}", fmt::join(positional.values, " "))));
      }
    }
  }
  return script;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "zsh") return zsh_script();
  if (shell == "fish") return fish_script();
  return bash_script();
}

}  // namespace invited::ctl
