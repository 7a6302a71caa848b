/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire.h"

#include <netinet/in.h>
#include <string.h>

enum flow_flags {
	FLOW_BEGAN = 1 << 0, /* else it ended */
	FLOW_UDP = 1 << 1,   /* else TCP */
	FLOW_IPV6 = 1 << 2,  /* else IPv4 */
	FLOW_FLAGS = FLOW_BEGAN | FLOW_UDP | FLOW_IPV6,
};

struct wire_reader wire_reader(const void *bytes, size_t size)
{
	return (struct wire_reader){ .at = bytes, .left = size };
}

struct wire_writer wire_writer(void *bytes, size_t size)
{
	return (struct wire_writer){ .at = bytes, .left = size };
}

/* Returns the next bytes, or NULL if there are not so many. */
static const uint8_t *take(struct wire_reader *reader, size_t size)
{
	const uint8_t *bytes = reader->at;

	if (reader->failed || reader->left < size) {
		reader->failed = true;
		return NULL;
	}
	reader->at += size;
	reader->left -= size;
	return bytes;
}

static uint8_t *make_room(struct wire_writer *writer, size_t size)
{
	uint8_t *bytes = writer->at;

	if (writer->failed || writer->left < size) {
		writer->failed = true;
		return NULL;
	}
	writer->at += size;
	writer->left -= size;
	return bytes;
}

uint64_t wire_get(struct wire_reader *reader, size_t size)
{
	const uint8_t *bytes = take(reader, size);
	uint64_t number = 0;

	for (size_t i = 0; bytes && i < size; i++)
		number = number << 8 | bytes[i];
	return number;
}

void wire_put(struct wire_writer *writer, uint64_t number, size_t size)
{
	uint8_t *bytes = make_room(writer, size);

	for (size_t i = size; bytes && i > 0; i--, number >>= 8)
		bytes[i - 1] = (uint8_t)number;
}

void wire_get_bytes(struct wire_reader *reader, void *ret_bytes, size_t size)
{
	const uint8_t *bytes = take(reader, size);

	if (bytes)
		memcpy(ret_bytes, bytes, size);
	else
		memset(ret_bytes, 0, size);
}

void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size)
{
	uint8_t *room = make_room(writer, size);

	if (room && size)
		memcpy(room, bytes, size);
}

/* --- names ------------------------------------------------------------------ */

bool wire_name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t length = strlen(name);

	return length >= 1 && length <= WIRE_NAME_MAX && strspn(name, allowed) == length;
}

void wire_get_name(struct wire_reader *reader, char ret_name[static WIRE_NAME_MAX + 1])
{
	size_t length = (size_t)wire_get(reader, 1);

	ret_name[0] = '\0';
	if (length > WIRE_NAME_MAX) {
		reader->failed = true;
		return;
	}
	wire_get_bytes(reader, ret_name, length);
	ret_name[length] = '\0';
	/* A NUL within the name ends it early. */
	if (strlen(ret_name) != length || !wire_name_is_valid(ret_name))
		reader->failed = true;
}

void wire_put_name(struct wire_writer *writer, const char *name)
{
	size_t length = strlen(name);

	wire_put(writer, length, 1);
	wire_put_bytes(writer, name, length);
}

/* --- flows ------------------------------------------------------------------ */

bool wire_get_flow(
	struct wire_reader *reader, struct flow *ret_flow, bool *ret_began, unsigned int *ret_age)
{
	uint8_t flags = (uint8_t)wire_get(reader, 1);
	int family = flags & FLOW_IPV6 ? AF_INET6 : AF_INET;
	unsigned int age = 0;
	struct flow flow = {
		.protocol = flags & FLOW_UDP ? IPPROTO_UDP : IPPROTO_TCP,
		.client.family = family,
		.vip.family = family,
	};

	if (flags & ~FLOW_FLAGS)
		reader->failed = true;
	flow.client_port = (uint16_t)wire_get(reader, 2);
	flow.vip_port = (uint16_t)wire_get(reader, 2);
	wire_get_bytes(reader, flow.client.bytes, address_size(family));
	wire_get_bytes(reader, flow.vip.bytes, address_size(family));
	if (flags & FLOW_BEGAN)
		age = (unsigned int)wire_get(reader, 2);
	if (reader->failed)
		return false;
	*ret_flow = flow;
	*ret_began = flags & FLOW_BEGAN;
	*ret_age = age;
	return true;
}

void wire_put_flow(
	struct wire_writer *writer, const struct flow *flow, bool began, unsigned int age)
{
	int family = flow->client.family;
	unsigned int flags = (began ? FLOW_BEGAN : 0u) |
			     (flow->protocol == IPPROTO_UDP ? FLOW_UDP : 0u) |
			     (family == AF_INET6 ? FLOW_IPV6 : 0u);

	wire_put(writer, flags, 1);
	wire_put(writer, flow->client_port, 2);
	wire_put(writer, flow->vip_port, 2);
	wire_put_bytes(writer, flow->client.bytes, address_size(family));
	wire_put_bytes(writer, flow->vip.bytes, address_size(family));
	if (began)
		wire_put(writer, age, 2);
}
