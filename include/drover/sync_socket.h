/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The UDP socket of sync: to a multicast group on an interface, to a list of peers, or both. */

#include "drover/cleanup.h"
#include "drover/sync.h"

struct sync_socket;

struct sync_socket_setup {
	const char *interface;
	struct address own;       /* this node's address: packets come from it */
	struct address multicast; /* AF_UNSPEC: none */
	const struct address *peers;
	size_t n_peers;
	uint16_t port; /* host order */
};

/* Returns 0 or -errno. The interface may be absent: join again when it is there. */
int sync_socket_open(const struct sync_socket_setup *setup, struct sync_socket **ret_socket);
void sync_socket_close(struct sync_socket *socket);
DEFINE_CLEANUP(struct sync_socket, sync_socket_close)

/* Joins the multicast group on the interface as it is now: after it came back. 0 or -errno. */
int sync_socket_join(struct sync_socket *socket);

int sync_socket_fd(const struct sync_socket *socket);

/* Sends to one endpoint, or with NULL to all. Returns 0 or the last -errno. */
int sync_socket_send(
	struct sync_socket *socket, const struct endpoint *to, const void *packet, size_t size);

/* Reads one packet of up to size bytes. Returns its length, -EAGAIN if none waits, or -errno. */
ssize_t sync_socket_receive(
	struct sync_socket *socket, struct endpoint *ret_from, void *packet, size_t size);
