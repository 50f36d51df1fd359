#include "ddpm/report/log.h"

#include <memory>

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "ddpm/core/text.h"
#include "ddpm/report/console.h"

namespace ddpm {

namespace {

// The console has a mutex of its own.
class ConsoleSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        std::string line;
        if (message.level == spdlog::level::warn) line = "warning: ";
        if (message.level >= spdlog::level::err) line = "error: ";
        line += printable({message.payload.data(), message.payload.size()});  // a path may hold anything
        standard_error().print(line);
    }
    void flush_() override {}
};

}  // namespace

void start_log(Verbosity verbosity) {
    auto logger = std::make_shared<spdlog::logger>("ddpm", std::make_shared<ConsoleSink>());
    logger->set_level(verbosity == Verbosity::quiet     ? spdlog::level::warn
                      : verbosity == Verbosity::verbose ? spdlog::level::debug
                                                        : spdlog::level::info);
    spdlog::set_default_logger(std::move(logger));
}

}  // namespace ddpm
