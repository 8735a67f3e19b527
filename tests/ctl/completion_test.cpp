#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "api/commands.hpp"
#include "invitectl.hpp"
#include "support/temp_folder.hpp"

using namespace invited;
using namespace invited::test;
using Catch::Matchers::Contains;

namespace {

// What bash offers after these words; the last one is under the cursor.
std::set<std::string> offered(const std::vector<std::string>& words) {
  static const std::string script = invitectl({"completion", "bash"}).out;
  TempFolder folder;
  std::ofstream(folder / "completion") << script;
  std::string list;
  for (const auto& word : words) list += " '" + word + "'";
  std::ofstream(folder / "ask") << "source " << (folder / "completion").string() << "\nCOMP_WORDS=(invitectl" << list
                                << ")\nCOMP_CWORD=" << words.size()
                                << "\n_invitectl\nprintf '%s\\n' \"${COMPREPLY[@]}\" > " << (folder / "answer").string()
                                << "\n";
  REQUIRE(std::system(("bash --norc --noprofile -eu " + (folder / "ask").string()).c_str()) == 0);
  std::ifstream answer(folder / "answer");
  std::set<std::string> found;
  for (std::string line; std::getline(answer, line);) found.insert(line);
  found.erase("");
  return found;
}

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " > /dev/null").c_str()) == 0;
}

}  // namespace

TEST_CASE("bash completes every noun, verb and option of the command table") {
  std::set<std::string> first;
  for (const auto& command : api::commands()) {
    if (command.in_cli) first.emplace(command.noun.empty() ? command.verb : command.noun);
  }
  const auto start = offered({""});
  for (const auto& word : first) {
    CAPTURE(word);
    CHECK(start.contains(word));
  }
  CHECK(offered({"us"}) == std::set<std::string>{"user"});
  CHECK(offered({"review", ""}) == std::set<std::string>{"list", "show", "approve", "reject", "reopen"});
  const auto add = offered({"user", "add", "--"});
  for (const auto& argument : api::find("user.add")->arguments) CHECK(add.contains("--" + std::string(argument.name)));
  CHECK(add.contains("--dry-run"));
  CHECK(add.contains("--json"));
  CHECK_FALSE(offered({"user", "list", "--"}).contains("--dry-run"));
}

TEST_CASE("bash completes values, past options that came before") {
  CHECK(offered({"user", "list", "--connection", ""}) ==
        std::set<std::string>{"not_connected", "pending", "connected"});
  CHECK(offered({"--socket", "user", "-o", ""}).contains("ndjson"));
  CHECK(offered({"--socket", "/x", "review", "a"}) == std::set<std::string>{"approve"});
  CHECK(offered({"invitation", "list", "--state", "sup"}) == std::set<std::string>{"superseded"});
  CHECK(offered({"review", "list", "--state", ""}) == std::set<std::string>{"pending", "approved", "rejected"});
  CHECK(offered({"completion", "f"}) == std::set<std::string>{"fish"});
  CHECK(offered({"user", "send-verification", "--in"}) ==
        std::set<std::string>{"--include-recent", "--include-scheduled", "--invitation"});
}

TEST_CASE("the scripts for zsh and fish name every verb, and their shells accept them") {
  for (const std::string shell : {"zsh", "fish"}) {
    const auto script = invitectl({"completion", shell});
    CHECK(script.code == 0);
    for (const auto& command : api::commands()) {
      if (command.in_cli) CHECK_THAT(script.out, Contains(std::string(command.verb)));
    }
    CHECK_THAT(script.out, Contains("include-scheduled"));
    if (!installed(shell)) continue;
    TempFolder folder;
    std::ofstream(folder / "completion") << script.out;
    CHECK(std::system((shell + " -n " + (folder / "completion").string()).c_str()) == 0);
  }
}
