/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A member and a client, each in a network namespace of its own: a tracker at the member, and real
 * connections between the two. The member has the VIPs on lo, as under DSR.
 */

#include "../../src/tracker/internal.h"

#include "unit.h"

#define CLIENT   "192.0.2.2"
#define CLIENT_6 "2001:db8::2"
#define MEMBER   "192.0.2.1"
#define VIP      "192.0.2.100"
#define VIP_6    "2001:db8::100"

struct member {
	int own, client; /* namespaces */
	struct flow_set *flows;
	struct tracker *tracker;
	uint16_t unwanted_port;
	unsigned int n_began, n_ended, n_complete;
};

/* Both ends of a connection, and the flow that it should be. */
struct connection {
	int client, server;
	struct flow flow;
};

int make_member(void **state);
int drop_member(void **state);
#define member_test(function) cmocka_unit_test_setup_teardown(function, make_member, drop_member)

#define shell(...) assert_int_equal(try_shell(__VA_ARGS__), 0)
int try_shell(const char *command);

/* A rule at the member that makes its kernel track connections. */
void track_connections(void);

/* Opens the tracker; with the default tuning but for short pauses. */
void start_tracker(struct member *m);
void start_tuned_tracker(struct member *m, int receive_buffer);
void stop_tracker(struct member *m);

/* Sockets of the member, and of the client. */
int listen_at(const char *address, uint16_t port);
int listen_at_client(struct member *m, uint16_t port);
int bind_stream(const char *address, uint16_t port);
int client_socket(struct member *m, int family, int type);
struct connection connect_to(struct member *m, int listener, const char *vip, uint16_t port);
struct connection datagrams_to(struct member *m, const char *vip, uint16_t port);
void answer(const struct connection *datagrams); /* the last one that has come */
void disconnect(struct connection *connection);
void reset(int fd);
int try_connect(int fd, const char *address, uint16_t port);
void connect_fd(int fd, const char *address, uint16_t port);
struct flow flow_of(int client_fd, uint8_t protocol, const char *vip, uint16_t port);

/* Takes the entry of a flow out of the member's table, as conntrack -D does. */
void delete_entry(const struct flow *flow);

/* A TCP packet of the client to VIP, with ACK alone, that belongs to no connection. */
void send_stray_ack(struct member *m, uint16_t client_port, uint16_t vip_port);

bool has(const struct member *m, const struct flow *flow);

/* Dispatches until the condition holds; fails when that takes too long. */
#define wait_for(m, condition)                                                                     \
	do {                                                                                       \
		uint64_t deadline_ = deadline();                                                   \
		while (!(condition))                                                               \
			step(m, deadline_, #condition);                                            \
	} while (0)
uint64_t deadline(void);
void step(struct member *m, uint64_t deadline, const char *condition);

/*
 * Lets everything pass that has happened up to now: a new connection is known only after all
 * events before it.
 */
void fence(struct member *m);
