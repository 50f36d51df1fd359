#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ddpm::cli {

// Whether the value of a Host header names this machine's loopback address, with or without a port: localhost, 127.0.0.1 or [::1].
// Another name may be somebody's page that had its name point here.
bool is_loopback_host(std::string_view host);

// Refuses --watch, with a user_error that says what is missing, if the program was built without cpp-httplib.
void check_can_serve();

// Serves the page that `page` returns at http://127.0.0.1:PORT/ and nothing else, to GET and HEAD alone, until a stop is requested
// (catch_stop_signals). Port 0 takes one that is free. Logs the address. `page` is called by several threads; an Error that it throws is
// shown in place of the page. A port that is taken is a user_error.
void serve_page(int port, const std::function<std::string()>& page);

}  // namespace ddpm::cli
