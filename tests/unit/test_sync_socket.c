/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of two hosts, each in a namespace of its own. */
#include "drover/sync_socket.h"

#include "veth.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>

enum { PORT = 8848 };

struct host {
	const char *interface, *own, *other;
	const char *multicast; /* NULL: only the other one, by its address */
};

/* Runs in the peer's namespace from here to peer_leave(); what is opened there stays there. */
static int peer_enter(const struct fixture *f)
{
	char path[64];
	_cleanup_(close_p) int peer = -1;
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/ns/net", f->peer);
	peer = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(own >= 0 && peer >= 0);
	assert_int_equal(setns(peer, CLONE_NEWNET), 0);
	return own;
}

static void peer_leave(int own)
{
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
}

static struct sync_socket *open_socket(const struct host *host)
{
	const struct address peers[] = { address_of(host->other), address_of(host->own) };
	const struct sync_socket_setup setup = {
		.interface = host->interface,
		.own = address_of(host->own),
		.multicast = host->multicast ? address_of(host->multicast) : (struct address){},
		.peers = peers,
		.n_peers = host->multicast ? 0 : 2,
		.port = PORT,
	};
	struct sync_socket *socket;

	assert_int_equal(sync_socket_open(&setup, &socket), 0);
	return socket;
}

static void assert_receives(struct sync_socket *socket, const char *text, const char *from_text)
{
	struct pollfd poll_fd = { .fd = sync_socket_fd(socket), .events = POLLIN };
	struct address from_address = address_of(from_text);
	struct endpoint from;
	char buffer[100];

	if (poll(&poll_fd, 1, PATIENCE_MS) != 1)
		fail_msg("\"%s\" from %s did not come", text, from_text);
	assert_int_equal(sync_socket_receive(socket, &from, buffer, sizeof(buffer)), strlen(text));
	assert_memory_equal(buffer, text, strlen(text));
	assert_true(address_equal(&from.address, &from_address));
	assert_int_equal(from.port, PORT);
}

static void assert_silent(struct sync_socket *socket)
{
	struct endpoint from;
	char buffer[100];

	assert_int_equal(sync_socket_receive(socket, &from, buffer, sizeof(buffer)), -EAGAIN);
}

/* Each hears what the other sends to all, and to it alone, and never itself. */
static void talk(struct fixture *f, const struct host *near, const struct host *far)
{
	_cleanup_(sync_socket_close_p) struct sync_socket *a = NULL, *b = NULL;
	struct endpoint to_far = { address_of(far->own), PORT };
	int own;

	a = open_socket(near);
	own = peer_enter(f);
	b = open_socket(far);
	peer_leave(own);
	assert_int_equal(sync_socket_send(a, NULL, "to all", 6), 0);
	assert_receives(b, "to all", near->own);
	own = peer_enter(f);
	assert_int_equal(sync_socket_send(b, NULL, "back", 4), 0);
	peer_leave(own);
	assert_receives(a, "back", far->own);
	assert_int_equal(sync_socket_send(a, &to_far, "to one", 6), 0);
	assert_receives(b, "to one", near->own);
	assert_int_equal(sync_socket_join(a), 0);
	assert_silent(a);
	assert_silent(b);
}

static void test_multicast(void **state)
{
	/* A VIP on lo does not become the source. */
	run("ip address add 192.0.2.99/32 dev lo");
	talk(*state, &(struct host){ "near0", "192.0.2.1", "192.0.2.2", "239.192.8.148" },
		&(struct host){ "far0", "192.0.2.2", "192.0.2.1", "239.192.8.148" });
}

static void test_peers(void **state)
{
	talk(*state, &(struct host){ "near0", "192.0.2.1", "192.0.2.2", NULL },
		&(struct host){ "far0", "192.0.2.2", "192.0.2.1", NULL });
}

static void test_ipv6(void **state)
{
	talk(*state, &(struct host){ "near0", "2001:db8::1", "2001:db8::2", NULL },
		&(struct host){ "far0", "2001:db8::2", "2001:db8::1", NULL });
	talk(*state, &(struct host){ "near0", "2001:db8::1", "2001:db8::2", "ff02::8848" },
		&(struct host){ "far0", "2001:db8::2", "2001:db8::1", "ff02::8848" });
}

/* The interface comes later, goes, and comes again. */
static void test_interface_returns(void **state)
{
	struct fixture *f = *state;
	const struct host near = { "near0", "192.0.2.1", "192.0.2.2", "239.192.8.148" };
	const struct host far = { "far0", "192.0.2.2", "192.0.2.1", "239.192.8.148" };
	_cleanup_(sync_socket_close_p) struct sync_socket *a = NULL, *b = NULL;
	int own;

	run("ip link del near0");
	a = open_socket(&near);
	assert_int_equal(sync_socket_join(a), -ENODEV);
	assert_true(sync_socket_send(a, NULL, "to nobody", 9) < 0);
	for (int i = 0; i < 2; i++) {
		make_pair(f);
		assert_int_equal(sync_socket_join(a), 0);
		own = peer_enter(f);
		b = open_socket(&far);
		assert_int_equal(sync_socket_send(b, NULL, "again", 5), 0);
		peer_leave(own);
		assert_receives(a, "again", "192.0.2.2");
		assert_int_equal(sync_socket_send(a, NULL, "and back", 8), 0);
		assert_receives(b, "and back", "192.0.2.1");
		sync_socket_close(take_ptr(b));
		run("ip link del near0");
	}
}

static void test_faults(void **state)
{
	struct sync_socket_setup setup = {
		.interface = "near0",
		.own = address_of("192.0.2.1"),
		.multicast = address_of("ff02::1"),
		.port = PORT,
	};
	_cleanup_(sync_socket_close_p) struct sync_socket *socket = NULL;
	struct sync_socket *second = NULL;
	struct endpoint ipv6 = { address_of("2001:db8::2"), PORT };

	(void)state;
	assert_int_equal(sync_socket_open(&setup, &socket), -EINVAL);
	setup.multicast = (struct address){};
	setup.own = (struct address){};
	assert_int_equal(sync_socket_open(&setup, &socket), -EINVAL);
	setup.own = address_of("192.0.2.1");
	assert_int_equal(sync_socket_open(&setup, &socket), 0);
	assert_int_equal(sync_socket_open(&setup, &second), -EADDRINUSE);
	assert_int_equal(sync_socket_send(socket, &ipv6, "", 0), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		veth_test(test_multicast),
		veth_test(test_peers),
		veth_test(test_ipv6),
		veth_test(test_interface_returns),
		veth_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
