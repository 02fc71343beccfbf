/*
 * A session's shell: signals and traps. See session_shell.c.
 *
 * What would end the shell by default ends the text that runs; a trap of the text's own is bash's.
 */
#include "session_shell.h"

#include "session_text.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile sig_atomic_t af_interrupted_by, af_ended_by;
static char *traps[BASH_SIGNALS]; /* as they were before the text; owned */

static void interrupt(int number)
{
	af_interrupted_by = number;
	interrupt_state = 1;
}

static void caught(int number)
{
	(void)number;
}

static bool has_trap(int number)
{
	return number > 0 && number < NSIG && trap_list[number] && trap_list[number] != (char *)1;
}

/* What these do by default would end the shell; of a text they end the text. */
static bool is_ours(int number)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1,
		SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGTSTP};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (number == ends[i])
			return true;
	return false;
}

/* Its end was decided elsewhere; that this killed a command is nothing to be said as well. */
static void hush(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 2);
		close(null);
	}
}

/* From our first process: a signal to the text. */
static void take_signal(int number, siginfo_t *info, void *context)
{
	int value = info->si_value.sival_int;

	(void)context;
	if (info->si_code != SI_QUEUE || !shell_runs_text())
		return;
	number = value & AF_SHELL_NUMBER;
	if (!(value & AF_SHELL_END) && has_trap(number)) {
		raise(number);
		return;
	}
	/* One that the text ignores. */
	if (!(value & AF_SHELL_END) && number < NSIG && trap_list[number] == (char *)1)
		return;
	if (value & AF_SHELL_END)
		hush();
	af_ended_by = number;
	interrupt(number);
	if (interactive && is_ours(number)) {
		/* Who types is asked for no further line, and readline has the signal its own way. */
		EOF_Reached = EOF;
		raise(number);
	}
}

/* A stop is caught, not ignored: what is started from here has it as it should be. */
static void (*handler_of(int number))(int)
{
	return number == SIGTSTP ? caught : interrupt;
}

static int next_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	static int (*next)(int, const struct sigaction *, struct sigaction *);

	if (!next)
		next = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(
			RTLD_NEXT, "sigaction");
	return next(number, action, before);
}

/* Whatever bash sets when a trap is taken away, or in a place where it leaves its own handlers. */
VISIBLE int sigaction(int sig, const struct sigaction *act, struct sigaction *oact)
{
	struct sigaction ours;

	if (!act || !shell_runs_text() || !is_ours(sig) ||
		(act->sa_handler != SIG_DFL && act->sa_handler != termsig_sighandler))
		return next_sigaction(sig, act, oact);
	ours = *act;
	ours.sa_handler = handler_of(sig);
	return next_sigaction(sig, &ours, oact);
}

/* Where the text has set no trap. */
void shell_set_handlers(void)
{
	struct sigaction ours = {.sa_sigaction = take_signal, .sa_flags = SA_SIGINFO};

	for (int i = 1; i < NSIG; i++) {
		struct sigaction action = {.sa_handler = handler_of(i)};

		if (is_ours(i) && !has_trap(i) && trap_list[i] != (char *)1)
			next_sigaction(i, &action, NULL);
	}
	next_sigaction(AF_SESSION_SIGNAL, &ours, NULL);
}

void shell_save_traps(void)
{
	for (int i = 0; i < BASH_SIGNALS; i++) {
		char *now = trap_list[i];
		bool text = now && now != (char *)1 && now != (char *)initialize_traps;

		if (traps[i] && traps[i] != (char *)1)
			free(traps[i]);
		traps[i] = text ? strdup(now) : now == (char *)1 ? now : NULL;
	}
}

/* Of signals only: bash keeps those of EXIT, DEBUG, ERR and RETURN through its exec. */
void shell_restore_traps(void)
{
	for (int i = 1; i < NSIG; i++)
		if (traps[i])
			set_signal(i, traps[i] == (char *)1 ? "" : traps[i]);
}
