/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The watch: sockets, subscription, dumps, and what callers ask for. */

#include "net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

enum {
	DUMP_ATTEMPTS = 8,
	DATAGRAMS_PER_DISPATCH = 4096, /* a storm must not keep the caller's loop for ever */
};

/* --- looking --------------------------------------------------------------- */

struct interface_look {
	const char *name;
	bool found;
	struct interface_message interface;
};

static void take_interface(const struct nlmsghdr *message, void *user_data)
{
	struct interface_look *look = user_data;
	struct interface_message interface;

	if (interface_parse(message, &interface) < 0)
		return;
	/* The kernel finds interfaces by their alternative names as well; events do not. */
	if (strcmp(interface.name, look->name) != 0)
		return;
	look->interface = interface;
	look->found = true;
}

static int look_at_interface(struct link_watch *watch)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	struct interface_look look = { .name = watch->state.name };
	struct link_state *state = &watch->state;
	int r;

	r = rtnl_talk(
		&watch->requests, interface_put_get(buffer, state->name), take_interface, &look);
	if (r < 0 && r != -ENODEV)
		return r;
	state->link_stale = false;
	if (state->link_lost || !look.found ||
		(state->link.present && state->link.index != look.interface.index)) {
		link_state_forget_interface(state);
		link_state_report(state, &watch->callbacks, watch->user_data);
	}
	link_state_set_interface(state, look.found ? &look.interface : NULL);
	return 0;
}

static void take_message(const struct nlmsghdr *message, void *user_data)
{
	link_state_take(user_data, message);
}

/* Returns 0, 1 if the tables changed under the dump, or -errno. */
static int dump_once(struct link_watch *watch)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	unsigned int index = watch->state.link.index;
	int r, s;

	r = rtnl_talk(&watch->requests, interface_address_put_dump(buffer, index), take_message,
		&watch->state);
	if (r < 0)
		return r;
	s = rtnl_talk(
		&watch->requests, neighbour_put_dump(buffer, index), take_message, &watch->state);
	return s < 0 ? s : r || s;
}

static int look_at_tables(struct link_watch *watch)
{
	struct link_state *state = &watch->state;
	int r = 0;

	state->tables_stale = false;
	if (!state->link.present)
		return 0;
	for (size_t i = 0; i < DUMP_ATTEMPTS; i++) {
		link_state_begin_dump(state);
		r = dump_once(watch);
		if (r <= 0)
			break;
	}
	if (r == -ENODEV) {
		/* Gone since: its event is under way, or was lost to an overrun that comes too. */
		link_state_end_dump(state);
		return 0;
	}
	if (r == 0 && !state->tables_stale) {
		link_state_end_dump(state);
		return 0;
	}
	/* What was changing has events in the queue, so there will be a next time. */
	state->tables_stale = true;
	return r < 0 ? r : 0;
}

/* --- asking ---------------------------------------------------------------- */

static int ask(struct link_watch *watch, struct neighbour *neighbour)
{
	int r = neighbour_manage(
		&watch->requests, watch->state.link.index, &neighbour->key.address);

	neighbour->asked = r >= 0;
	return r;
}

static void ask_for_wanted(struct link_watch *watch)
{
	struct link_state *state = &watch->state;

	for (size_t i = 0; i < state->neighbours.n_items; i++) {
		struct neighbour *neighbour = sorted_at(&state->neighbours, i);

		/* One that fails (a full neighbour table) is tried again at the next event. */
		if (neighbour->wanted && !neighbour->asked && state->link.running)
			(void)ask(watch, neighbour);
	}
}

/* Brings everything to where the messages read so far have led. */
static int settle(struct link_watch *watch)
{
	int r;

	if (watch->state.link_stale) {
		r = look_at_interface(watch);
		if (r < 0)
			return r;
	}
	if (watch->state.tables_stale) {
		r = look_at_tables(watch);
		if (r < 0)
			return r;
	}
	link_state_report(&watch->state, &watch->callbacks, watch->user_data);
	ask_for_wanted(watch);
	return 0;
}

