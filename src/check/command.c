/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: the shell runs them, in a process group of their own, and their exit status tells. */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { N_VARIABLES = 3 };

/* The environment of the daemon, and who is asked. */
static char **make_environment(
	const struct check_target *target, char variables[static N_VARIABLES][128])
{
	char address[ADDRESS_TEXT_MAX];
	size_t n = 0;
	char **list;

	snprintf(variables[0], sizeof(variables[0]), "DROVER_MEMBER=%s", target->member);
	snprintf(variables[1], sizeof(variables[1]), "DROVER_ADDRESS=%s",
		address_format(&target->address, address));
	snprintf(variables[2], sizeof(variables[2]), "DROVER_PORT=%u", target->port);
	while (environ[n])
		n++;
	list = calloc(n + N_VARIABLES + 1, sizeof(*list));
	if (!list)
		return NULL;
	for (size_t i = 0; i < N_VARIABLES; i++)
		list[i] = variables[i];
	memcpy(list + N_VARIABLES, environ, n * sizeof(*list));
	return list;
}

/* The daemon has signals blocked that a command may want. */
static int set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	int r = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);

	sigemptyset(&none);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attributes, 0);
	return r ? r : posix_spawnattr_setsigmask(attributes, &none);
}

static int set_files(posix_spawn_file_actions_t *actions)
{
	int r = 0;

	for (int fd = 0; r == 0 && fd <= 2; fd++)
		r = posix_spawn_file_actions_addopen(
			actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
	return r;
}

static int spawn(struct probe *probe)
{
	const struct check_target *target = &probe->report.target;
	char variables[N_VARIABLES][128];
	_cleanup_(free_p) char **environment = make_environment(target, variables);
	char shell[] = "sh", option[] = "-c";
	char *const arguments[] = { shell, option, target->check->command, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (!environment)
		return ENOMEM;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	r = set_attributes(&attributes);
	if (r == 0)
		r = set_files(&actions);
	if (r == 0)
		r = posix_spawn(
			&probe->pid, "/bin/sh", &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return r;
}

enum check_outcome command_handle(struct probe *probe)
{
	int status = 0;

	if (waitpid(probe->pid, &status, WNOHANG) != probe->pid)
		return CHECK_PENDING;
	probe->pid = 0;
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return CHECK_GOOD;
	if (WIFEXITED(status))
		snprintf(probe->detail, sizeof(probe->detail), "exit status %d",
			WEXITSTATUS(status));
	else
		snprintf(probe->detail, sizeof(probe->detail), "signal %d", WTERMSIG(status));
	return CHECK_EXIT;
}

enum check_outcome command_begin(struct probe *probe)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = probe };
	int r;

	/* It was killed, and is still there: it hangs in the kernel. */
	if (probe->pid > 0 && command_handle(probe) == CHECK_PENDING)
		return CHECK_TIMEOUT;
	r = spawn(probe);
	if (r != 0) {
		probe->pid = 0;
		snprintf(probe->detail, sizeof(probe->detail), "%s", strerror(r));
		return CHECK_LOCAL;
	}
	probe->fd = (int)syscall(SYS_pidfd_open, probe->pid, 0);
	if (probe->fd >= 0 && epoll_ctl(probe->epoll_fd, EPOLL_CTL_ADD, probe->fd, &event) == 0)
		return CHECK_PENDING;
	snprintf(probe->detail, sizeof(probe->detail), "%s", strerror(errno));
	return CHECK_LOCAL;
}

/* What does not end by itself is killed, with all that it has started; its end is reaped later. */
void command_end(struct probe *probe)
{
	if (probe->pid <= 0)
		return;
	(void)kill(-probe->pid, SIGKILL);
}
