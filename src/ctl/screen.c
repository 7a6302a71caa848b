/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "screen.h"

#include "drover/cleanup.h"
#include "drover/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

enum { ROWS_DEFAULT = 24, COLUMNS_DEFAULT = 80 };

/* xterm's names for them: alternate screen, cursor, lines that go on in the next row. */
#define BEGIN "\033[?1049h\033[?25l\033[?7l"
#define END   "\033[?7h\033[?25h\033[?1049l"

#define HOME        "\033[H"
#define ERASE_BELOW "\033[J"

struct screen {
	bool is_terminal;
	bool has_keys; /* somebody may type */
	int signals;
	sigset_t mask_before;
	struct termios before;
	size_t skip; /* lines above the first that is shown */
	size_t columns, rows;
};

/* --- the terminal -------------------------------------------------------------------------- */

static void read_size(struct screen *screen)
{
	struct winsize size;

	screen->columns = COLUMNS_DEFAULT;
	screen->rows = ROWS_DEFAULT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	if (size.ws_col > 0)
		screen->columns = size.ws_col;
	if (size.ws_row > 0)
		screen->rows = size.ws_row;
}

/* Keys are read one by one; Ctrl-C and Ctrl-Z go on being signals. */
static void begin(struct screen *screen)
{
	struct termios raw = screen->before;

	if (screen->has_keys) {
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs(BEGIN, stdout);
	fflush(stdout);
	read_size(screen);
}

static void end(const struct screen *screen)
{
	fputs(END, stdout);
	fflush(stdout);
	if (screen->has_keys)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static bool knows_sequences(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}

int screen_open(bool plain, struct screen **ret_screen)
{
	static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH };
	struct screen *screen = calloc(1, sizeof(*screen));
	sigset_t mask;

	if (!screen)
		return -ENOMEM;
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&mask, taken[i]);
	screen->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (screen->signals < 0) {
		free(screen);
		return -errno;
	}
	(void)sigprocmask(SIG_BLOCK, &mask, &screen->mask_before);
	read_size(screen);
	screen->is_terminal = !plain && isatty(STDOUT_FILENO) && knows_sequences();
	screen->has_keys = screen->is_terminal && tcgetattr(STDIN_FILENO, &screen->before) == 0;
	if (screen->is_terminal)
		begin(screen);
	*ret_screen = screen;
	return 0;
}

void screen_close(struct screen *screen)
{
	if (screen->is_terminal)
		end(screen);
	close(screen->signals);
	(void)sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
	free(screen);
}

bool screen_is_terminal(const struct screen *screen)
{
	return screen->is_terminal;
}

size_t screen_columns(const struct screen *screen)
{
	return screen->is_terminal ? screen->columns : COLUMNS_DEFAULT;
}

void screen_show(struct screen *screen, const char *text)
{
	if (!screen->is_terminal) {
		fputs(text, stdout);
	} else {
		fputs(HOME, stdout);
		screen->skip = screen_fit(
			text, screen->skip, screen->columns, screen->rows, true, stdout);
		fputs(ERASE_BELOW, stdout);
	}
	fflush(stdout);
}

/* --- what happens -------------------------------------------------------------------------- */

/* Stopped, the terminal is the shell's, which wants it as it was. */
static void stop(struct screen *screen)
{
	if (screen->is_terminal)
		end(screen);
	(void)raise(SIGSTOP);
	if (screen->is_terminal)
		begin(screen);
}

static enum screen_event take_signal(struct screen *screen)
{
	struct signalfd_siginfo info;

	if (read(screen->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return SCREEN_REDRAW;
	if (info.ssi_signo == SIGTSTP)
		stop(screen);
	else if (info.ssi_signo != SIGWINCH)
		return SCREEN_END;
	read_size(screen);
	return SCREEN_REDRAW;
}

/* An arrow key sends "\033[A" or "\033[B". */
static enum screen_event take_keys(struct screen *screen)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return SCREEN_END;
	for (ssize_t i = 0; i < n; i++) {
		if (keys[i] == 'q' || keys[i] == 'Q')
			return SCREEN_END;
		if (keys[i] == 'j' || keys[i] == 'B')
			screen->skip++;
		else if ((keys[i] == 'k' || keys[i] == 'A') && screen->skip > 0)
			screen->skip--;
	}
	return SCREEN_REDRAW;
}

enum screen_event screen_wait(struct screen *screen, uint64_t until_us)
{
	struct pollfd fds[] = {
		{ .fd = screen->signals, .events = POLLIN },
		{ .fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN },
	};
	uint64_t now = clock_now_us();
	int timeout_ms = now < until_us ? (int)((until_us - now + 999) / 1000) : 0;

	int n = poll(fds, ARRAY_SIZE(fds), timeout_ms);

	if (n < 0)
		return SCREEN_REDRAW;
	if (n == 0)
		return SCREEN_TIME;
	if (fds[0].revents)
		return take_signal(screen);
	return take_keys(screen);
}
