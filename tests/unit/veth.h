/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Tests against the real kernel: each has a fresh network namespace of its own with one end of a
 * veth pair (near0), and a child process in another namespace that holds the other end (far0).
 */

#include "drover/link.h"

#include "unit.h"
#include <sys/types.h>

#define NEAR_ADDRESS "192.0.2.1"
#define PEER_ADDRESS "192.0.2.2"
#define PEER_MAC     "02:00:00:00:00:02"

enum { PATIENCE_MS = 30000 };

struct neighbour_seen {
	struct address address;
	bool has_mac;
	struct mac mac;
	unsigned int n_calls;
};

struct address_seen {
	struct address address;
	bool present;
	unsigned int n_calls;
};

struct fixture {
	pid_t peer;
	struct link_watch *watch;
	/* What the callbacks said. */
	struct cluster_link link;
	unsigned int n_link_calls, n_absent_calls;
	struct neighbour_seen neighbours[512];
	struct address_seen addresses[512];
};

int set_up(void **state);
int tear_down(void **state);
#define veth_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* Makes near0 and far0, as set_up() did; deleting one deletes both. */
void make_pair(struct fixture *f);

/* The callbacks that fill the fixture, and a watch that has them. */
extern const struct link_callbacks callbacks;
void watch(struct fixture *f, const char *interface);
void resolve(struct fixture *f, const char *address);

/* Runs a shell command in the test's namespace; in the peer's. */
int try_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define run(...) assert_int_equal(try_run(__VA_ARGS__), 0)
#define run_peer(f, command, ...)                                                                  \
	assert_int_equal(try_run("nsenter -t %d -n " command, (f)->peer, ##__VA_ARGS__), 0)

void write_file(const char *path, const char *text);

/* Dispatches events until the condition holds; fails when that takes too long. */
#define wait_for(f, condition)                                                                     \
	do {                                                                                       \
		long deadline_ = now_ms() + PATIENCE_MS;                                           \
		while (!(condition))                                                               \
			step(f, deadline_, #condition);                                            \
	} while (0)
long now_ms(void);
void step(struct fixture *f, long deadline, const char *condition);

/* What was said of an address. */
struct address address_of(const char *text);
struct neighbour_seen *neighbour(struct fixture *f, const char *text);
bool has_mac(struct fixture *f, const char *text, const char *mac_text);
bool is_unresolved(struct fixture *f, const char *text);
bool is_present(struct fixture *f, const char *text);
