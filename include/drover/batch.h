/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A batch: netlink messages that the kernel commits as one transaction or not
 * at all. Every message remembers what it was made for, so that a refusal can
 * be told in the administrator's words.
 */

#include "drover/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iovec;
struct nlmsghdr;
struct batch;

/* Returns an empty batch, NULL without memory. */
struct batch *batch_new(void);
void batch_free(struct batch *batch);
DEFINE_CLEANUP(struct batch, batch_free)

/*
 * Begins a message of an NFT_MSG_* type and returns its header, to which the
 * caller appends attributes (at most 64 KiB) before batch_end_message(). what
 * describes the object for error messages; it is copied.
 */
struct nlmsghdr *batch_begin_message(
	struct batch *batch, uint16_t type, uint16_t family, uint16_t flags, const char *what);
/* Returns 0 or -ENOMEM. */
int batch_end_message(struct batch *batch);

/* Closes the batch; nothing may be added afterwards. Returns 0 or -ENOMEM. */
int batch_finish(struct batch *batch);

/* Number of messages, without those that frame the batch. */
size_t batch_count(const struct batch *batch);
size_t batch_size(const struct batch *batch); /* in bytes, as sent */

/* Makes an array of one iovec per page; the caller frees it. Returns its length or -ENOMEM. */
int batch_iovecs(struct batch *batch, struct iovec **ret_iovecs);

/* The description of the message with this sequence number; NULL if it is not of the batch. */
const char *batch_what(const struct batch *batch, uint32_t sequence);

/* The sequence number of the last message, whose acknowledgement ends the exchange. */
uint32_t batch_last_sequence(const struct batch *batch);
