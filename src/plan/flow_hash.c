/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/flow_hash.h"

#include <string.h>

static uint32_t rotate_left(uint32_t word, unsigned int bits)
{
	return word << bits | word >> (32 - bits);
}

static uint32_t load_le32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* jhash() of a multiple of 4 bytes, at least 4. */
static uint32_t jhash(const uint8_t *key, uint32_t length, uint32_t seed)
{
	uint32_t a = UINT32_C(0xdeadbeef) + length + seed, b = a, c = a;

	for (; length > 12; length -= 12, key += 12) {
		a += load_le32(key);
		b += load_le32(key + 4);
		c += load_le32(key + 8);

		a = (a - c) ^ rotate_left(c, 4);
		c += b;
		b = (b - a) ^ rotate_left(a, 6);
		a += c;
		c = (c - b) ^ rotate_left(b, 8);
		b += a;
		a = (a - c) ^ rotate_left(c, 16);
		c += b;
		b = (b - a) ^ rotate_left(a, 19);
		a += c;
		c = (c - b) ^ rotate_left(b, 4);
		b += a;
	}
	a += load_le32(key);
	if (length > 4)
		b += load_le32(key + 4);
	if (length > 8)
		c += load_le32(key + 8);

	c = (c ^ b) - rotate_left(b, 14);
	a = (a ^ c) - rotate_left(c, 11);
	b = (b ^ a) - rotate_left(a, 25);
	c = (c ^ b) - rotate_left(b, 16);
	a = (a ^ c) - rotate_left(c, 4);
	b = (b ^ a) - rotate_left(a, 14);
	c = (c ^ b) - rotate_left(b, 24);
	return c;
}

uint32_t flow_hash_bucket(const struct address *client, bool by_port, uint16_t port, uint32_t seed,
	uint32_t n_buckets)
{
	/* As in registers: each field begins a word of 4 bytes. */
	uint8_t key[sizeof(client->bytes) + 4] = { 0 };
	size_t length = address_size(client->family);
	uint32_t hash;

	memcpy(key, client->bytes, length);
	if (by_port) {
		key[length] = (uint8_t)(port >> 8);
		key[length + 1] = (uint8_t)port;
		length += 4;
	}
	hash = jhash(key, (uint32_t)length, seed);

	return (uint32_t)((uint64_t)hash * n_buckets >> 32);
}
