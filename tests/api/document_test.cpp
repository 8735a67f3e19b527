#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "api/commands_document.hpp"

TEST_CASE("docs/control-api.md shows the command table of the code") {
  std::ifstream file(INVITED_SOURCE_DIR "/docs/control-api.md", std::ios::binary);
  REQUIRE(file);
  const std::string written{std::istreambuf_iterator<char>(file), {}};
  const auto begin = written.find("## Commands\n");
  REQUIRE(begin != std::string::npos);
  INFO("after a change of the table: print_commands prints the page from \"## Commands\" on");
  CHECK(written.substr(begin) == invited::api::commands_document());
}
