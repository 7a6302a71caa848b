/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/batch.h"

#include "drover/array.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/batch.h>
#include <libnftnl/common.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/uio.h>

enum {
	/*
	 * A message is written in place and may pass the end of its page by its own length,
	 * which netlink's 16-bit attribute lengths bound; libnftnl then moves it to a new page.
	 */
	MESSAGE_MAX = 2 * 65536,
	PAGE_SIZE = 4 * MESSAGE_MAX,
};

struct batch {
	struct nftnl_batch *pages;
	struct nlmsghdr *message; /* under way */
	char **whats;             /* of the message with sequence number index + 1 */
	size_t n_whats;
	size_t size;
};

struct batch *batch_new(void)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->pages = nftnl_batch_alloc(PAGE_SIZE, MESSAGE_MAX);
	if (!batch->pages) {
		free(batch);
		return NULL;
	}
	batch->message = nftnl_batch_begin(nftnl_batch_buffer(batch->pages), 0);
	batch->size = batch->message->nlmsg_len;
	if (nftnl_batch_update(batch->pages) < 0) {
		batch_free(batch);
		return NULL;
	}
	return batch;
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	nftnl_batch_free(batch->pages);
	for (size_t i = 0; i < batch->n_whats; i++)
		free(batch->whats[i]);
	free(batch->whats);
	free(batch);
}

size_t batch_count(const struct batch *batch)
{
	return batch->n_whats;
}

size_t batch_size(const struct batch *batch)
{
	return batch->size;
}

uint32_t batch_last_sequence(const struct batch *batch)
{
	return (uint32_t)batch->n_whats;
}

const char *batch_what(const struct batch *batch, uint32_t sequence)
{
	if (sequence == 0 || sequence > batch->n_whats)
		return NULL;
	return batch->whats[sequence - 1];
}

struct nlmsghdr *batch_begin_message(
	struct batch *batch, uint16_t type, uint16_t family, uint16_t flags, const char *what)
{
	size_t n = batch->n_whats;
	char **whats = array_grow(batch->whats, n, sizeof(*whats));

	if (!whats)
		return NULL;
	batch->whats = whats;
	batch->whats[n] = strdup(what ? what : "object");
	if (!batch->whats[n])
		return NULL;
	batch->n_whats++;
	batch->message = nftnl_nlmsg_build_hdr(nftnl_batch_buffer(batch->pages), type, family,
		flags | NLM_F_ACK, (uint32_t)batch->n_whats);
	return batch->message;
}

int batch_end_message(struct batch *batch)
{
	assert(batch->message->nlmsg_len <= MESSAGE_MAX);
	batch->size += MNL_ALIGN(batch->message->nlmsg_len);
	/* The message may be moved to another page by this. */
	return nftnl_batch_update(batch->pages) < 0 ? -ENOMEM : 0;
}

int batch_finish(struct batch *batch)
{
	struct nlmsghdr *end = nftnl_batch_end(
		nftnl_batch_buffer(batch->pages), (uint32_t)batch->n_whats + 1);

	batch->size += end->nlmsg_len;
	return nftnl_batch_update(batch->pages) < 0 ? -ENOMEM : 0;
}

int batch_iovecs(struct batch *batch, struct iovec **ret_iovecs)
{
	int n = nftnl_batch_iovec_len(batch->pages);
	struct iovec *iovecs = calloc((size_t)n + 1, sizeof(*iovecs));

	if (!iovecs)
		return -ENOMEM;
	nftnl_batch_iovec(batch->pages, iovecs, (uint32_t)n);
	*ret_iovecs = iovecs;
	return n;
}
