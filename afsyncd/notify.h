/*
 * Telling systemd: datagrams to the socket that NOTIFY_SOCKET names (sd_notify(3)); nothing where there
 * is none.
 */
#ifndef AF_NOTIFY_H
#define AF_NOTIFY_H

/* state: as sd_notify(3) has it, "READY=1" and the like. Failing to tell is no failure. */
void notify_state(const char *state);
/* RELOADING=1 with the time that Type=notify-reload wants. */
void notify_reloading(void);

#endif
