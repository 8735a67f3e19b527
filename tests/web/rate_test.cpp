#include "web/rate.hpp"

#include <catch2/catch.hpp>

using invited::core::Milliseconds;
using invited::web::Rate;

TEST_CASE("one address may do its burst, and then as fast as it refills") {
  Rate rate(3, Milliseconds(60'000), 10);
  Milliseconds now(5);
  for (int i = 0; i < 3; ++i) CHECK(rate.take("192.0.2.1", now));
  CHECK_FALSE(rate.take("192.0.2.1", now));
  CHECK(rate.take("192.0.2.2", now));  // somebody else
  now += Milliseconds(19'999);
  CHECK_FALSE(rate.take("192.0.2.1", now));
  now += Milliseconds(2);
  CHECK(rate.take("192.0.2.1", now));
  CHECK_FALSE(rate.take("192.0.2.1", now));
  now += Milliseconds(3'600'000);
  for (int i = 0; i < 3; ++i) CHECK(rate.take("192.0.2.1", now));  // never more than the burst
  CHECK_FALSE(rate.take("192.0.2.1", now));
}

TEST_CASE("the memory of addresses is bounded, and the one not seen for longest is forgotten") {
  Rate rate(1, Milliseconds(60'000), 2);
  const Milliseconds now(0);
  CHECK(rate.take("a", now));
  CHECK(rate.take("b", now));
  CHECK_FALSE(rate.take("a", now));  // seen last now
  CHECK(rate.take("c", now));        // in the place of b
  CHECK_FALSE(rate.take("a", now));
  CHECK(rate.take("b", now));
}
