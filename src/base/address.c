/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

unsigned int prefix_full_length(int family)
{
	return (unsigned int)address_size(family) * 8;
}

int address_parse(const char *text, struct address *ret_address)
{
	struct address address = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(address.family, text, address.bytes) != 1)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

/* Returns the host part (below the prefix length) of one byte of an address. */
static uint8_t host_bits(const struct address *address, unsigned int length, size_t index)
{
	unsigned int first_bit = (unsigned int)index * 8;

	if (length >= first_bit + 8)
		return 0;
	if (length <= first_bit)
		return address->bytes[index];
	return address->bytes[index] & (uint8_t)(0xff >> (length - first_bit));
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	char address_text[ADDRESS_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t text_length = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix prefix;
	int r;

	if (text_length >= sizeof(address_text))
		return -EINVAL;
	memcpy(address_text, text, text_length);
	address_text[text_length] = '\0';
	r = address_parse(address_text, &prefix.address);
	if (r < 0)
		return r;

	prefix.length = prefix_full_length(prefix.address.family);
	if (slash) {
		char *end;
		unsigned long length;

		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		length = strtoul(slash + 1, &end, 10);
		if (*end || length > prefix.length)
			return -EINVAL;
		prefix.length = (unsigned int)length;
	}
	for (size_t i = 0; i < address_size(prefix.address.family); i++)
		if (host_bits(&prefix.address, prefix.length, i))
			return -ERANGE;
	*ret_prefix = prefix;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, struct mac *ret_mac)
{
	struct mac mac;

	if (strlen(text) != MAC_TEXT_MAX - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(mac.bytes); i++) {
		int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[i * 3 + 2] != ':'))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_mac = mac;
	return 0;
}

/* Reads decimal digits and nothing else: strtoul() would also take blanks and signs. */
static int port_parse(const char *text, uint16_t *ret_port)
{
	unsigned int port = 0;

	for (; *text >= '0' && *text <= '9' && port <= UINT16_MAX; text++)
		port = port * 10 + (unsigned int)(*text - '0');
	if (*text || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

int endpoint_parse(const char *text, struct address *ret_address, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	bool brackets = *text == '[';
	char buffer[ADDRESS_TEXT_MAX];
	struct address address;
	size_t length;

	if (!colon || (brackets && colon[-1] != ']'))
		return -EINVAL;
	text += brackets;
	length = (size_t)(colon - brackets - text);
	if (length >= sizeof(buffer))
		return -EINVAL;
	memcpy(buffer, text, length);
	buffer[length] = '\0';
	if (address_parse(buffer, &address) < 0 || (address.family == AF_INET6) != brackets)
		return -EINVAL;
	if (port_parse(colon + 1, ret_port) < 0)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT_MAX])
{
	if (!inet_ntop(address->family, address->bytes, buffer, ADDRESS_TEXT_MAX))
		buffer[0] = '\0';
	return buffer;
}

const char *prefix_format(const struct prefix *prefix, char buffer[static PREFIX_TEXT_MAX])
{
	char text[ADDRESS_TEXT_MAX];

	address_format(&prefix->address, text);
	if (prefix->length == prefix_full_length(prefix->address.family))
		snprintf(buffer, PREFIX_TEXT_MAX, "%s", text);
	else
		snprintf(buffer, PREFIX_TEXT_MAX, "%s/%u", text, prefix->length);
	return buffer;
}

const char *mac_format(const struct mac *mac, char buffer[static MAC_TEXT_MAX])
{
	const uint8_t *b = mac->bytes;

	snprintf(buffer, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		b[4], b[5]);
	return buffer;
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool address_equal(const struct address *a, const struct address *b)
{
	return address_compare(a, b) == 0;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool mac_is_zero(const struct mac *mac)
{
	return mac_equal(mac, &(struct mac){ 0 });
}

bool mac_is_usable(const struct mac *mac)
{
	return !mac_is_zero(mac) && !(mac->bytes[0] & 1);
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	if (prefix->address.family != address->family)
		return false;
	for (size_t i = 0; i < address_size(address->family); i++) {
		uint8_t difference = prefix->address.bytes[i] ^ address->bytes[i];
		struct address different = { .bytes[0] = 0 };

		different.bytes[i] = difference;
		if (difference != host_bits(&different, prefix->length, i))
			return false;
	}
	return true;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, &b->address) || prefix_contains(b, &a->address);
}

size_t prefix_count(const struct prefix *prefix)
{
	unsigned int host = prefix_full_length(prefix->address.family) - prefix->length;

	assert(host <= 16);
	return (size_t)1 << host;
}

struct address prefix_address_at(const struct prefix *prefix, size_t index)
{
	struct address address = prefix->address;
	size_t last = address_size(address.family) - 1;

	assert(index < prefix_count(prefix));
	address.bytes[last] |= (uint8_t)(index & 0xff);
	address.bytes[last - 1] |= (uint8_t)(index >> 8);
	return address;
}
