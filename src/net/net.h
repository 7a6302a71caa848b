/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of this module share. Private: others include drover/link.h. */

#include "drover/link.h"

#include <libmnl/libmnl.h>
#include <net/if.h>

/* --- rtnl.c: one netlink socket and what travels over it ------------------ */

/* Dump datagrams are at most 32 KiB (netlink_dump()); events are smaller. */
enum { RTNL_BUFFER_SIZE = 64 * 1024 };

struct rtnl {
	struct mnl_socket *socket;
	uint32_t sequence;
	char buffer[RTNL_BUFFER_SIZE] __attribute__((aligned(8)));
};

/* groups is a mask of RTMGRP_*, 0 for a socket that only asks. Returns 0 or -errno. */
int rtnl_open(struct rtnl *rtnl, unsigned int groups);
void rtnl_close(struct rtnl *rtnl);

/*
 * Reads one datagram into the buffer. Returns its size, 0 if it did not come from
 * the kernel, -EAGAIN if there is none (with MSG_DONTWAIT), -ENOBUFS if
 * the kernel or the buffer lost some.
 */
ssize_t rtnl_receive(struct rtnl *rtnl, int flags);

/* A message starts in a buffer of this size, which holds any request made here. */
enum { RTNL_REQUEST_SIZE = 256 };

/*
 * Sends a request and hands each answer to handle(), until the kernel has said that it is
 * done. Returns 0, 1 if the kernel marked a dump as inconsistent, or -errno: that of the
 * kernel's verdict or of the socket. handle() may be NULL and must make no requests.
 */
typedef void (*rtnl_handler_t)(const struct nlmsghdr *message, void *user_data);
int rtnl_talk(struct rtnl *rtnl, struct nlmsghdr *request, rtnl_handler_t handle, void *user_data);

/* Sends without waiting for the answer. Returns 0 or -errno. */
int rtnl_send(struct rtnl *rtnl, struct nlmsghdr *request);

/*
 * True if a whole message is in what is left of a buffer. mnl_nlmsg_ok() takes a length beyond
 * INT_MAX for a negative one and believes it (libmnl 1.0.4).
 */
bool rtnl_message_ok(const struct nlmsghdr *message, int left);

/*
 * The bytes of a message from an attribute on, for mnl_attr_ok(). mnl_attr_for_each() would go by
 * the aligned length, and the padding of a last message may lie outside of the buffer.
 */
int rtnl_bytes_left(const struct nlmsghdr *message, const struct nlattr *attribute);

/* Reads an address of the family; returns false if the attribute has another length. */
bool rtnl_get_address(const struct nlattr *attribute, int family, struct address *ret_address);

/* --- interface.c, neighbour.c, interface_address.c: messages to and from values - */

/*
 * The parsers return 0, -ENOMSG for a message that is none of theirs or not of interest, and
 * -EBADMSG for one that is malformed.
 */
struct interface_message {
	bool deleted;
	char name[IFNAMSIZ];
	unsigned int index;
	bool running;
	bool has_mac;
	struct mac mac;
};
int interface_parse(const struct nlmsghdr *message, struct interface_message *ret_interface);
struct nlmsghdr *interface_put_get(void *buffer, const char *name);
struct nlmsghdr *interface_put_up(void *buffer, unsigned int index);

struct neighbour_message {
	bool deleted;
	unsigned int index;
	struct address address;
	bool foreign; /* somebody else's work, which is not to be touched: see neighbour_parse() */
	bool managed;
	bool resolved;
	struct mac mac;
};
int neighbour_parse(const struct nlmsghdr *message, struct neighbour_message *ret_neighbour);
struct nlmsghdr *neighbour_put_dump(void *buffer, unsigned int index);
struct nlmsghdr *neighbour_put_get(void *buffer, unsigned int index, const struct address *address);

/*
 * Asks the kernel to keep a neighbour resolved, or to stop that. Neither changes its Ethernet
 * address, both leave foreign entries alone. Returns 0 or -errno.
 */
int neighbour_manage(struct rtnl *rtnl, unsigned int index, const struct address *address);
int neighbour_release(struct rtnl *rtnl, unsigned int index, const struct address *address);

struct interface_address_message {
	bool deleted;
	unsigned int index;
	struct address address;
	unsigned int length;
};
int interface_address_parse(
	const struct nlmsghdr *message, struct interface_address_message *ret_address);
struct nlmsghdr *interface_address_put_dump(void *buffer, unsigned int index);
int interface_address_add(struct rtnl *rtnl, unsigned int index, const struct address *address);
int interface_address_remove(struct rtnl *rtnl, unsigned int index, const struct address *address);

/* --- sorted.c: a sorted array of items that begin with their key -------------- */

struct sorted_key {
	struct address address;
	unsigned int length; /* of a prefix; 0 where only the address counts */
};

struct sorted {
	size_t item_size;
	size_t n_items, n_allocated;
	char *items;
};

/* The index of the first item whose key is not below, n_items if there is none. */
size_t sorted_position(const struct sorted *sorted, const struct sorted_key *key);
void *sorted_at(const struct sorted *sorted, size_t index);
void *sorted_find(const struct sorted *sorted, const struct sorted_key *key);

/* Finds or makes an item, zero but for its key. Returns NULL without memory. */
void *sorted_add(struct sorted *sorted, const struct sorted_key *key);
void sorted_remove(struct sorted *sorted, const struct sorted_key *key);
void sorted_clear(struct sorted *sorted);

/* --- watch.c and state.c: what is known of the interface ------------------ */

struct neighbour {
	struct sorted_key key;
	bool known; /* the kernel has an entry */
	bool seen;  /* by the dump that is running */
	bool resolved;
	struct mac mac;
	bool wanted; /* by link_resolve() */
	bool asked;  /* the kernel was asked and keeps at it */
	bool told;   /* the callback knows the following */
	bool told_resolved;
	struct mac told_mac;
};

struct interface_address {
	struct sorted_key key;
	bool present;
	bool seen;
	bool told;
};

/*
 * Messages only change the state; callbacks are told afterwards what is different from what
 * they were told before. So they may call back into the watch, and a burst
 * of events costs one call.
 */
struct link_state {
	char name[IFNAMSIZ];
	struct cluster_link link;
	struct cluster_link told_link;
	bool told; /* the callback knows told_link */
	struct sorted neighbours;
	struct sorted addresses;
	bool link_stale;   /* the interface itself must be looked at */
	bool link_lost;    /* it was deleted, whatever bears its name by now */
	bool tables_stale; /* events were lost, or there was no memory for one */
};

struct link_watch {
	struct link_callbacks callbacks;
	void *user_data;
	struct link_state state;
	struct rtnl events;
	struct rtnl requests;
};

void link_state_init(struct link_state *state, const char *interface);
void link_state_done(struct link_state *state);

/* Takes in messages, as the event socket or a dump brings them. */
void link_state_feed(struct link_state *state, const void *messages, size_t size);
void link_state_take(struct link_state *state, const struct nlmsghdr *message);

/* The interface as it is now, NULL if there is none. */
void link_state_set_interface(struct link_state *state, const struct interface_message *interface);

/* Around a complete dump: what is not seen in between has vanished. */
void link_state_begin_dump(struct link_state *state);
void link_state_end_dump(struct link_state *state);

/* Everything of the interface is gone. */
void link_state_forget_interface(struct link_state *state);

bool link_state_has_address(const struct link_state *state, const struct address *address);

/* Tells the callbacks what they do not know. */
void link_state_report(
	struct link_state *state, const struct link_callbacks *callbacks, void *user_data);
