#pragma once

namespace ddpm::cli {

// From now on the first SIGINT, SIGTERM or SIGHUP only asks for a stop; a second one ends the process at once. Where
// SIGHUP is ignored (nohup) it stays so.
void catch_stop_signals();

// For verbs that work long: who reads the log may go before the work is done.
void outlive_reader();

// The signal that asked for a stop, or 0.
int stop_signal();

// From now on SIGUSR1 only asks for a checkpoint.
void catch_checkpoint_signal();

// Whether SIGUSR1 came since the last call.
bool take_checkpoint_request();

// Unwinds to run_program when a stop was asked for, so that everything unfinished is removed on the way.
struct Stopped {};
void throw_if_stopped();

}  // namespace ddpm::cli
