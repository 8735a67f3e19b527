#include <stdexcept>

#include "control/answers.hpp"
#include "control/server.hpp"
#include "service/exporting.hpp"

namespace invited::control {

using boost::asio::awaitable;
using core::HttpResponse;

namespace {

// One export under way: as much of it in memory as one piece. Every piece is asked for when the one before it is sent.
struct Export {
  Desk* desk = nullptr;
  std::shared_ptr<model::Source> source;
  model::UserFilter filter;
  std::string profile;
  std::vector<std::pair<std::string, std::string>> options;
  std::optional<core::Id> after;
  bool first = true;
  bool whole = false;
  std::optional<std::string> ready;  // written before the answer began
};

model::ExportPart part_of(const Export& all, service::ExportPiece piece) {
  return {all.first, !piece.next, all.profile, all.options, std::move(piece.records)};
}

model::ByteSink sink_into(std::shared_ptr<std::string> text) {
  struct Step {
    static awaitable<void> append(std::shared_ptr<std::string> to, std::string piece) {
      *to += piece;
      co_return;
    }
  };
  return [text](std::string piece) { return Step::append(text, std::move(piece)); };
}

awaitable<core::Result<std::string>> next_text(std::shared_ptr<Export> all) {
  service::ExportPiece piece =
      co_await service::export_piece(&all->desk->store, &all->desk->policies, all->filter, all->after);
  all->after = piece.next;
  all->whole = !piece.next;
  const bool nothing_to_say = piece.records.empty() && !all->first && piece.next;
  auto text = std::make_shared<std::string>();
  if (!nothing_to_say) {
    model::ExportPart part = part_of(*all, std::move(piece));
    all->first = false;
    model::ByteSink sink = sink_into(text);
    const auto written = co_await all->source->export_records(std::move(part), std::move(sink));
    if (!written) co_return core::fail(written.error());
  }
  if (all->whole) all->source.reset();
  co_return std::move(*text);
}

awaitable<std::optional<std::string>> next_piece(std::shared_ptr<Export> all) {
  if (all->ready) co_return std::exchange(all->ready, std::nullopt);
  if (all->whole) co_return std::nullopt;
  auto text = co_await next_text(all);
  // The head is out already: a body that ends before its end says that it is not whole.
  if (!text) throw std::runtime_error("an export was cut short: " + text.error().message);
  co_return std::move(*text);
}

awaitable<HttpResponse> export_users(Desk* desk, Call call) {
  auto lent = desk->fetching.lend_exporter();
  if (!lent) co_return problem(lent.error());
  auto all = std::make_shared<Export>();
  all->desk = desk;
  all->source = std::move(*lent);
  all->filter = filter_of(call.values);
  all->profile = call.text("profile").empty() ? "flex-employees-users" : call.text("profile");
  const std::string language = call.text("language");
  all->options.emplace_back("language", language.empty() ? desk->policies.organisation().locale : language);
  const std::string delimiter = call.text("delimiter");
  if (!delimiter.empty()) all->options.emplace_back("delimiter", delimiter);
  auto text = co_await next_text(all);
  if (!text) co_return problem(text.error());
  all->ready = std::move(*text);
  HttpResponse response;
  const bool tabs = delimiter == "tab";
  response.headers.emplace_back("Content-Type",
                                tabs ? "text/tab-separated-values; charset=utf-8" : "text/csv; charset=utf-8");
  response.headers.emplace_back("Content-Disposition",
                                tabs ? "attachment; filename=\"users.tsv\"" : "attachment; filename=\"users.csv\"");
  response.headers.emplace_back("Cache-Control", "no-store");
  response.stream = [all] { return next_piece(all); };
  co_return response;
}

}  // namespace

void add_export_handlers(Handlers& handlers, Desk& desk) {
  handlers["user.export"] = [d = &desk](Call call) { return export_users(d, std::move(call)); };
}

}  // namespace invited::control
