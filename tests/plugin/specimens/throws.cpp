// Throws where SPECIMEN_… says, under the SDK's guard: the daemon sees a failed call and the exception's words. One
// plugin per role, called throwing_source, throwing_transport and throwing_identity.
#include <invited/cpp/roles.hpp>

namespace {

constexpr char kSchema[] = R"({"type": "object", "additionalProperties": false})";

void in_create() {
#if defined(SPECIMEN_THROWS_IN_CREATE)
  throw std::runtime_error("specimen: thrown in create");
#endif
}

[[noreturn]] void in_operation() {
  throw std::runtime_error("specimen: thrown in an operation");
}

class Source : public invited::BlockingSource {
public:
  Source(invited::Host, const invited::Json&) { in_create(); }
  invited::Page fetch(std::string_view, invited::Intake& out) override {
    if (!out.emit(invited::Record(1).set(INVITED_KEY_USER_ID, "never-stored"))) return {};
    in_operation();
  }
};

class Transport : public invited::BlockingTransport {
public:
  Transport(invited::Host, const invited::Json&) { in_create(); }
  invited::Verdict send(const invited::Message&) override { in_operation(); }
};

class Identity : public invited::AsyncIdentity {
public:
  Identity(invited::Host, const invited::Json&) { in_create(); }
  void ensure_account(invited::AccountRequest, invited::AccountCall) override { in_operation(); }
};

}  // namespace

INVITED_MODULE(invited::offer<Source>("throwing_source", "1.0.0", kSchema),
               invited::offer<Transport>("throwing_transport", "1.0.0", kSchema),
               invited::offer<Identity>("throwing_identity", "1.0.0", kSchema));
