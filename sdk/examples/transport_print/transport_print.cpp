// The smallest useful transport: it prints each mail to the end of a text file. For looking at what would be sent.
#include <cstdio>
#include <invited/cpp/roles.hpp>
#include <memory>

namespace {

constexpr char kSchema[] = R"({
  "type": "object",
  "description": "Prints each mail to the end of a text file instead of sending it.",
  "properties": {
    "path": {"type": "string", "minLength": 1, "description": "The file; made when it is missing."},
    "bodies": {"type": "boolean", "default": true, "description": "Print whole mails, not only their envelopes."}
  },
  "required": ["path"],
  "additionalProperties": false
})";

class Print : public invited::BlockingTransport {
public:
  Print(invited::Host host, const invited::Json& config)
      : host_(host), path_(config.at("path").as_text()), bodies_(config.boolean("bodies", true)) {
    if (path_.front() != '/')
      throw invited::Failure(invited::Status::bad_config, "the path must begin with a slash", "/path");
  }

  invited::Verdict send(const invited::Message& message) override {
    const File file = open();
    std::string text = "From: <" + std::string(message.envelope_from) + ">\nTo: <" + std::string(message.envelope_to) +
                       ">\nAttempt: " + std::to_string(message.attempt) + "\n";
    if (bodies_) text += "\n" + std::string(message.content);
    text += "\n";
    if (std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0)
      throw invited::Failure(invited::Status::unknown, path_ + ": may be written in part only");
    host_.log(invited::LogLevel::debug, "printed", {{"delivery", message.id}});
    return {.detail = "printed to " + path_};
  }

  void probe(invited::Probe& steps) override {
    const File file = open();
    steps.step(invited::Phase::connect, path_ + " can be written");
  }

private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;

  // Not being able to print is nobody's invitation's fault: the transport pauses until an operator has looked.
  File open() const {
    File file(std::fopen(path_.c_str(), "a"));
    if (!file) throw invited::Failure(invited::Status::bad_config, path_ + ": cannot be opened for writing", "/path");
    return file;
  }

  invited::Host host_;
  std::string path_;
  bool bodies_;
};

}  // namespace

INVITED_MODULE(invited::offer<Print>("print", "1.0.0", kSchema));
