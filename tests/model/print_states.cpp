// Prints docs/states.md.
#include <cstdio>

#include "model/states_document.hpp"

int main() {
  const std::string text = invited::model::states_document();
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
