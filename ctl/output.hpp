// Where answers go: standard output in the form that was asked for, remarks on standard error.
//
// A table is for people: aligned, with times of the organisation's zone; on a terminal also bold, coloured and clipped
// to its width. json passes the daemon's document on as it came. ndjson is one row a line, csv has the API's field
// names as its header, name is the first column alone.
#pragma once

#include <boost/json/value.hpp>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/commands.hpp"
#include "invocation.hpp"
#include "moments.hpp"

namespace invited::ctl {

enum class Ink : std::uint8_t { plain, bold, dim, good, warn, bad };

class Output {
public:
  explicit Output(const Settings& settings);

  [[nodiscard]] Format format() const { return settings_.format; }
  [[nodiscard]] bool people() const { return settings_.format == Format::table; }
  [[nodiscard]] bool quiet() const { return settings_.quiet; }
  [[nodiscard]] bool terminal() const { return terminal_; }
  // Standard error is a terminal: progress may be redrawn in place.
  [[nodiscard]] bool error_terminal() const { return error_terminal_; }

  [[nodiscard]] std::string paint(Ink ink, std::string text) const;
  [[nodiscard]] Moments moments(std::string_view zone) const;

  void line(std::string_view text = {}) const;                // to standard output
  void remark(std::string_view text) const;                   // to standard error; not with --quiet
  void document(std::string_view body) const;                 // one JSON document, as it came
  [[nodiscard]] std::size_t width() const { return width_; }  // of the terminal; 0: no terminal

private:
  Settings settings_;
  bool terminal_ = false;
  bool error_terminal_ = false;
  bool colour_ = false;
  std::size_t width_ = 0;
};

// Rows in the form of `output`, page by page; a table's widths are settled by the first page.
class RowWriter {
public:
  RowWriter(const Output& output, std::vector<api::Column> columns, Moments moments);
  void rows(std::span<const boost::json::value> rows);  // table, csv, ndjson, name
  void row(const boost::json::value& row);              // alone: widths are the columns' usual ones

private:
  void settle_widths(std::span<const boost::json::value> rows);
  void write(const boost::json::value& row) const;
  [[nodiscard]] std::string cell(const boost::json::value& row, const api::Column& column) const;

  const Output& output_;
  std::vector<api::Column> columns_;
  Moments moments_;
  std::vector<std::size_t> widths_;
  bool begun_ = false;
};

// The columns of a command, or for one that names none, the document's own members.
[[nodiscard]] std::vector<api::Column> columns_for(const api::Command& command, const boost::json::value& document);

}  // namespace invited::ctl
