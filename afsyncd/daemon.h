/*
 * The daemon: merges deltas as their mounts end, each by an afsyncd of its own, so that what goes wrong
 * with one is nothing to the others.
 */
#ifndef AF_DAEMON_H
#define AF_DAEMON_H

#define DAEMON_TABLE "/etc/agentfense/afsyncd.tab"

/*
 * In the foreground until SIGTERM or SIGINT; SIGHUP reads the table again. Merges that are under way are
 * waited for; at a second such signal they are ended. Returns 0, or -errno, reported, where it could not
 * begin.
 */
int daemon_serve(const char *table_path);

#endif
