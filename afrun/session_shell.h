/*
 * Between the files of the library that makes a shell of a session; see session_shell.c.
 */
#ifndef AF_SESSION_SHELL_H
#define AF_SESSION_SHELL_H

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* ---- bash's, as its own headers declare them ---------------------------------------------------- */

#define VISIBLE __attribute__((visibility("default")))
#define BASH_SIGNALS (NSIG + 3) /* BASH_NSIG: the signals, and EXIT, DEBUG, ERR, RETURN */
enum {
	SEVAL_NOHIST = 0x004,
	SEVAL_RESETLINE = 0x010,
	BUILTIN_ENABLED = 0x1,
	EXITPROG = 3,
};

struct builtin {
	const char *name;
	int (*function)(void *words);
	int flags;
	char *const *long_doc;
	const char *short_doc;
	char *handle;
};

extern sigjmp_buf top_level;
extern volatile sig_atomic_t interrupt_state;
extern char *trap_list[BASH_SIGNALS];
extern int last_command_exit_value, startup_state, parse_and_execute_level;
extern int loop_level, continuing, breaking, funcnest, variable_context, return_catch_flag;
extern int comsub_ignore_return, evalnest, sourcenest, sourcelevel, executing, executing_builtin;
extern int executing_list, interactive, interactive_shell, expand_aliases, EOF_Reached;
extern int shell_tty, remember_on_history, enable_history_list;
extern pid_t shell_pgrp, terminal_pgrp, original_pgrp;

extern int parse_and_execute(char *text, const char *from, int flags);
extern void parse_and_execute_cleanup(int old_running_trap);
extern void run_unwind_protects(void);
extern void initialize_terminating_signals(void);
extern void initialize_traps(void);
extern void initialize_signals(int again);
extern void adjust_shell_level(int change);
extern void set_signal(int number, const char *command);
extern int set_job_control(int on);
extern void reset_parser(void);
extern void exit_shell(int status) __attribute__((noreturn));
extern void push_stream(int reset_line);
extern void pop_stream(void);
extern void with_input_from_stdin(void);
extern int reader_loop(void);
extern void get_tty_state(void);
extern void notify_and_cleanup(void);
extern void termsig_sighandler(int number);
extern void *set_if_not(const char *name, const char *value);

/* ---- session_shell.c ---------------------------------------------------------------------------- */

extern pid_t af_shell;        /* us; a child of ours that is still bash has another id; 0 before */
extern bool af_shell_running; /* a text */
extern bool af_shell_ending;  /* the session */
extern sigjmp_buf af_text_over; /* bash's top_level while a text runs; it may overwrite its own */

/* Whether the caller is the session's own shell, and a text runs. */
bool shell_runs_text(void);

/* ---- session_shell_signals.c -------------------------------------------------------------------- */

extern volatile sig_atomic_t af_interrupted_by; /* what the text had of the signals that end one */
extern volatile sig_atomic_t af_ended_by; /* from our first process, whatever bash makes of it */

/* Handlers for what would end the shell, where the text has set no trap. */
void shell_set_handlers(void);

/* The traps as they are before a text, and back again where bash took them away for its exec. */
void shell_save_traps(void);
void shell_restore_traps(void);

#endif
