#include <fmt/format.h>
#include <invited/source.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "core/encoding.hpp"
#include "core/log.hpp"
#include "plugin/abi_text.hpp"
#include "plugin/adapters.hpp"
#include "plugin/host_table.hpp"

namespace invited::plugin {

namespace asio = boost::asio;
using core::Milliseconds;
using model::Announcement;
using model::BadRow;
using model::ExportPart;
using model::Remark;
using model::SourceItem;
using model::SourceRecord;

namespace {

constexpr std::uint64_t most_fields = 1000;
constexpr std::size_t longest_record = std::size_t{1} << 20;
constexpr std::size_t longest_cursor = std::size_t{64} * 1024;
constexpr std::size_t longest_body = std::size_t{16} << 20;
constexpr std::size_t export_piece = std::size_t{64} * 1024;

// Items on their way from a plugin's threads to a coroutine, a bounded number of batches at a time.
template <class Batch>
class Channel {
public:
  explicit Channel(std::shared_ptr<Instance> instance) : instance_(std::move(instance)) {}

  // Waits for room; `add` puts something into the batch and says whether that is full. False: nobody takes any more.
  template <class Add>
  bool put(Add&& add) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [this] { return closed_ || outstanding_ < SourceAdapter::most_batches; });
    if (closed_) {
      lost_ = true;
      return false;
    }
    if (add(filling_)) ship();
    return true;
  }
  // What is left in the last batch; after this nothing counts. [any-thread]
  void finish() {
    const std::lock_guard lock(mutex_);
    if (!filling_.empty()) {
      if (closed_)
        lost_ = true;
      else
        ship();
    }
    closed_ = true;
    room_.notify_all();
  }
  // Whoever waits in put() gets out of it with false. [any-thread]
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
  }
  std::optional<Batch> take() {
    const std::lock_guard lock(mutex_);
    if (ready_.empty()) return std::nullopt;
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    return batch;
  }
  // The batch last taken is dealt with.
  void consumed() {
    const std::lock_guard lock(mutex_);
    --outstanding_;
    room_.notify_all();
  }
  // Something that the plugin said was not taken any more: whatever it says of the whole, it is not complete.
  [[nodiscard]] bool lost() {
    const std::lock_guard lock(mutex_);
    return lost_;
  }
  CoreEvent& arrived() { return *arrived_; }

private:
  void ship() {
    ready_.push_back(std::exchange(filling_, Batch{}));
    ++outstanding_;
    instance_->gate().post([event = arrived_] { event->ring(); });
  }

  const std::shared_ptr<Instance> instance_;
  const std::shared_ptr<CoreEvent> arrived_ = std::make_shared<CoreEvent>();
  std::mutex mutex_;
  std::condition_variable room_;
  Batch filling_;
  std::deque<Batch> ready_;
  std::size_t outstanding_ = 0;
  bool closed_ = false;
  bool lost_ = false;
};

// The argument and the outputs of fetch and handle.
class IntakeCall final : public Call {
public:
  IntakeCall(std::string_view operation, Milliseconds limit, std::shared_ptr<Instance> instance)
      : Call(operation, limit), items(std::move(instance)) {}

  // Arguments: of a fetch the cursor, of a push the rest.
  std::string cursor;
  std::string body, format, file_name, method, path, query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<invited_pair> raw_headers;
  invited_request request{};

  Channel<std::vector<SourceItem>> items;
  std::size_t count = 0;  // of the items taken; core thread

  struct Result {
    bool is_fetched = false;
    const char* refused = nullptr;  // the rule that fetched() broke
    model::Fetched fetched;
    bool settle = false;
    bool has_reply = false;
    model::SourceReply reply;
  };
  std::mutex mutex;
  Result result;

  void borrow_request(std::int32_t kind) {
    for (const auto& [key, value] : headers) raw_headers.push_back({borrow(key), borrow(value)});
    request.struct_size = sizeof request;
    request.kind = kind;
    request.body = borrow(body);
    request.format = borrow(format);
    request.file_name = borrow(file_name);
    request.method = borrow(method);
    request.path = borrow(path);
    request.query = borrow(query);
    request.headers = raw_headers.data();
    request.header_count = raw_headers.size();
  }

protected:
  void on_cancel() noexcept override { items.close(); }
  void on_end(const Outcome&) override { items.finish(); }
};

