/*
 * Messages for people. See log.h; what a message says is its caller's business.
 */
#include "log.h"

#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

/* Written before the first thread starts, or by it once (log_to_syslog). */
static const char *log_program = "agentfense";
static bool log_verbose;
static bool log_syslog;

void log_init(const char *program)
{
	log_program = program;
}

void log_to_syslog(void)
{
	openlog(log_program, LOG_PID, LOG_DAEMON);
	log_syslog = true;
}

void log_set_verbose(bool verbose)
{
	log_verbose = verbose;
}

/* Whether the character of `bytes` bytes may reach a terminal as it is. */
static bool printable(size_t bytes, uint32_t code)
{
	return bytes != 0 && code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0) &&
		code != 0x2028 && code != 0x2029 && !(code >= 0x202a && code <= 0x202e) &&
		!(code >= 0x2066 && code <= 0x2069);
}

size_t log_escape(char *out, size_t size, const char *text, size_t len)
{
	size_t used = 0;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < len;) {
		uint32_t code = 0;
		size_t bytes = utf8_length(text + i, len - i, &code);
		bool plain = printable(bytes, code);
		size_t step = bytes ? bytes : 1;
		size_t need = plain ? step : 4 * step;

		if (used + need >= size)
			break;
		if (plain)
			memcpy(out + used, text + i, step);
		for (size_t k = 0; !plain && k < step; k++)
			snprintf(out + used + 4 * k, 5, "\\x%02x", (unsigned char)text[i + k]);
		used += need;
		i += step;
	}
	out[used] = '\0';
	return used;
}

__attribute__((format(printf, 2, 0))) static void log_line(
	int priority, const char *fmt, va_list args)
{
	int saved = errno;
	char raw[8192], line[sizeof(raw) + 128];
	int len = vsnprintf(raw, sizeof(raw), fmt, args);
	size_t used;

	if (len < 0)
		len = 0;
	if ((size_t)len >= sizeof(raw))
		len = sizeof(raw) - 1;
	if (log_syslog) {
		log_escape(line, sizeof(line), raw, (size_t)len);
		syslog(priority, "%s", line);
		errno = saved;
		return;
	}
	used = (size_t)snprintf(line, 64, "%s: ", log_program);
	used = used < 64 ? used : 63;
	used += log_escape(line + used, sizeof(line) - used - 1, raw, (size_t)len);
	line[used++] = '\n';
	/* One write, so that lines of several processes do not mix; nobody to tell if it fails. */
	if (write(STDERR_FILENO, line, used) < 0)
		errno = saved;
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_ERR, fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_WARNING, fmt, args);
	va_end(args);
}

void log_notice(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_NOTICE, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	if (!log_verbose)
		return;
	va_start(args, fmt);
	log_line(LOG_INFO, fmt, args);
	va_end(args);
}
