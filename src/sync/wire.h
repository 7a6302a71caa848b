/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The letters of the protocol: numbers in network byte order, names, flows. A reader or a writer
 * that has failed once stays so: whoever uses it asks once, at the end.
 */

#include "drover/flow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_NAME_MAX = 63 };

struct wire_reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct wire_writer {
	uint8_t *at;
	size_t left;
	bool failed;
};

struct wire_reader wire_reader(const void *bytes, size_t size);
struct wire_writer wire_writer(void *bytes, size_t size);

uint64_t wire_get(struct wire_reader *reader, size_t size); /* 1 to 8 bytes; 0 on failure */
void wire_put(struct wire_writer *writer, uint64_t number, size_t size);

void wire_get_bytes(struct wire_reader *reader, void *ret_bytes, size_t size);
void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size);

/* 1 to 63 letters, digits, ".", "_" or "-": what drover.conf(5) allows, and logs may show. */
bool wire_name_is_valid(const char *name);
void wire_get_name(struct wire_reader *reader, char ret_name[static WIRE_NAME_MAX + 1]);
void wire_put_name(struct wire_writer *writer, const char *name);

/*
 * A flow that began or ended: 13 bytes with IPv4, 37 with IPv6, and 2 more if it began: its age as
 * flow_age() has it.
 */
enum { WIRE_FLOW_MAX = 39 };
bool wire_get_flow(
	struct wire_reader *reader, struct flow *ret_flow, bool *ret_began, unsigned int *ret_age);
void wire_put_flow(
	struct wire_writer *writer, const struct flow *flow, bool began, unsigned int age);