class ReportCall final : public Call {
public:
  ReportCall(Milliseconds limit, std::string cursor, std::vector<model::RowResult> results)
      : Call("finish", limit), cursor_(std::move(cursor)), results_(std::move(results)) {
    rows_.reserve(results_.size());
    for (const model::RowResult& result : results_) {
      invited_row_result row{};
      row.struct_size = sizeof row;
      row.code = code_of(result.outcome);
      row.line = result.line;
      row.user_id = borrow(result.user);
      row.reason = borrow(result.reason);
      row.column = borrow(result.file_column.empty() ? result.column : result.file_column);
      row.message = borrow(result.message);
      rows_.push_back(row);
    }
    for (const invited_row_result& row : rows_) list_.push_back(&row);
    raw_.struct_size = sizeof raw_;
    raw_.cursor = borrow(cursor_);
    raw_.results = list_.data();
    raw_.result_count = list_.size();
  }
  [[nodiscard]] const invited_report* raw() const { return &raw_; }

private:
  static std::int32_t code_of(model::RowOutcome outcome) {
    switch (outcome) {
      case model::RowOutcome::created:
        return INVITED_RESULT_CREATED;
      case model::RowOutcome::updated:
        return INVITED_RESULT_UPDATED;
      case model::RowOutcome::unchanged:
        return INVITED_RESULT_UNCHANGED;
      case model::RowOutcome::ignored:
        return INVITED_RESULT_IGNORED;
      case model::RowOutcome::noted:
        return INVITED_RESULT_NOTED;
      case model::RowOutcome::rejected:
        break;
    }
    return INVITED_RESULT_REJECTED;
  }

  const std::string cursor_;
  const std::vector<model::RowResult> results_;
  std::vector<invited_row_result> rows_;
  std::vector<const invited_row_result*> list_;
  invited_report raw_{};
};

class ExportCall final : public Call {
public:
  ExportCall(Milliseconds limit, std::shared_ptr<Instance> instance, ExportPart part)
      : Call("export_records", limit), bytes(std::move(instance)), part_(std::move(part)) {
    pairs_.resize(part_.records.size());
    rows_.resize(part_.records.size());
    for (std::size_t i = 0; i < part_.records.size(); ++i) {
      for (const auto& [key, value] : part_.records[i].fields) pairs_[i].push_back({borrow(key), borrow(value)});
      rows_[i].struct_size = sizeof(invited_record);
      rows_[i].line = part_.records[i].line;
      rows_[i].fields = pairs_[i].data();
      rows_[i].field_count = pairs_[i].size();
      list_.push_back(&rows_[i]);
    }
    for (const auto& [key, value] : part_.options) options_.push_back({borrow(key), borrow(value)});
    raw_.struct_size = sizeof raw_;
    raw_.first = part_.first ? 1 : 0;
    raw_.last = part_.last ? 1 : 0;
    raw_.format = borrow(part_.format);
    raw_.records = list_.data();
    raw_.record_count = list_.size();
    raw_.options = options_.data();
    raw_.option_count = options_.size();
  }
  [[nodiscard]] const invited_export* raw() const { return &raw_; }

  Channel<std::string> bytes;

protected:
  void on_cancel() noexcept override { bytes.close(); }
  void on_end(const Outcome&) override { bytes.finish(); }

private:
  const ExportPart part_;
  std::vector<std::vector<invited_pair>> pairs_;
  std::vector<invited_record> rows_;
  std::vector<const invited_record*> list_;
  std::vector<invited_pair> options_;
  invited_export raw_{};
};

// ---- what the plugin calls ----

// The record as the daemon has it, or why it cannot be believed.
SourceItem item_of(const invited_record& raw) {
  SourceRecord record;
  record.line = std::max<std::int64_t>(raw.line, 0);
  const auto bad = [&](std::string column, std::string reason, std::string message) -> SourceItem {
    return BadRow{record.line, std::move(column), std::move(reason), std::move(message)};
  };
  if (raw.field_count > most_fields || (raw.fields == nullptr && raw.field_count > 0))
    return bad("", "too_large",
               fmt::format("the row has {} fields; at most {} are taken", raw.field_count, most_fields));
  record.fields.reserve(raw.field_count);
  std::size_t bytes = 0;
  for (std::uint64_t i = 0; i < raw.field_count; ++i) {
    const std::string_view key = view(raw.fields[i].key);
    const std::string_view value = view(raw.fields[i].value);
    bytes += key.size() + value.size();
    if (bytes > longest_record)
      return bad("", "too_large", fmt::format("the row is larger than {} bytes", longest_record));
    if (key.empty() || !core::is_utf8(key)) return bad("", "bad_field_name", "a field has no readable name");
    if (!core::is_utf8(value)) return bad(std::string(key), "not_utf8", "the value is not UTF-8");
    for (const auto& [known, old] : record.fields)
      if (known == key) return bad(std::string(key), "duplicate_field", "the field is there twice");
    record.fields.emplace_back(key, value);
  }
  return record;
}

