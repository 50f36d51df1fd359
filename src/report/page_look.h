#pragma once

namespace ddpm::report {

// The style and the script of the page. Neither asks for anything outside of the page.
extern const char* const kPageStyle;
extern const char* const kPageScript;

}  // namespace ddpm::report
