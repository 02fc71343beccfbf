/*
 * Telling our first process inside which command it is to start, and how.
 */
#ifndef AF_LAUNCH_H
#define AF_LAUNCH_H

#include "supervise.h"
#include "terminal.h"

/*
 * Sends the run's command, or a caller's text of a session, with the caller's own streams, which are the
 * command's alone from then on; those that are a terminal are one of its own. 0 or -errno.
 */
int launch_command(const struct af_run *run, const struct af_terminal *terminal);

#endif