invited_status put_item(IntakeCall& call, SourceItem item) {
  const bool taken = call.items.put([&](std::vector<SourceItem>& batch) {
    batch.push_back(std::move(item));
    return batch.size() >= SourceAdapter::batch_records;
  });
  return taken ? INVITED_OK : INVITED_CANCELLED;
}

// The core thread takes what is put: waiting for room there would be for ever.
bool may_wait(Instance& instance, const char* what) {
  if (!instance.gate().on_core_thread()) return true;
  instance.misbehaved(std::string(what) + " from within cancel() or settled()");
  return false;
}

invited_status emit(const invited_host* host, invited_call* handle, const invited_record* record) {
  return wall("emit", INVITED_CANCELLED, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "emit()");
    if (!call || !may_wait(instance, "emit()")) return INVITED_CANCELLED;
    if (record == nullptr || !INVITED_HAS(record, invited_record, field_count)) {
      instance.misbehaved("emit() without a whole record");
      return put_item(*call, BadRow{0, "", "bad_record", "the plugin handed over half a record"});
    }
    return put_item(*call, item_of(*record));
  });
}

void reject_row(const invited_host* host, invited_call* handle, int64_t line, invited_str column, invited_str reason,
                invited_str message) {
  wall("reject_row", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "reject_row()");
    if (!call || !may_wait(instance, "reject_row()")) return 0;
    put_item(*call, BadRow{std::max<std::int64_t>(line, 0), clipped(view(column), 200), clipped(view(reason), 100),
                           clipped(view(message), 1000)});
    return 0;
  });
}

void note(const invited_host* host, invited_call* handle, int64_t line, invited_str column, invited_str reason,
          invited_str message) {
  wall("note", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "note()");
    if (!call || !may_wait(instance, "note()")) return 0;
    put_item(*call, Remark{std::max<std::int64_t>(line, 0), clipped(view(column), 200), clipped(view(reason), 100),
                           clipped(view(message), 1000)});
    return 0;
  });
}

void announce(const invited_host* host, invited_call* handle, const invited_announcement* raw) {
  wall("announce", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "announce()");
    if (!call || !may_wait(instance, "announce()")) return 0;
    if (raw == nullptr || !INVITED_HAS(raw, invited_announcement, column_count) || raw->column_count > most_fields ||
        (raw->columns == nullptr && raw->column_count > 0)) {
      instance.misbehaved("announce() with what is no announcement");
      return 0;
    }
    Announcement said;
    said.rows = std::max<std::int64_t>(raw->rows, -1);
    for (std::uint64_t i = 0; i < raw->column_count; ++i)
      said.columns.emplace_back(clipped(view(raw->columns[i].key), 200), clipped(view(raw->columns[i].value), 200));
    put_item(*call, std::move(said));
    return 0;
  });
}

void take_fetched(const invited_host* host, invited_call* handle, invited_str cursor, int32_t more, int32_t settle) {
  wall("fetched", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "fetched()");
    if (!call) return 0;
    const std::lock_guard lock(call->mutex);
    if (std::exchange(call->result.is_fetched, true)) {
      instance.misbehaved("fetched() twice in one call");
      return 0;
    }
    if (cursor.size > longest_cursor) {
      call->result.refused = "fetched() with a cursor over 64 KiB";
      return 0;
    }
    call->result.fetched.cursor = view(cursor);
    call->result.fetched.soon = more == INVITED_MORE_SOON;
    call->result.fetched.more = more != 0 && !call->result.fetched.soon;
    call->result.settle = settle != 0;
    return 0;
  });
}