int link_resolve(struct link_watch *watch, const struct address *address)
{
	const struct sorted_key key = { .address = *address };
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];
	struct link_state *state = &watch->state;
	struct neighbour *neighbour;
	int r;

	if (address->family != AF_INET && address->family != AF_INET6)
		return -EAFNOSUPPORT;
	neighbour = sorted_add(&state->neighbours, &key);
	if (!neighbour)
		return -ENOMEM;
	neighbour->wanted = true;
	neighbour->told = false;
	if (!state->link.present)
		return -ENODEV;
	if (!state->link.running)
		return 0;
	r = ask(watch, neighbour);
	if (r < 0)
		return r;
	/*
	 * An entry that was managed and resolved before makes no event now. Asked for over the
	 * event socket the answer arrives like one.
	 */
	return rtnl_send(&watch->events, neighbour_put_get(buffer, state->link.index, address));
}

int link_forget(struct link_watch *watch, const struct address *address)
{
	const struct sorted_key key = { .address = *address };
	struct neighbour *neighbour = sorted_find(&watch->state.neighbours, &key);

	if (!neighbour || !neighbour->wanted)
		return 0;
	neighbour->wanted = false;
	if (!watch->state.link.present)
		return 0;
	return neighbour_release(&watch->requests, watch->state.link.index, address);
}

int link_add_address(struct link_watch *watch, const struct address *address)
{
	if (!watch->state.link.present)
		return -ENODEV;
	return interface_address_add(&watch->requests, watch->state.link.index, address);
}

int link_remove_address(struct link_watch *watch, const struct address *address)
{
	if (!watch->state.link.present)
		return 0;
	return interface_address_remove(&watch->requests, watch->state.link.index, address);
}

int link_set_up(struct link_watch *watch)
{
	_Alignas(struct nlmsghdr) char buffer[RTNL_REQUEST_SIZE];

	if (!watch->state.link.present)
		return -ENODEV;
	return rtnl_talk(
		&watch->requests, interface_put_up(buffer, watch->state.link.index), NULL, NULL);
}

bool link_has_address(const struct link_watch *watch, const struct address *address)
{
	return link_state_has_address(&watch->state, address);
}

/* --- life ------------------------------------------------------------------ */

static int watch_open(const char *interface, const struct link_callbacks *callbacks,
	void *user_data, unsigned int groups, struct link_watch **ret_watch)
{
	_cleanup_(link_watch_free_p) struct link_watch *watch = NULL;
	int r;

	if (!*interface || strlen(interface) >= IFNAMSIZ)
		return -EINVAL;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->callbacks = *callbacks;
	watch->user_data = user_data;
	link_state_init(&watch->state, interface);
	if (groups) {
		r = rtnl_open(&watch->events, groups);
		if (r < 0)
			return r;
	}
	r = rtnl_open(&watch->requests, 0);
	if (r < 0)
		return r;
	r = settle(watch);
	if (r < 0)
		return r;
	*ret_watch = take_ptr(watch);
	return 0;
}

int link_watch_new(const char *interface, const struct link_callbacks *callbacks, void *user_data,
	struct link_watch **ret_watch)
{
	return watch_open(interface, callbacks, user_data,
		RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, ret_watch);
}

void link_watch_free(struct link_watch *watch)
{
	if (!watch)
		return;
	rtnl_close(&watch->events);
	rtnl_close(&watch->requests);
	link_state_done(&watch->state);
	free(watch);
}

int link_watch_fd(const struct link_watch *watch)
{
	return mnl_socket_get_fd(watch->events.socket);
}

int link_dispatch(struct link_watch *watch)
{
	struct link_state *state = &watch->state;

	for (size_t i = 0; i < DATAGRAMS_PER_DISPATCH; i++) {
		ssize_t n = rtnl_receive(&watch->events, MSG_DONTWAIT);

		if (n == -EAGAIN)
			break;
		if (n == -ENOBUFS)
			state->link_stale = state->tables_stale = true;
		else if (n < 0)
			return (int)n;
		else
			link_state_feed(state, watch->events.buffer, (size_t)n);
	}
	return settle(watch);
}

int link_snapshot(const char *interface, const struct link_callbacks *callbacks, void *user_data)
{
	struct link_watch *watch;
	int r;

	r = watch_open(interface, callbacks, user_data, 0, &watch);
	if (r < 0)
		return r;
	link_watch_free(watch);
	return 0;
}
