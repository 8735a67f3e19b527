// Answers lines "zone date hour" with the seconds since the epoch of that local time and of the first instant of that
// date: what civil_time_oracle.py compares with its own reckoning.
#include <cstdio>
#include <iostream>
#include <string>

#include "model/civil_time.hpp"

int main() {
  using namespace invited::model;
  std::ios::sync_with_stdio(false);
  std::string zone;
  std::string date;
  int hour = 0;
  const auto seconds = [](Instant at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  };
  while (std::cin >> zone >> date >> hour) {
    const auto day = parse_date(date);
    if (!day || !zone_exists(zone)) {
      std::cout << "refused\n";
      continue;
    }
    std::cout << seconds(instant_of({*day, hour, zone})) << ' ' << seconds(first_instant_of(*day, zone)) << '\n';
  }
}
