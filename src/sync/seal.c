/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seal.h"

#include "wire.h"
#include <assert.h>
#include <errno.h>
#include <sodium.h>

enum {
	MAGIC = 0x64727672, /* "drvr" */
	NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
	NONCE_OFFSET = SEAL_HEADER_SIZE - NONCE_SIZE,
	KEY_ID_SIZE = 4,
};

static_assert(SYNC_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the cipher's key");
static_assert(SEAL_TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "the cipher's tag");

/* The first bytes of BLAKE2b-128 of a text, keyed by the key: it says nothing else about it. */
static uint32_t make_key_id(const uint8_t key[static SYNC_KEY_SIZE])
{
	static const uint8_t text[] = "drover sync key id";
	uint8_t hash[crypto_generichash_BYTES_MIN];
	struct wire_reader reader = wire_reader(hash, KEY_ID_SIZE);

	crypto_generichash(hash, sizeof(hash), text, sizeof(text) - 1, key, SYNC_KEY_SIZE);
	return (uint32_t)wire_get(&reader, KEY_ID_SIZE);
}

int seal_init(struct seal *seal, uint8_t id, const struct sync_keys *keys)
{
	if (keys->n < 1 || keys->n > SYNC_KEYS_MAX)
		return -EINVAL;
	seal->id = id;
	seal->keys = *keys;
	for (size_t i = 0; i < keys->n; i++)
		seal->key_ids[i] = make_key_id(keys->bytes[i]);
	return 0;
}

void seal_done(struct seal *seal)
{
	sync_keys_done(&seal->keys);
}

size_t seal_close(const struct seal *seal, const uint8_t *plain, size_t size,
	uint8_t packet[static SYNC_PACKET_MAX])
{
	struct wire_writer header = wire_writer(packet, SEAL_HEADER_SIZE);
	uint8_t nonce[NONCE_SIZE];

	assert(size <= SEAL_PLAIN_MAX);
	randombytes_buf(nonce, sizeof(nonce));
	wire_put(&header, MAGIC, 4);
	wire_put(&header, SEAL_VERSION, 1);
	wire_put(&header, seal->id, 1);
	wire_put(&header, 0, 2);
	wire_put(&header, seal->key_ids[0], KEY_ID_SIZE);
	wire_put_bytes(&header, nonce, sizeof(nonce));
	crypto_aead_xchacha20poly1305_ietf_encrypt(packet + SEAL_HEADER_SIZE, NULL, plain, size,
		packet, SEAL_HEADER_SIZE, NULL, nonce, seal->keys.bytes[0]);
	return SEAL_HEADER_SIZE + size + SEAL_TAG_SIZE;
}

/* Two keys may have one id: whichever opens it is right. */
static enum seal_verdict decrypt(const struct seal *seal, uint32_t key_id, const uint8_t *packet,
	size_t size, uint8_t plain[static SEAL_PLAIN_MAX])
{
	enum seal_verdict verdict = SEAL_OTHER_KEY;

	for (size_t i = 0; i < seal->keys.n; i++) {
		if (seal->key_ids[i] != key_id)
			continue;
		if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain, NULL, NULL,
			    packet + SEAL_HEADER_SIZE, size - SEAL_HEADER_SIZE, packet,
			    SEAL_HEADER_SIZE, packet + NONCE_OFFSET, seal->keys.bytes[i]) == 0)
			return SEAL_OPENED;
		verdict = SEAL_FORGED;
	}
	return verdict;
}

enum seal_verdict seal_open(const struct seal *seal, const void *packet, size_t size,
	uint8_t plain[static SEAL_PLAIN_MAX], size_t *ret_size)
{
	struct wire_reader header = wire_reader(packet, size);
	uint32_t magic = (uint32_t)wire_get(&header, 4), key_id;
	uint8_t version = (uint8_t)wire_get(&header, 1), id;
	enum seal_verdict verdict;

	if (header.failed || magic != MAGIC)
		return SEAL_MALFORMED;
	/* What stands behind the version is that version's. */
	if (version != SEAL_VERSION)
		return SEAL_OTHER_VERSION;
	id = (uint8_t)wire_get(&header, 1);
	(void)wire_get(&header, 2);
	key_id = (uint32_t)wire_get(&header, KEY_ID_SIZE);
	if (size < SEAL_HEADER_SIZE + SEAL_TAG_SIZE || size > SYNC_PACKET_MAX)
		return SEAL_MALFORMED;
	if (id != seal->id)
		return SEAL_OTHER_ID;
	verdict = decrypt(seal, key_id, packet, size, plain);
	if (verdict == SEAL_OPENED)
		*ret_size = size - SEAL_HEADER_SIZE - SEAL_TAG_SIZE;
	return verdict;
}
