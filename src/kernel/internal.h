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
