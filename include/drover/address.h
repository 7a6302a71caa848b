/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Addresses as plain values: IP addresses, prefixes of them, Ethernet addresses.
 * All bytes are in network order. Parsers take the whole string or refuse it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct address {
	int family;        /* AF_INET or AF_INET6; AF_UNSPEC means "no address" */
	uint8_t bytes[16]; /* the first 4 for AF_INET; the rest is zero */
};

struct prefix {
	struct address address; /* the first address: host bits are zero */
	unsigned int length;    /* in bits */
};

struct mac {
	uint8_t bytes[6];
};

#define ADDRESS_TEXT_MAX 46 /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX  50
#define MAC_TEXT_MAX     18

/* Returns 0, or -EINVAL if the text is not one numeric address. */
int address_parse(const char *text, struct address *ret_address);

/*
 * Reads "ADDRESS" (a prefix of full length) or "ADDRESS/LENGTH". Returns 0,
 * -EINVAL if it is neither, -ERANGE if host bits are set below the length.
 */
int prefix_parse(const char *text, struct prefix *ret_prefix);

/* Reads six pairs of hexadecimal digits with colons. Returns 0 or -EINVAL. */
int mac_parse(const char *text, struct mac *ret_mac);

/*
 * Reads "ADDRESS:PORT", with an IPv6 address in brackets; a port is decimal, 1..65535.
 * Returns 0 or -EINVAL.
 */
int endpoint_parse(const char *text, struct address *ret_address, uint16_t *ret_port);

/* The formatters write into the caller's buffer and return it. */
const char *address_format(const struct address *address, char buffer[static ADDRESS_TEXT_MAX]);
const char *prefix_format(const struct prefix *prefix, char buffer[static PREFIX_TEXT_MAX]);
const char *mac_format(const struct mac *mac, char buffer[static MAC_TEXT_MAX]);

/* Length in bytes of an address of this family: 4 or 16. */
size_t address_size(int family);

bool address_equal(const struct address *a, const struct address *b);
int address_compare(const struct address *a, const struct address *b);
bool mac_equal(const struct mac *a, const struct mac *b);
bool mac_is_zero(const struct mac *mac);

/* A unicast address that is not all zero: what a host can own. */
bool mac_is_usable(const struct mac *mac);

/* Full length of a prefix of this family: 32 or 128. */
unsigned int prefix_full_length(int family);
bool prefix_contains(const struct prefix *prefix, const struct address *address);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/* Number of addresses in a prefix of at most 16 host bits. */
size_t prefix_count(const struct prefix *prefix);

/* The address at an index below prefix_count(). */
struct address prefix_address_at(const struct prefix *prefix, size_t index);
