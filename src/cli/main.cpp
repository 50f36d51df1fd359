#include <fcntl.h>
#include <unistd.h>

#include "cli/app.h"

int main(int argc, char** argv) {
    // Where standard input, output or error is closed, the next file that is opened would take its number, and messages
    // would land in it.
    int descriptor = 0;
    while (descriptor >= 0 && descriptor <= 2) descriptor = ::open("/dev/null", O_RDWR);
    if (descriptor > 2) ::close(descriptor);
    return ddpm::run_program(argc, argv);
}
