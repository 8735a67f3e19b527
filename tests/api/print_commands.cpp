// Prints the table of docs/control-api.md.
#include <cstdio>

#include "api/commands_document.hpp"

int main() {
  const std::string text = invited::api::commands_document();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
