/*
 * Messages for people: one line each on stderr, `program: what: object: why`.
 *
 * The whole line is escaped as it is written (control characters, C1 controls and bytes that are
 * not UTF-8 become \xNN), so no caller has to remember to, and no name can forge a line or drive a
 * terminal. Safe from any thread; never exits and never touches errno.
 */
#ifndef AF_LOG_H
#define AF_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* program: a string that outlives the process's last message. */
void log_init(const char *program);

/* Also send messages to syslog(3), and no longer to stderr, from now on (a daemon's background). */
void log_to_syslog(void);

/* log_info() is silent unless this was turned on. */
void log_set_verbose(bool verbose);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What was asked for: counters, a reload done. */
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Escapes len bytes of text for one line of output.
 * out is always terminated when size > 0; what does not fit is left out at a whole character.
 * Returns the length written, without the terminator.
 */
size_t log_escape(char *out, size_t size, const char *text, size_t len);

#endif
