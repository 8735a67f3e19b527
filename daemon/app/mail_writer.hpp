// Delivery's mails, made by the render layer from the configuration's sender and templates.
#pragma once

#include <memory>
#include <optional>

#include "config/config.hpp"
#include "render/mail.hpp"
#include "service/delivery.hpp"

namespace invited::app {

class TemplateMailWriter final : public service::MailWriter {
public:
  TemplateMailWriter(config::Mail mail, std::shared_ptr<const render::Templates> templates)
      : mail_(std::move(mail)), templates_(std::move(templates)) {}
  [[nodiscard]] core::Result<model::OutgoingMail> write(const service::MailFacts& facts, const std::string& link,
                                                        const model::Policy& policy, core::Instant now) override;
  void use(std::shared_ptr<const render::Templates> templates) { templates_ = std::move(templates); }

private:
  config::Mail mail_;
  std::shared_ptr<const render::Templates> templates_;
};

}  // namespace invited::app
