// Runs coroutines of a test on an io_context of its own.
//
//   asio::io_context io;
//   int answer = run(io, ask());                     // until it has ended; its exception is thrown here
//   settle(io);                                      // whatever can happen without time has happened
//   run_virtual(io, clock, services());              // time jumps from wake-up to wake-up
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "support/manual_clock.hpp"

namespace invited::test {

inline void settle(boost::asio::io_context& io) {
  if (io.stopped()) io.restart();
  while (io.poll() > 0) {
  }
}

// Real time; `longest` bounds what would hang.
template <class T>
T run(boost::asio::io_context& io, boost::asio::awaitable<T> task,
      std::chrono::seconds longest = std::chrono::seconds(20)) {
  bool ended = false;
  std::exception_ptr failure;
  std::optional<std::conditional_t<std::is_void_v<T>, bool, T>> value;
  if constexpr (std::is_void_v<T>) {
    boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error) {
      failure = error;
      ended = true;
    });
  } else {
    boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T result) {
      failure = error;
      value.emplace(std::move(result));
      ended = true;
    });
  }
  if (io.stopped()) io.restart();
  const auto end = std::chrono::steady_clock::now() + longest;
  while (!ended && std::chrono::steady_clock::now() < end) {
    if (io.stopped()) throw std::logic_error("test coroutine: nothing is left that could resume it");
    io.run_one_until(end);
  }
  if (!ended) throw std::runtime_error("test coroutine: took too long");
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) return std::move(*value);
}

// Virtual time: whenever nothing else can happen, the clock moves to the next wake-up. Throws if nobody sleeps any more
// and the coroutine has still not ended.
inline void run_virtual(boost::asio::io_context& io, ManualClock& clock, boost::asio::awaitable<void> task) {
  bool ended = false;
  std::exception_ptr failure;
  boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error) {
    failure = error;
    ended = true;
  });
  settle(io);
  while (!ended) {
    const auto next = clock.next_wakeup();
    if (!next) throw std::logic_error("test coroutine: waits, and nobody sleeps");
    clock.advance(*next - clock.monotonic());
    settle(io);
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace invited::test
