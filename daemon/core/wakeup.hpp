// A wake-up for a loop that looks at the store: "something may be due now".
//
// A service loop waits on its Wakeup with an upper bound; whoever changed something rings it. Rings while
// the loop is busy are kept as one. There is no payload: the loop asks the store what is there.
//
//   while (true) { co_await pass(); co_await wakeup.wait_for(clock, 1s); }
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

#include "core/clock.hpp"

namespace invited::core {

class Wakeup {
public:
  explicit Wakeup(boost::asio::any_io_executor executor);
  void ring();  // [core-thread]
  // Returns at the next ring (at once if one is kept) or after `longest` of the clock's monotonic time.
  // One waiter at a time. [core-thread]
  [[nodiscard]] boost::asio::awaitable<void> wait_for(Clock& clock, Milliseconds longest);

private:
  struct State;
  static boost::asio::awaitable<void> wait(std::shared_ptr<State> state, Clock* clock, Milliseconds longest);
  std::shared_ptr<State> state_;
};

}  // namespace invited::core
