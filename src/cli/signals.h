#pragma once

namespace ddpm::cli {

// From now on the first SIGINT, SIGTERM or SIGHUP only requests a stop, and a second one ends the process at once. If SIGHUP is
// ignored (nohup), it stays ignored.
void catch_stop_signals();

// Ignores SIGPIPE, so that a long verb goes on with its work if the process that reads its log exits first.
void ignore_sigpipe();

// Returns the signal that requested a stop, or 0.
int stop_signal();

// From now on SIGUSR1 requests a checkpoint instead of ending the process. One that has come since the start of the process
// counts (main.cpp holds it back).
void catch_checkpoint_signal();

// Lets SIGUSR1 do what it does by default: for the verbs that write no checkpoints.
void release_checkpoint_signal();

// Returns whether SIGUSR1 came since the last call.
bool take_checkpoint_request();

// Throws Stopped if a stop was requested. It unwinds to run_program, so that everything unfinished is removed on the way.
struct Stopped {};
void throw_if_stopped();

}  // namespace ddpm::cli
