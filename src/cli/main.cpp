#include "cli/app.h"

int main(int argc, char** argv) { return ddpm::run_program(argc, argv); }
