// Rows out of delimited text: everything a person's spreadsheet may do to it.
#include "csv.hpp"

#include <catch2/catch.hpp>
#include <cstdio>

using namespace invited::file;

namespace {

// Rows as one line of text each, in the order they come: "2: user_id=14 name=A" and "3! name/not_utf8/the cell …".
class Seen final : public Rows {
public:
  bool row(std::int64_t line, std::span<const Cell> cells) override {
    std::string text = std::to_string(line) + ":";
    for (const Cell& cell : cells) text += " " + std::string(cell.key) + "=" + std::string(cell.value);
    lines.push_back(text);
    return --left != 0;
  }
  bool bad_row(std::int64_t line, std::string_view column, std::string_view reason, std::string_view message) override {
    lines.push_back(std::to_string(line) + "! " + std::string(column) + "/" + std::string(reason) + "/" +
                    std::string(message));
    return --left != 0;
  }
  std::vector<std::string> lines;
  int left = -1;
};

using Lines = std::vector<std::string>;

Lines parse(std::string_view text, std::size_t piece = 1'000'000, Delimiter delimiter = Delimiter::automatic) {
  FileCheck check;
  for (std::size_t at = 0; at < text.size(); at += piece) check.feed(text.substr(at, piece));
  check.finish();
  Seen seen;
  CsvReader reader(Layout{.delimiter = delimiter}, seen);
  for (std::size_t at = 0; at < text.size(); at += piece) REQUIRE(reader.feed(text.substr(at, piece)));
  REQUIRE(reader.finish());
  return seen.lines;
}

std::string problem(std::string_view text, Delimiter delimiter = Delimiter::automatic) {
  Seen seen;
  try {
    FileCheck check;
    check.feed(text);
    check.finish();
    CsvReader reader(Layout{.delimiter = delimiter}, seen);
    reader.feed(text);
    reader.finish();
  } catch (const Problem& found) {
    CHECK(seen.lines.empty());  // nothing came of it
    return found.reason() + ": " + found.text();
  }
  return "none";
}

}  // namespace

TEST_CASE("csv: rows come with their columns' names and their lines") {
  CHECK(parse("user_id,name\n14,A\n15,B\n") == Lines{"2: user_id=14 name=A", "3: user_id=15 name=B"});
}

TEST_CASE("csv: comma, semicolon and tab are told apart by the first line") {
  const Lines wanted{"2: user_id=14 name=A"};
  CHECK(parse("user_id;name\n14;A\n") == wanted);
  CHECK(parse("user_id\tname\n14\tA\n") == wanted);
  CHECK(parse("\"user_id\";\"name\"\n\"14\";\"A\"\n") == wanted);
  CHECK(parse("user_id;name\n14;A, B\n") == Lines{"2: user_id=14 name=A, B"});
  CHECK(parse("user_id\n14\n") == Lines{"2: user_id=14"});
  CHECK(parse("user_id;name\n14;A\n", 100, Delimiter::semicolon) == wanted);
  CHECK(problem("user_id;name\n14;A\n", Delimiter::comma) ==
        "no_header: line 1, column 1: the first line has to name the columns, such as user_id,name,login_email or "
        "the HR system's own names; it begins with \"user_id;name\"");
}

TEST_CASE("csv: names of columns may be in any case, in blanks, in quotes, and behind a byte order mark") {
  const Lines wanted{"2: user_id=14 login_email=a@b.example x_badge=7"};
  CHECK(parse("\xEF\xBB\xBFUSER_ID , Login_Email,x_Badge\n14,a@b.example,7\n") == wanted);
  CHECK(parse("\xEF\xBB\xBF\" User_Id \",\"login_email\",x_badge\r\n14,a@b.example,7\r\n") == wanted);
}

TEST_CASE("csv: every line end is one, and a last line needs none") {
  const Lines wanted{"2: user_id=14 name=A", "3: user_id=15 name=B"};
  CHECK(parse("user_id,name\r\n14,A\r\n15,B\r\n") == wanted);
  CHECK(parse("user_id,name\r14,A\r15,B\r") == wanted);
  CHECK(parse("user_id,name\n14,A\n15,B") == wanted);
  CHECK(parse("user_id,name\r14,A\r15,B") == wanted);
}

TEST_CASE("csv: a line break inside quotes belongs to the cell, and the lines below keep their numbers") {
  CHECK(parse("user_id,name\n14,\"A\nB\"\n15,C\n") == Lines{"2: user_id=14 name=A\nB", "4: user_id=15 name=C"});
  CHECK(parse("user_id,name\r\n14,\"A\r\n\r\nB\"\r\n15,C\r\n") ==
        Lines{"2: user_id=14 name=A\r\n\r\nB", "5: user_id=15 name=C"});
}

