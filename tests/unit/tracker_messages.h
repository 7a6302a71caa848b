/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Messages as the kernel sends them, for what is made of them. */

#include "../../src/tracker/internal.h"

enum { MESSAGE_SIZE = 512 };

/* An entry of conntrack's, of 192.0.2.2 (or its IPv6 neighbour) to port 80 of the VIP. */
struct entry_message {
	bool destroyed;
	uint8_t protocol;
	int family;
	uint16_t client_port;
	int tcp_state; /* -1: not told */
	bool answered;
	const char *answerer; /* NULL: the VIP */
	const char *client;   /* NULL: 192.0.2.2 */
	bool assured;
	uint32_t left; /* seconds; 0: not told */
};

struct nlmsghdr *put_entry(void *buffer, const struct entry_message *entry);

/* A socket of TCP at port 80 of an address. */
struct socket_message {
	int family;
	uint8_t state; /* TCP_ESTABLISHED ... */
	const char *own, *peer;
	uint16_t own_port, peer_port;
};

struct nlmsghdr *put_socket(void *buffer, const struct socket_message *socket);
