// The source "file": delimited text whose first line names the columns, dropped into a folder or pushed with
// `invitectl user import`, and written for `invitectl user export`. Two profiles (profile.hpp): the API's field names,
// and those of the HR system's template in Swedish and English.
//
//   user_id,name,login_email,start_date                        Användar-id;Namn;E-post Visma Connect;Startdatum
//   14,A. Example,a.example@company.example,2026-12-01         14;A. Example;a.example@company.example;2026-12-01
//
// One file per fetch, oldest first. When its rows are durable it moves to done/ with a table of what became of each
// row beside it; one that cannot be read as a whole moves to failed/ with the reason. Until then it stays where it is:
// after a crash it is read again, which changes nothing.
#pragma once

#include <invited/cpp/roles.hpp>

#include "csv.hpp"
#include "folder.hpp"

namespace invited::file {

class FileSource : public BlockingSource {
public:
  // Looks at nothing on disk: a folder that is not there is trouble of the fetch, not of the configuration.
  FileSource(Host host, const Json& config);

  // The cursor is "NAME:HASH" of the file that was read last. Failure(retry) when the folder is no good.
  Page fetch(std::string_view cursor, Intake& out) override;
  void finish(const Report& report) override;
  // Failure(rejected) that names line and column when the file cannot be read as a whole; then nothing was emitted.
  void on_import(const ImportFile& file, Intake& out) override;
  // Each part by itself: nothing is kept between them.
  void export_records(const ExportPart& part, ExportCall& out) override;

private:
  struct Pending {
    TakenFile file;
    std::string cursor;
    Folder::Shelf shelf = Folder::Shelf::done;
  };
  void look_again_in(std::int64_t ms);
  void check_size(std::int64_t size) const;
  static void check_rows(std::int64_t rows);
  std::string check(TakenFile& file, FileCheck& whole) const;

  Host host_;
  Layout layout_;
  std::int64_t max_bytes_;
  std::optional<Folder> folder_;
  std::optional<Pending> pending_;
  Timer again_;
};

// The table beside a finished file: line,user_id,result,column,message.
std::string result_table(const Report& report);

}  // namespace invited::file
