/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two engines would undo each other's rules without end. Names of abstract sockets belong to a
 * network namespace, as tables do, and are free again when their process ends (unix(7)).
 */
#include "internal.h"

#include "drover/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char claim_name[] = "drover";

static socklen_t make_address(struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_address->sun_path + 1, claim_name, strlen(claim_name));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(claim_name));
}

/* The process that has the claim, 0 if it cannot be told. */
static pid_t find_owner(const struct sockaddr_un *address, socklen_t length)
{
	_cleanup_(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred owner = { .pid = 0 };
	socklen_t size = sizeof(owner);

	if (fd < 0 || connect(fd, (const struct sockaddr *)address, length) < 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) < 0)
		return 0;
	return owner.pid;
}

static void name_process(pid_t pid, char name[static 32])
{
	_cleanup_(free_p) char *path = NULL;
	FILE *file;

	strcpy(name, "drover");
	if (asprintf(&path, "/proc/%d/comm", (int)pid) < 0) {
		path = NULL;
		return;
	}
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(name, 32, file))
		name[strcspn(name, "\n")] = '\0';
	fclose(file);
}

static int refuse(const char *program, const struct sockaddr_un *address, socklen_t length)
{
	pid_t pid = find_owner(address, length);
	char name[32];

	name_process(pid, name);
	log_error("%s (pid %d) runs on this host already: stop it before %s is started", name,
		(int)pid, program);
	return -EADDRINUSE;
}

int engine_claim(const char *program)
{
	_cleanup_(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	socklen_t length = make_address(&address);
	int r;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, length) < 0)
		return errno == EADDRINUSE ? refuse(program, &address, length) : -errno;
	/* Nobody is ever accepted: that one could connect tells it whose socket this is. */
	if (listen(fd, 1) < 0)
		return -errno;
	r = fd;
	fd = -1;
	return r;
}
