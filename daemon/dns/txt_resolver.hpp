// TXT records, asked for with c-ares on the core thread: its sockets are watched by Asio, its timers are the clock's.
// Nothing blocks and nothing is kept between two questions, so a changed /etc/resolv.conf counts at the next one.
//
//   dns::TxtResolver resolver(io.get_executor(), clock, {.servers = {"127.0.0.1:5353"}});
//   const auto records = co_await resolver.txt("_invited-challenge.example.com");
//   if (!records) …       // no word: ask again later
//   if (records->empty()) // the DNS says that there is none
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "model/ports.hpp"

namespace invited::dns {

struct Settings {
  std::vector<std::string> servers{};  // "192.0.2.53:53", "[2001:db8::53]:53"; empty: those of /etc/resolv.conf
  core::Milliseconds timeout{2'000};   // of each server in the first round; every further round waits twice as long
  int tries = 2;                       // rounds over the servers
};

class TxtResolver final : public model::Dns {
public:
  // `clock` outlives it.
  TxtResolver(boost::asio::any_io_executor executor, core::Clock& clock, Settings settings);

  // As model::Dns says: no such name and no such record are an empty answer, `unavailable` ("dns_unavailable") is no
  // word. What does not fit a datagram is asked for again over TCP. Any number of questions may be open. Ends at once
  // when the coroutine is cancelled. [core-thread]
  boost::asio::awaitable<core::Result<std::vector<std::string>>> txt(std::string name) override;

private:
  boost::asio::any_io_executor executor_;
  core::Clock& clock_;
  Settings settings_;
};

}  // namespace invited::dns