void take_reply(const invited_host* host, invited_call* handle, int32_t status, invited_str content_type,
                invited_str body) {
  wall("respond", 0, [&] {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<IntakeCall>(handle, "respond()");
    if (!call) return 0;
    const std::lock_guard lock(call->mutex);
    if (std::exchange(call->result.has_reply, true)) {
      instance.misbehaved("respond() twice in one call");
      return 0;
    }
    const std::string_view type = view(content_type);
    const bool printable = std::all_of(type.begin(), type.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (status < 200 || status > 599 || body.size > longest_body || !printable) {
      instance.misbehaved("respond() with what is no HTTP answer");
      call->result.reply = {500, "", ""};
      return 0;
    }
    call->result.reply = {static_cast<unsigned>(status), std::string(type), std::string(view(body))};
    return 0;
  });
}

invited_status write_bytes(const invited_host* host, invited_call* handle, invited_str bytes) {
  return wall("write", INVITED_CANCELLED, [&]() -> invited_status {
    Instance& instance = Instance::of(host);
    const auto call = instance.open_call<ExportCall>(handle, "write()");
    if (!call || !may_wait(instance, "write()")) return INVITED_CANCELLED;
    const bool taken = call->bytes.put([&](std::string& piece) {
      piece += view(bytes);
      return piece.size() >= export_piece;
    });
    return taken ? INVITED_OK : INVITED_CANCELLED;
  });
}

void source_changed(const invited_host* host) {
  wall("source_changed", 0, [&] {
    const auto instance = Instance::of(host).shared_from_this();
    instance->gate().post([instance] {
      if (instance->on_source_changed) instance->on_source_changed();
    });
    return 0;
  });
}

// ---- the core's side ----

std::string import_format(const model::SourcePush& push) {
  // The hint is a content type, or by itself a format or a profile's name.
  const std::string& type = push.content_type;
  if (!type.empty() && type.find('/') == std::string::npos) return type;
  if (type.starts_with("text/csv")) return "csv";
  if (type.starts_with("text/tab-separated-values")) return "tsv";
  if (type.starts_with("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")) return "xlsx";
  const auto dot = push.file_name.rfind('.');
  if (dot == std::string::npos || push.file_name.size() - dot > 8) return "";
  std::string ending = push.file_name.substr(dot + 1);
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return ending;
}

// Runs the operation, feeding the sink as batches come. Returns when the plugin has ended; throws what the sink threw,
// after that. A caller who is cancelled leaves at once, with a hint to the plugin.
template <class CallType, class Batch, class Sink>
awaitable<Outcome> feed(std::shared_ptr<Instance> instance, std::shared_ptr<CallType> call,
                        Channel<Batch> CallType::* batches, Instance::Operation operation, Sink sink) {
  Channel<Batch>& channel = (*call).*batches;
  std::optional<Outcome> refused = co_await instance->take_turn(call);
  if (refused) co_return std::move(*refused);
  const auto outcome = std::make_shared<std::optional<Outcome>>();
  instance->start(call, std::move(operation), [outcome, call, &channel](Outcome how) {
    *outcome = std::move(how);
    channel.arrived().ring();
  });
  // However this frame ends, nobody stays waiting for room.
  struct Leaving {
    std::shared_ptr<Instance> instance;
    std::shared_ptr<CallType> call;
    std::shared_ptr<std::optional<Outcome>> outcome;
    Channel<Batch>& channel;
    Leaving(std::shared_ptr<Instance> i, std::shared_ptr<CallType> c, std::shared_ptr<std::optional<Outcome>> o,
            Channel<Batch>& b)
        : instance(std::move(i)), call(std::move(c)), outcome(std::move(o)), channel(b) {}
    ~Leaving() {
      channel.close();
      if (!*outcome) instance->cancel(call);
    }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
  } leaving(instance, call, outcome, channel);

  std::exception_ptr failed;
  for (;;) {
    std::optional<Batch> batch = channel.take();
    const bool wanted = !failed && (!*outcome || (*outcome)->status == INVITED_OK);
    if (batch && wanted) {
      try {
        co_await sink(std::move(*batch));
        instance->renew(*call);
      } catch (...) {
        failed = std::current_exception();
      }
      if (failed) {
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) std::rethrow_exception(failed);
        channel.close();
        instance->cancel(call);
      }
    }
    if (batch) {
      channel.consumed();
      continue;
    }
    if (*outcome) break;
    co_await channel.arrived().wait();
  }
  if (failed) std::rethrow_exception(failed);
  if ((*outcome)->status == INVITED_OK && channel.lost()) {
    (*outcome)->status = INVITED_CANCELLED;
    (*outcome)->why = {"it was told to stop before everything was taken", "", 0};
  }
  co_return std::move(**outcome);
}

awaitable<Outcome> take_in(std::shared_ptr<Instance> instance, std::shared_ptr<IntakeCall> call,
                           Instance::Operation operation, model::SourceSink sink) {
  const auto counted = [call, sink = std::move(sink)](std::vector<SourceItem> items) {
    call->count += items.size();
    return sink(std::move(items));
  };
  co_return co_await feed(instance, call, &IntakeCall::items, std::move(operation), counted);
}

