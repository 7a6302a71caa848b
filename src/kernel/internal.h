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