TEST_CASE("csv: empty lines and rows of empty cells are passed over, and counted") {
  CHECK(parse("\n\nuser_id,name\n\n14,A\n , \n,,,\n  \n15,B\n\n") ==
        Lines{"5: user_id=14 name=A", "9: user_id=15 name=B"});
  CHECK(parse("user_id\tname\n\t\n14\tA\n") == Lines{"3: user_id=14 name=A"});
}

TEST_CASE("csv: a delimiter at the end of lines makes no column") {
  CHECK(parse("user_id;name;\n14;A;\n15;B\n16;C;;\n") ==
        Lines{"2: user_id=14 name=A", "3: user_id=15 name=B", "4: user_id=16 name=C"});
}

TEST_CASE("csv: an empty cell is there, with an empty value") {
  CHECK(parse("user_id,name,department\n14,,\n") == Lines{"2: user_id=14 name= department="});
}

TEST_CASE("csv: blanks around a cell go, blanks inside quotes stay") {
  CHECK(parse("user_id,name\n 14 ,\" A \"\n") == Lines{"2: user_id=14 name= A "});
}

TEST_CASE("csv: quotes inside a quoted cell are doubled") {
  CHECK(parse("user_id,name\n14,\"A \"\"B\"\" C\"\n15,\"\"\n") ==
        Lines{"2: user_id=14 name=A \"B\" C", "3: user_id=15 name="});
}

TEST_CASE("csv: a row with too few or too many cells is told with both counts, and the others go on") {
  CHECK(parse("user_id,name\n14\n15,B\n16,C,D\n17,E\n") ==
        Lines{"2! /wrong_cell_count/the row has 1 cell where the first line names 2 columns", "3: user_id=15 name=B",
              "4! /wrong_cell_count/the row has 3 cells where the first line names 2 columns", "5: user_id=17 name=E"});
}

TEST_CASE("csv: a quote that is never closed costs its own row only") {
  const std::string message = "name/unbalanced_quote/a quoted cell begins here and is never closed";
  CHECK(parse("user_id,name\n14,\"A\n15,B\n16,C\n") ==
        Lines{"2! " + message, "3: user_id=15 name=B", "4: user_id=16 name=C"});
  CHECK(parse("user_id,name\n14,A\n15,\"B") == Lines{"2: user_id=14 name=A", "3! " + message});
}

TEST_CASE("csv: a quote closed by the quote of a later row costs its own row only") {
  const std::string message =
      "name/unbalanced_quote/a quote stands inside a cell; quotes belong around the whole cell, and inside it they are "
      "doubled";
  CHECK(parse("user_id,name\n14,\"A\n15,\"B\"\n16,C\n") ==
        Lines{"2! " + message, "3: user_id=15 name=B", "4: user_id=16 name=C"});
  CHECK(parse("user_id,name\n14,A \"Q\" B\n15,C\n") == Lines{"2! " + message, "3: user_id=15 name=C"});
  // Where the swallowed lines happen to end in a quote, the number of cells gives it away.
  CHECK(parse("user_id,name,department\n14,\"A,x\n15,B,\"\n16,C,y\n") ==
        Lines{"2! /wrong_cell_count/the row has 2 cells where the first line names 3 columns",
              "3! department/unbalanced_quote/a quoted cell begins here and is never closed",
              "4: user_id=16 name=C department=y"});
}

TEST_CASE("csv: a cell that is not UTF-8 names its column, and the others go on") {
  CHECK(parse("user_id,name\n14,\xC5sa\n15,Åsa\n") ==
        Lines{"2! name/not_utf8/the cell is not UTF-8 (byte 0xC5 at position 1); save the file as \"CSV UTF-8\"",
              "3: user_id=15 name=Åsa"});
  // Overlong, surrogate, beyond the last, cut off, a lone continuation.
  for (const char* bad : {"\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\x80", "\xFF"}) {
    const Lines lines = parse("user_id,name\n14," + std::string(bad) + "\n");
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("2! name/not_utf8/"));
  }
  CHECK(parse("user_id,name\n14,\xF0\x9F\x99\x82\n").at(0).starts_with("2: "));
}

TEST_CASE("csv: a line of many megabytes costs one row and little memory") {
  const std::string huge(5 << 20, 'x');
  const Lines wanted{"2! /row_too_long/the row is longer than 1 MiB", "3: user_id=15 name=B"};
  CHECK(parse("user_id,name\n14," + huge + "\n15,B\n", 4096) == wanted);
  CHECK(parse("user_id,name\n14," + huge + "\n15,B\n") == wanted);
  CHECK(parse("user_id,name\n14," + huge, 4096) == Lines{wanted[0]});
  CHECK(parse("user_id,name\n14,\"" + huge + "\"\n15,B\n", 4096) == wanted);
}

