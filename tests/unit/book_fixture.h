/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A book, and short ways to tell it things. */

#include "tracker_messages.h"
#include "unit.h"

enum { FLOWS_MAX = 10000 };

struct reader {
	struct flow_set *flows;
	struct book book;
	enum flow_life life; /* what the kernel says when it is asked */
	uint16_t unwanted;   /* client's port */
	unsigned int n_asked, n_began, n_ended;
};

int make_reader(void **state);
int drop_reader(void **state);
struct entry_message tcp(uint16_t port, int tcp_state);
void event(struct reader *r, const struct entry_message *entry);
void dumped(struct reader *r, const struct entry_message *entry);
void socket_seen(struct reader *r, const struct socket_message *socket);
void event_of_tcp(struct reader *r, uint16_t port, int tcp_state);
void destroyed(struct reader *r, uint16_t port);
void dumped_with_left(struct reader *r, uint8_t protocol, uint16_t port, uint32_t left);
void dumped_tcp(struct reader *r, uint16_t port, int tcp_state);
void give_addresses(struct reader *r);
void sweep(struct reader *r);
void check_watched(struct reader *r, size_t n, size_t *cursor);
void assert_counts(
	const struct reader *r, unsigned int began, unsigned int ended, unsigned int watched);

#define reader_test(function) cmocka_unit_test_setup_teardown(function, make_reader, drop_reader)
