#include "cli/report_server.h"

#include <algorithm>
#include <cctype>

#ifdef DDPM_HTTPLIB
#include <atomic>
#include <chrono>
#include <thread>

#include <httplib.h>
#endif

#include <spdlog/spdlog.h>

#include "cli/signals.h"
#include "ddpm/core/error.h"

namespace ddpm::cli {

bool is_loopback_host(std::string_view host) {
    const size_t colon = host.rfind(':');
    if (colon != host.npos && host.find(']', colon) == host.npos) {
        const std::string_view port = host.substr(colon + 1);
        if (port.empty() || port.size() > 5 || !std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; }))
            return false;
        host = host.substr(0, colon);
    }
    std::string name(host);
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name == "localhost" || name == "127.0.0.1" || name == "[::1]";
}

#ifdef DDPM_HTTPLIB

namespace {

constexpr const char* kAddress = "127.0.0.1";

void answer(httplib::Response& response, int status, const std::string& text) {
    response.status = status;
    response.set_content(text + "\n", "text/plain; charset=utf-8");
}

// Answers what is refused before anything else is looked at.
httplib::Server::HandlerResponse refuse(const httplib::Request& request, httplib::Response& response) {
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Cache-Control", "no-store");
    response.set_header("Referrer-Policy", "no-referrer");
    if (request.get_header_value_count("Host") != 1 || !is_loopback_host(request.get_header_value("Host"))) {
        answer(response, 403, "This page is for this machine alone.");
    } else if (request.method != "GET" && request.method != "HEAD") {
        response.set_header("Allow", "GET, HEAD");
        answer(response, 405, "There is only a page to read.");
    } else if (request.path != "/") {
        answer(response, 404, "There is only the page /.");
    } else {
        return httplib::Server::HandlerResponse::Unhandled;
    }
    return httplib::Server::HandlerResponse::Handled;
}

void set_up(httplib::Server& server, const std::function<std::string()>& page) {
    // The library's own option would be SO_REUSEPORT, by which a second server takes a port that is in use.
    server.set_socket_options([](socket_t socket) {
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server.new_task_queue = [] { return new httplib::ThreadPool(4); };
    server.set_payload_max_length(0);
    server.set_read_timeout(5);
    server.set_keep_alive_timeout(2);
    server.set_pre_routing_handler(refuse);
    server.Get("/", [page](const httplib::Request&, httplib::Response& response) {
        try {
            response.set_content(page(), "text/html; charset=utf-8");
        } catch (const Error& error) {
            answer(response, 500, error.what());
        }
    });
}

}  // namespace

void check_can_serve() {}

void serve_page(int port, const std::function<std::string()>& page) {
    httplib::Server server;
    set_up(server, page);
    const int bound = port == 0 ? server.bind_to_any_port(kAddress) : server.bind_to_port(kAddress, port) ? port : -1;
    if (bound <= 0)
        user_error(fmt::format("--port: {} on {} is taken, or may not be used", port, kAddress),
                   "--port N chooses another one, --port 0 any that is free");
    std::atomic<bool> ended{false};
    std::thread listener([&] {
        server.listen_after_bind();
        ended = true;
    });
    spdlog::info("http://{}:{}/ shows the page; Ctrl-C ends this", kAddress, bound);
    // stop() has no effect before the server runs.
    while (!ended && (stop_signal() == 0 || !server.is_running())) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    server.stop();
    listener.join();
    if (stop_signal() == 0) runtime_failure(fmt::format("http://{}:{}/: the server has ended", kAddress, bound));
}

#else

void check_can_serve() {
    user_error("--watch: this program was built without cpp-httplib (httplib.h), which serves the page",
               "install it (Debian: libcpp-httplib-dev) and build again; without --watch the report is a file");
}

void serve_page(int, const std::function<std::string()>&) { check_can_serve(); }

#endif

}  // namespace ddpm::cli
