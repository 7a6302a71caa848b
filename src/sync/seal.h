/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Packets sealed by the shared key: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha, libsodium's
 * crypto_aead_xchacha20poly1305_ietf_*) with a random nonce of 24 bytes, which is so long that
 * nodes without a common counter never draw the same one. The clear header is authenticated too.
 */

#include "drover/sync.h"

enum {
	SEAL_VERSION = 1,
	SEAL_HEADER_SIZE = 36,
	SEAL_TAG_SIZE = 16, /* crypto_aead_xchacha20poly1305_ietf_ABYTES */
	SEAL_PLAIN_MAX = SYNC_PACKET_MAX - SEAL_HEADER_SIZE - SEAL_TAG_SIZE,
};

struct seal {
	uint8_t id; /* the sync id */
	struct sync_keys keys;
	uint32_t key_ids[SYNC_KEYS_MAX];
};

enum seal_verdict {
	SEAL_OPENED,
	SEAL_MALFORMED,
	SEAL_OTHER_VERSION,
	SEAL_OTHER_ID,
	SEAL_OTHER_KEY, /* it names a key that we do not have */
	SEAL_FORGED,    /* it names one of ours, and does not open with it */
};

/* Returns 0, or -EINVAL without a key. */
int seal_init(struct seal *seal, uint8_t id, const struct sync_keys *keys);
void seal_done(struct seal *seal);

/* Returns the packet's size. size: at most SEAL_PLAIN_MAX. */
size_t seal_close(const struct seal *seal, const uint8_t *plain, size_t size,
	uint8_t packet[static SYNC_PACKET_MAX]);

/* *ret_size and plain are set if it opened. */
enum seal_verdict seal_open(const struct seal *seal, const void *packet, size_t size,
	uint8_t plain[static SEAL_PLAIN_MAX], size_t *ret_size);
