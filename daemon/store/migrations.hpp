// The numbered migrations, embedded at build from migrations/*.sql.
#pragma once

#include <span>
#include <string_view>

namespace invited::store {

struct Migration {
  int number;
  std::string_view name;
  std::string_view sql;
};

[[nodiscard]] std::span<const Migration> migrations();

}  // namespace invited::store
