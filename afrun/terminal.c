/*
 * The caller's terminal. See terminal.h; when to do what is supervise.c's business.
 *
 * Where the command's output is on the terminal too, ours is raw and the command's own terminal does
 * everything (echo, editing, signals, job control). In a pipeline (stdin a terminal, stdout not) other
 * programs share the terminal with us, so it stays as it is; the command's then must not echo again.
 */
#include "terminal.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <signal.h>

int terminal_open(struct af_terminal *terminal)
{
	int out = isatty(1) ? 1 : isatty(2) ? 2 : 0;

	*terminal = AF_TERMINAL_NONE;
	terminal->wants_raw = out == 1;
	terminal->tty = fcntl(0, F_DUPFD_CLOEXEC, 3);
	terminal->out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	if (terminal->tty < 0 || terminal->out < 0 ||
		tcgetattr(terminal->tty, &terminal->saved) < 0)
		return -errno;
	return 0;
}

void terminal_describe(const struct af_terminal *terminal, struct af_control *launch)
{
	if (terminal->tty < 0)
		return;
	launch->value |= AF_LAUNCH_PTY;
	launch->value |= isatty(1) ? AF_LAUNCH_PTY_OUT : 0;
	launch->value |= isatty(2) ? AF_LAUNCH_PTY_ERR : 0;
	launch->modes = terminal->saved;
	if (!terminal->wants_raw)
		launch->modes.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	if (ioctl(terminal->tty, TIOCGWINSZ, &launch->size) < 0)
		launch->size = (struct winsize){.ws_row = 24, .ws_col = 80};
}

void terminal_attach(struct af_terminal *terminal, int master)
{
	terminal->master = master;
	fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	terminal_take(terminal);
}

void terminal_take(struct af_terminal *terminal)
{
	struct termios raw = terminal->saved;

	if (terminal->tty < 0)
		return;
	terminal->foreground = tcgetpgrp(terminal->tty) == getpgrp();
	if (!terminal->foreground || !terminal->wants_raw || terminal->raw)
		return;
	cfmakeraw(&raw);
	terminal->raw = tcsetattr(terminal->tty, TCSADRAIN, &raw) == 0;
	terminal_resize(terminal);
}

void terminal_give_back(struct af_terminal *terminal)
{
	if (!terminal->raw)
		return;
	/* Never from the background: it would change the terminal of whoever has it now. */
	if (tcgetpgrp(terminal->tty) == getpgrp())
		tcsetattr(terminal->tty, TCSADRAIN, &terminal->saved);
	terminal->raw = false;
}

void terminal_resize(const struct af_terminal *terminal)
{
	struct winsize size;

	if (terminal->master >= 0 && ioctl(terminal->tty, TIOCGWINSZ, &size) == 0)
		ioctl(terminal->master, TIOCSWINSZ, &size);
}

bool terminal_wants_input(const struct af_terminal *terminal)
{
	return terminal->master >= 0 && terminal->foreground && terminal->input_len == 0;
}

bool terminal_has_input(const struct af_terminal *terminal)
{
	return terminal->master >= 0 && terminal->input_len > 0;
}

void terminal_read_input(struct af_terminal *terminal)
{
	ssize_t got = read(terminal->tty, terminal->input, sizeof(terminal->input));

	if (got > 0) {
		terminal->input_len = (size_t)got;
		return;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got == 0 && !terminal->wants_raw) {
		/* The end as a line-editing terminal says it: say it to the command's. */
		terminal->input[0] = (char)terminal->saved.c_cc[VEOF];
		terminal->input_len = 1;
		return;
	}
	terminal->foreground = false;
}

void terminal_pass_input(struct af_terminal *terminal)
{
	ssize_t done = write(terminal->master, terminal->input, terminal->input_len);

	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (done < 0)
		done = (ssize_t)terminal->input_len;
	for (size_t i = (size_t)done; i < terminal->input_len; i++)
		terminal->input[i - (size_t)done] = terminal->input[i];
	terminal->input_len -= (size_t)done;
}

void terminal_copy_output(struct af_terminal *terminal)
{
	char text[4096];
	ssize_t got = read(terminal->master, text, sizeof(text));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* EIO is how a master says that nobody has the terminal any more. */
	if (got <= 0 || io_write_all(terminal->out, text, (size_t)got) < 0)
		close(af_steal_fd(&terminal->master));
}

void terminal_close(struct af_terminal *terminal)
{
	terminal_give_back(terminal);
	if (terminal->master >= 0)
		close(terminal->master);
	if (terminal->tty >= 0)
		close(terminal->tty);
	if (terminal->out >= 0)
		close(terminal->out);
	*terminal = AF_TERMINAL_NONE;
}