Instance::Operation handle_operation(Instance* instance, const invited_request* request) {
  return [instance, request](invited_call* handle) {
    instance->operations<invited_source>().handle(instance->self(), handle, request);
  };
}

core::Result<model::SourceReply> reply_of(const Instance& instance, IntakeCall& call, const Outcome& outcome) {
  if (outcome.status != INVITED_OK) {
    core::Error error = to_error("source", instance.name(), "handle", outcome);
    // What was pushed is wrong, not the source: whoever pushed reads what is wrong with it and nothing else.
    if (outcome.status == INVITED_REJECTED && !outcome.why.message.empty()) error.message = outcome.why.message;
    return core::fail(std::move(error));
  }
  const std::lock_guard lock(call.mutex);
  if (!call.result.has_reply) return model::SourceReply{204, "", ""};
  return std::move(call.result.reply);
}

std::string raw_query(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs)
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", core::percent_encode(key), core::percent_encode(value));
  return text;
}

}  // namespace

const invited_source_host source_host_table = {sizeof(invited_source_host),
                                               0,
                                               &emit,
                                               &reject_row,
                                               &take_fetched,
                                               &take_reply,
                                               &write_bytes,
                                               &source_changed,
                                               &announce,
                                               &note};

SourceAdapter::SourceAdapter(std::shared_ptr<Instance> instance, Milliseconds interval)
    : instance_(std::move(instance)), plugin_(instance_->plugin().name), interval_(interval) {
  instance_->on_source_changed = [this] {
    if (hint_) hint_();
  };
}

SourceAdapter::~SourceAdapter() {
  instance_->on_source_changed = nullptr;
}

bool SourceAdapter::can_fetch() const {
  return (instance_->plugin().capabilities & INVITED_SOURCE_FETCH) != 0;
}

bool SourceAdapter::can_export() const {
  return (instance_->plugin().capabilities & INVITED_SOURCE_EXPORT) != 0;
}

bool SourceAdapter::takes(std::string_view push_kind) const {
  const std::uint32_t capabilities = instance_->plugin().capabilities;
  if (push_kind == "record") return (capabilities & INVITED_SOURCE_HANDLE_RECORD) != 0;
  if (push_kind == "import") return (capabilities & INVITED_SOURCE_HANDLE_IMPORT) != 0;
  return push_kind == "http" && (capabilities & INVITED_SOURCE_HANDLE_HTTP) != 0;
}

awaitable<core::Result<model::Fetched>> SourceAdapter::fetch(std::string cursor, model::SourceSink sink) {
  const auto instance = instance_;
  if (!can_fetch())
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported",
                         fmt::format("source \"{}\" has nothing to fetch: it takes pushes", name()));
  // Also when whoever waited for the last one left before it ended.
  if (fetching_ || (last_fetch_ && instance->is_open(*last_fetch_)))
    co_return core::fail(core::ErrorKind::conflict, "fetch_running",
                         fmt::format("source \"{}\" is fetched already", name()));
  struct Fetching {
    bool& flag;
    explicit Fetching(bool& f) : flag(f) { flag = true; }
    ~Fetching() { flag = false; }
    Fetching(const Fetching&) = delete;
    Fetching& operator=(const Fetching&) = delete;
  } fetching(fetching_);
  const auto call = std::make_shared<IntakeCall>("fetch", instance->limits().fetch, instance);
  last_fetch_ = call;
  call->cursor = std::move(cursor);
  Instance::Operation operation = [plain = instance.get(), argument = borrow(call->cursor)](invited_call* handle) {
    plain->operations<invited_source>().fetch(plain->self(), handle, argument);
  };
  const Outcome outcome = co_await take_in(instance, call, std::move(operation), std::move(sink));
  if (outcome.status != INVITED_OK) co_return core::fail(to_error("source", name(), "fetch", outcome));
  const std::lock_guard lock(call->mutex);
  if (!call->result.is_fetched) {
    instance->misbehaved("fetch completed with OK without fetched()");
    co_return core::fail(
        core::ErrorKind::internal, "plugin_internal",
        fmt::format("source \"{}\": fetch completed without saying where the next one goes on", name()));
  }
  const bool settles = call->result.settle && (instance->plugin().capabilities & INVITED_SOURCE_FINISH) != 0;
  if (call->result.fetched.more && !settles && call->result.fetched.cursor == call->cursor)
    call->result.refused = "fetched() with more, the cursor it was given and nothing to settle";
  if (call->result.refused != nullptr) {
    instance->misbehaved(call->result.refused);
    co_return core::fail(
        core::ErrorKind::internal, "plugin_internal",
        fmt::format("source \"{}\": fetch failed, an error of the plugin: {}", name(), call->result.refused));
  }
  needs_no_finish_.reset();
  if (!call->result.settle) needs_no_finish_ = call->result.fetched.cursor;
  call->result.fetched.items = call->count;
  co_return std::move(call->result.fetched);
}

