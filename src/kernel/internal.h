/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of this module share. */

#include "drover/nft.h"

#include <libmnl/libmnl.h>

struct nft {
	struct mnl_socket *requests; /* dumps and batches */
	struct mnl_socket *events;
	uint32_t sequence;
};

enum {
	/* The kernel fills dump messages up to the size of the reader's buffer, at most 32 KiB. */
	NFT_BUFFER_SIZE = 128 * 1024,
};

/*
 * Sends one request and runs the callback over all parts of the answer. Returns
 * 0, -EINTR if the dump was disturbed, or -errno.
 */
int nft_request(struct nft *nft, struct nlmsghdr *header, mnl_cb_t callback, void *user_data);

/* The kernel counts the commits of all tables and of everybody. Returns 0 or -errno. */
int nft_read_generation(struct nft *nft, uint32_t *ret_generation);

/*
 * Waits until the commit that may be under way is over, by an empty batch: the kernel takes one
 * batch at a time. Returns 0 or -errno.
 */
int nft_settle(struct nft *nft);

/* A table that messages of the kernel's are read into. */
struct objects {
	struct arena *arena;         /* of the table's ruleset */
	struct ruleset_table *table; /* of this family and name; others' objects are passed by */
	struct ruleset_set *set;     /* of it, whose elements come in */
	/*
	 * The first that happened: -EBADMSG (not understood), -EINTR (what it refers to is not
	 * there: it was changed between two dumps), -ENOMEM. Of the rest nothing is taken, but the
	 * dump is still read to its end, or that would be in the next one's way.
	 */
	int error;
};

/* Callbacks of libmnl, for one message each; data is struct objects. Chains come before rules. */
int objects_take_chain(const struct nlmsghdr *header, void *data);
int objects_take_rule(const struct nlmsghdr *header, void *data);
int objects_take_set(const struct nlmsghdr *header, void *data);
int objects_take_elements(const struct nlmsghdr *header, void *data);

/* data is a uint64_t: raised to the longest time, in milliseconds, that an element still has. */
int objects_take_expiries(const struct nlmsghdr *header, void *data);

/* data is a uint32_t: the port of the socket that owns the table, if one does. */
int objects_take_owner(const struct nlmsghdr *header, void *data);

/* Makes ranges of the starts and ends that the kernel keeps; message.c took them apart. */
void objects_join_intervals(struct ruleset_set *set);

/* What the kernel said to a batch. */
struct verdicts {
	size_t n;          /* messages that got one */
	int error;         /* of the first that was refused */
	uint32_t sequence; /* its number */
	char reason[128];  /* the kernel's own words, if it has any */
};

void verdicts_take(struct verdicts *verdicts, const struct nlmsghdr *header);

/* A callback of libmnl for an event; data is a bool: set if the event is about drover's tables. */
int event_take(const struct nlmsghdr *header, void *data);