TEST_CASE("csv: a quote left open over a megabyte costs its own row only") {
  std::string text = "user_id,name\n14,\"A\n";
  Lines wanted{"2! name/unbalanced_quote/a quoted cell begins here and is not closed within 1 MiB"};
  for (int i = 0; i < 150'000; ++i) {
    text += "15,BBBBBBBB\n";
    wanted.push_back(std::to_string(i + 3) + ": user_id=15 name=BBBBBBBB");
  }
  const bool same = parse(text) == wanted;  // a difference would be megabytes of output
  CHECK(same);
}

TEST_CASE("csv: the pieces that a file comes in change nothing") {
  const std::string text =
      "\xEF\xBB\xBFuser_id;name\r\n14;\"A\r\nB\"\r\n\r\n15;\"C\r16;D\r\n17;E;F\n18;\xC5\r19;\"G\"\"H\"\r\n20;"
      "\"open\r\nlast;x";
  const Lines whole = parse(text);
  CHECK(whole.size() == 8);
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    CAPTURE(piece);
    CHECK(parse(text, piece) == whole);
  }
}

TEST_CASE("csv: a taker who says stop is given nothing more") {
  Seen seen;
  seen.left = 2;
  CsvReader reader(Layout{}, seen);
  CHECK_FALSE(reader.feed("user_id\n1\n2\n3\n4\n"));
  CHECK(seen.lines.size() == 2);
}

TEST_CASE("csv: what is wrong with a whole file is one sentence with its place, and no row comes of it") {
  const auto [text, message] = GENERATE(table<std::string, std::string>({
      {"", "no_header: the file is empty: its first line has to name the columns, such as user_id,name,login_email"},
      {"\n \r\n",
       "no_header: the file is empty: its first line has to name the columns, such as user_id,name,login_email"},
      {"\xEF\xBB\xBF",
       "no_header: the file is empty: its first line has to name the columns, such as user_id,name,login_email"},
      {",,\n14,A,B\n", "no_header: line 1: the first line names no column"},
      {"14,A. Example,a@b.example\n",
       "no_header: line 1, column 1: the first line has to name the columns, such as user_id,name,login_email or the "
       "HR system's own names; it begins with \"14\""},
      {"name,login_email\nA,a@b.example\n",
       "no_user_id: line 1: there is no column \"user_id\", so nobody can be told apart"},
      {"user_id,nmae\n14,A\n",
       "unknown_column: line 1, column 2: \"nmae\" is no field of a user; did you mean \"name\"?"},
      {"\nuser_id,login e-mail\n",
       "unknown_column: line 2, column 2: \"login e-mail\" is no field of a user; did you mean \"login_email\"?"},
      {"user_id,shoe_size\n14,44\n", "unknown_column: line 1, column 2: \"shoe_size\" is no field of a user"},
      {"user_id,x_\n14,44\n", "unknown_column: line 1, column 2: \"x_\" is no field of a user"},
      {"user_id,name,Name\n", "duplicate_column: line 1, column 3: \"name\" is column 2 already"},
      {"user_id,,name\n", "unnamed_column: line 1, column 2: the column has no name"},
      {"user_id,n\xE4me\n",
       "not_utf8: line 1, column 2: the column's name is not UTF-8 (byte 0xE4); save the file as \"CSV UTF-8\""},
      {"user_id,\"name\n14,A\n", "unbalanced_quote: line 1, column 2: a quoted cell begins here and is never closed"},
      {std::string("user_id\n14\r\n1\0005\n", 15),
       "nul: line 3: there is a NUL byte, so this is no text in UTF-8; save it as \"CSV UTF-8\""},
      {std::string("\xFF\xFEu\0s\0", 6), "not_utf8: line 1: the file is UTF-16; save it as \"CSV UTF-8\""},
      {std::string("PK\x03\x04rest", 8),
       "not_text: the file is a workbook (XLSX) or an archive, not delimited text; save it as \"CSV UTF-8\""},
      {std::string("\xD0\xCF\x11\xE0rest", 8),
       "not_text: the file is an old workbook (XLS), not delimited text; save it as \"CSV UTF-8\""},
      {"user_id" + std::string(3 << 20, ',') + "\n14\n", "row_too_long: line 1: the first line is longer than 1 MiB"},
  }));
  CHECK(problem(text) == message);
}

TEST_CASE("csv: a first line that never ends is refused before it is held") {
  Seen seen;
  CsvReader reader(Layout{}, seen);
  const std::string piece(1 << 20, 'x');
  CHECK_THROWS_AS((reader.feed(piece), reader.feed(piece), reader.feed(piece)), Problem);
}