awaitable<core::Result<void>> SourceAdapter::finish(std::string cursor, std::vector<model::RowResult> results) {
  const auto instance = instance_;
  if ((instance->plugin().capabilities & INVITED_SOURCE_FINISH) == 0 || needs_no_finish_ == cursor)
    co_return core::Result<void>();
  const auto call = std::make_shared<ReportCall>(instance->limits().finish, std::move(cursor), std::move(results));
  Instance::Operation operation = [plain = instance.get(), report = call->raw()](invited_call* handle) {
    plain->operations<invited_source>().finish(plain->self(), handle, report);
  };
  const Outcome outcome = co_await instance->run(call, std::move(operation));
  if (outcome.status == INVITED_OK) co_return core::Result<void>();
  co_return core::fail(to_error("source", instance->name(), "finish", outcome));
}

awaitable<core::Result<model::SourceReply>> SourceAdapter::handle(model::SourcePush push, model::SourceSink sink) {
  const auto instance = instance_;
  if ((push.kind != "record" && push.kind != "import") || !takes(push.kind))
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported",
                         fmt::format("source \"{}\" takes no push of kind {}", name(), clipped(push.kind, 40)));
  const auto call = std::make_shared<IntakeCall>("handle", instance->limits().push, instance);
  const bool is_import = push.kind == "import";
  if (is_import) call->format = import_format(push);
  call->body = std::move(push.body);
  call->file_name = push.file_name.substr(push.file_name.find_last_of("/\\") + 1);
  call->borrow_request(is_import ? INVITED_REQUEST_IMPORT : INVITED_REQUEST_RECORD);
  const Outcome outcome =
      co_await take_in(instance, call, handle_operation(instance.get(), &call->request), std::move(sink));
  auto reply = reply_of(*instance, *call, outcome);
  // It becomes part of an answer in JSON.
  if (reply && !core::is_utf8(reply->body)) reply->body = core::log::printable(reply->body);
  co_return reply;
}

awaitable<core::Result<model::SourceReply>> SourceAdapter::handle_http(core::HttpRequest request,
                                                                       model::SourceSink sink) {
  const auto instance = instance_;
  if (!takes("http"))
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported",
                         fmt::format("source \"{}\" serves no HTTP", name()));
  const auto call = std::make_shared<IntakeCall>("handle", instance->limits().push, instance);
  call->method = std::move(request.method);
  call->path = std::move(request.path);
  call->query = raw_query(request.query);
  call->headers = std::move(request.headers);
  call->body = std::move(request.body);
  call->borrow_request(INVITED_REQUEST_HTTP);
  const Outcome outcome =
      co_await take_in(instance, call, handle_operation(instance.get(), &call->request), std::move(sink));
  // A refusal is an answer to who asked, in the plugin's own words.
  if (outcome.status == INVITED_REJECTED)
    co_return model::SourceReply{422, "text/plain; charset=utf-8", outcome.why.message + "\n"};
  co_return reply_of(*instance, *call, outcome);
}

awaitable<core::Result<void>> SourceAdapter::export_records(ExportPart part, model::ByteSink sink) {
  const auto instance = instance_;
  if (!can_export())
    co_return core::fail(core::ErrorKind::conflict, "plugin_unsupported",
                         fmt::format("source \"{}\" cannot export", name()));
  const auto call = std::make_shared<ExportCall>(instance->limits().export_part, instance, std::move(part));
  Instance::Operation operation = [plain = instance.get(), raw = call->raw()](invited_call* handle) {
    plain->operations<invited_source>().export_records(plain->self(), handle, raw);
  };
  const Outcome outcome = co_await feed(instance, call, &ExportCall::bytes, std::move(operation), std::move(sink));
  if (outcome.status == INVITED_OK) co_return core::Result<void>();
  co_return core::fail(to_error("source", instance->name(), "export", outcome));
}

}  // namespace invited::plugin
