/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "veth.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* --- what the callbacks said ----------------------------------------------- */

static void on_link(const struct cluster_link *link, void *user_data)
{
	struct fixture *f = user_data;

	f->link = *link;
	f->n_link_calls++;
	if (!link->present)
		f->n_absent_calls++;
}

static struct neighbour_seen *neighbour_at(struct fixture *f, const struct address *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->neighbours); i++) {
		struct neighbour_seen *seen = &f->neighbours[i];

		if (seen->n_calls == 0)
			seen->address = *address;
		if (address_equal(&seen->address, address))
			return seen;
	}
	fail_msg("too many neighbours");
	return NULL;
}

static struct address_seen *address_at(struct fixture *f, const struct address *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(f->addresses); i++) {
		struct address_seen *seen = &f->addresses[i];

		if (seen->n_calls == 0)
			seen->address = *address;
		if (address_equal(&seen->address, address))
			return seen;
	}
	fail_msg("too many addresses");
	return NULL;
}

static void on_neighbour(const struct address *address, const struct mac *mac, void *user_data)
{
	struct neighbour_seen *seen = neighbour_at(user_data, address);

	seen->n_calls++;
	seen->has_mac = mac != NULL;
	if (mac)
		seen->mac = *mac;
}

static void on_address(const struct address *address, bool present, void *user_data)
{
	struct address_seen *seen = address_at(user_data, address);

	seen->n_calls++;
	seen->present = present;
}

const struct link_callbacks callbacks = {
	.link = on_link,
	.neighbour = on_neighbour,
	.address = on_address,
};

struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

struct neighbour_seen *neighbour(struct fixture *f, const char *text)
{
	struct address address = address_of(text);

	return neighbour_at(f, &address);
}

bool has_mac(struct fixture *f, const char *text, const char *mac_text)
{
	const struct neighbour_seen *seen = neighbour(f, text);
	struct mac mac;

	assert_int_equal(mac_parse(mac_text, &mac), 0);
	return seen->n_calls && seen->has_mac && mac_equal(&seen->mac, &mac);
}

bool is_unresolved(struct fixture *f, const char *text)
{
	const struct neighbour_seen *seen = neighbour(f, text);

	return seen->n_calls && !seen->has_mac;
}

bool is_present(struct fixture *f, const char *text)
{
	struct address address = address_of(text);

	return address_at(f, &address)->present;
}

/* --- doing and waiting ------------------------------------------------------ */

int try_run(const char *format, ...)
{
	_cleanup_(free_p) char *command = NULL;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&command, format, arguments);
	va_end(arguments);
	assert_true(n >= 0);
	return system(command);
}

long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void step(struct fixture *f, long deadline, const char *condition)
{
	struct pollfd poll_fd = { .fd = link_watch_fd(f->watch), .events = POLLIN };
	long left = deadline - now_ms();

	if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
		fail_msg("never became true: %s", condition);
	assert_int_equal(link_dispatch(f->watch), 0);
}

void watch(struct fixture *f, const char *interface)
{
	assert_int_equal(link_watch_new(interface, &callbacks, f, &f->watch), 0);
}

void resolve(struct fixture *f, const char *text)
{
	struct address address = address_of(text);

	assert_int_equal(link_resolve(f->watch, &address), 0);
}

void write_file(const char *path, const char *text)
{
	_cleanup_(close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* --- namespaces --------------------------------------------------------------- */

static ino_t namespace_inode(void)
{
	struct stat status;

	assert_int_equal(stat("/proc/self/ns/net", &status), 0);
	return status.st_ino;
}

static void enter_new_namespace(void)
{
	ino_t before = namespace_inode();

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_not_equal(namespace_inode(), before);
}

static pid_t start_peer(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Both ends hear of their carrier later than they are set up: till then they may drop packets. */
#define AWAIT_CARRIER(device)                                                                      \
	"timeout 30 sh -c 'until ip link show " device " | grep -q \"state UP\"; do :; done'"

void make_pair(struct fixture *f)
{
	run("ip link add near0 type veth peer name far0 netns %d", f->peer);
	run("ip link set near0 address 02:00:00:00:00:01 up");
	run("ip address add 192.0.2.1/24 dev near0");
	run("ip address add 2001:db8::1/64 dev near0 nodad");
	run_peer(f, "ip link set far0 address " PEER_MAC " up");
	run_peer(f, "ip address add " PEER_ADDRESS "/24 dev far0");
	run_peer(f, "ip address add 2001:db8::2/64 dev far0 nodad");
	run(AWAIT_CARRIER("near0"));
	run_peer(f, AWAIT_CARRIER("far0"));
}

int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	/* A skipped test is a test that nobody misses. */
	if (geteuid() != 0)
		fail_msg("must run as root: it makes network namespaces");
	enter_new_namespace();
	run("ip link set lo up");
	f->peer = start_peer();
	make_pair(f);
	return 0;
}

int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->watch)
		link_watch_free(f->watch);
	if (f->peer > 0) {
		kill(f->peer, SIGKILL);
		waitpid(f->peer, NULL, 0);
	}
	free(f);
	return 0;
}
