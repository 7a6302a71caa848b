/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is known of the interface, what messages change in it, and what is told of it. */

#include "net.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

void link_state_init(struct link_state *state, const char *interface)
{
	*state = (struct link_state){
		.neighbours.item_size = sizeof(struct neighbour),
		.addresses.item_size = sizeof(struct interface_address),
		.link_stale = true,
		.tables_stale = true,
	};
	strncpy(state->name, interface, sizeof(state->name) - 1);
}

void link_state_done(struct link_state *state)
{
	sorted_clear(&state->neighbours);
	sorted_clear(&state->addresses);
}

/* --- messages ------------------------------------------------------------ */

static void take_interface(struct link_state *state, const struct interface_message *interface)
{
	bool ours = state->link.present && interface->index == state->link.index;

	/*
	 * A message is only the hint to look again: it may be older than the last
	 * look, lack attributes (wireless extensions), or rename another interface.
	 */
	if (ours || strcmp(interface->name, state->name) == 0)
		state->link_stale = true;
	if (ours && interface->deleted)
		state->link_lost = true;
}

static void neighbour_set_unknown(struct neighbour *neighbour)
{
	neighbour->known = false;
	neighbour->resolved = false;
	neighbour->asked = false;
}

static void take_neighbour(struct link_state *state, const struct neighbour_message *message)
{
	const struct sorted_key key = { .address = message->address };
	struct neighbour *neighbour;

	if (!state->link.present || message->index != state->link.index)
		return;
	if (message->deleted) {
		neighbour = sorted_find(&state->neighbours, &key);
		if (neighbour)
			neighbour_set_unknown(neighbour);
		return;
	}
	neighbour = sorted_add(&state->neighbours, &key);
	if (!neighbour) {
		state->tables_stale = true;
		return;
	}
	neighbour->known = true;
	neighbour->seen = true;
	neighbour->resolved = message->resolved;
	neighbour->mac = message->mac;
	/* "ip neigh replace" takes the managed flag away. */
	neighbour->asked = message->managed || message->foreign;
}

static void take_address(struct link_state *state, const struct interface_address_message *message)
{
	const struct sorted_key key = { .address = message->address, .length = message->length };
	struct interface_address *address;

	if (!state->link.present || message->index != state->link.index)
		return;
	if (message->deleted) {
		address = sorted_find(&state->addresses, &key);
		if (address)
			address->present = false;
		return;
	}
	address = sorted_add(&state->addresses, &key);
	if (!address) {
		state->tables_stale = true;
		return;
	}
	address->present = true;
	address->seen = true;
}

void link_state_take(struct link_state *state, const struct nlmsghdr *message)
{
	struct interface_message interface;
	struct neighbour_message neighbour;
	struct interface_address_message address;

	if (interface_parse(message, &interface) >= 0)
		take_interface(state, &interface);
	else if (neighbour_parse(message, &neighbour) >= 0)
		take_neighbour(state, &neighbour);
	else if (interface_address_parse(message, &address) >= 0)
		take_address(state, &address);
}

void link_state_feed(struct link_state *state, const void *messages, size_t size)
{
	const struct nlmsghdr *message = messages;
	int left = (int)size;

	for (; rtnl_message_ok(message, left); message = mnl_nlmsg_next(message, &left))
		link_state_take(state, message);
}

/* --- the interface and dumps ---------------------------------------------- */

void link_state_begin_dump(struct link_state *state)
{
	for (size_t i = 0; i < state->neighbours.n_items; i++)
		((struct neighbour *)sorted_at(&state->neighbours, i))->seen = false;
	for (size_t i = 0; i < state->addresses.n_items; i++)
		((struct interface_address *)sorted_at(&state->addresses, i))->seen = false;
}

void link_state_end_dump(struct link_state *state)
{
	for (size_t i = 0; i < state->neighbours.n_items; i++) {
		struct neighbour *neighbour = sorted_at(&state->neighbours, i);

		if (!neighbour->seen)
			neighbour_set_unknown(neighbour);
	}
	for (size_t i = 0; i < state->addresses.n_items; i++) {
		struct interface_address *address = sorted_at(&state->addresses, i);

		if (!address->seen)
			address->present = false;
	}
}

void link_state_forget_interface(struct link_state *state)
{
	state->link = (struct cluster_link){};
	state->link_lost = false;
	link_state_begin_dump(state);
	link_state_end_dump(state);
}

void link_state_set_interface(struct link_state *state, const struct interface_message *interface)
{
	if (!interface) {
		link_state_forget_interface(state);
		return;
	}
	if (!state->link.present || state->link.index != interface->index)
		state->tables_stale = true;
	state->link = (struct cluster_link){
		.present = true,
		.running = interface->running,
		.index = interface->index,
		.mac = interface->mac,
	};
}

/* --- telling ---------------------------------------------------------------- */

static bool link_equal(const struct cluster_link *a, const struct cluster_link *b)
{
	return a->present == b->present && a->running == b->running && a->index == b->index &&
	       mac_equal(&a->mac, &b->mac);
}

static void report_link(
	struct link_state *state, const struct link_callbacks *callbacks, void *user_data)
{
	if (state->told && link_equal(&state->link, &state->told_link))
		return;
	state->told = true;
	state->told_link = state->link;
	if (callbacks->link)
		callbacks->link(&state->told_link, user_data);
}

static bool neighbour_is_news(const struct neighbour *neighbour)
{
	if (!neighbour->told)
		return neighbour->known;
	if (neighbour->told_resolved != neighbour->resolved)
		return true;
	return neighbour->resolved && !mac_equal(&neighbour->told_mac, &neighbour->mac);
}

/* The callback may change the table, so the place in it is kept as a key. */
static void report_neighbours(
	struct link_state *state, const struct link_callbacks *callbacks, void *user_data)
{
	size_t i = 0;

	while (i < state->neighbours.n_items) {
		struct neighbour *neighbour = sorted_at(&state->neighbours, i);
		struct neighbour copy;

		if (!neighbour_is_news(neighbour)) {
			if (!neighbour->known && !neighbour->wanted)
				sorted_remove(&state->neighbours, &neighbour->key);
			else
				i++;
			continue;
		}
		neighbour->told = true;
		neighbour->told_resolved = neighbour->resolved;
		neighbour->told_mac = neighbour->mac;
		copy = *neighbour;
		if (callbacks->neighbour)
			callbacks->neighbour(
				&copy.key.address, copy.resolved ? &copy.mac : NULL, user_data);
		i = sorted_position(&state->neighbours, &copy.key);
	}
}

static void report_addresses(
	struct link_state *state, const struct link_callbacks *callbacks, void *user_data)
{
	size_t i = 0;

	while (i < state->addresses.n_items) {
		struct interface_address *address = sorted_at(&state->addresses, i);
		struct interface_address copy = *address;
		bool news = address->told != address->present;

		address->told = address->present;
		if (!address->present)
			sorted_remove(&state->addresses, &copy.key);
		else
			i++;
		if (news && callbacks->address)
			callbacks->address(&copy.key.address,
				link_state_has_address(state, &copy.key.address), user_data);
	}
}

void link_state_report(
	struct link_state *state, const struct link_callbacks *callbacks, void *user_data)
{
	report_link(state, callbacks, user_data);
	report_addresses(state, callbacks, user_data);
	report_neighbours(state, callbacks, user_data);
}

bool link_state_has_address(const struct link_state *state, const struct address *address)
{
	const struct sorted_key key = { .address = *address };
	size_t i = sorted_position(&state->addresses, &key);

	for (; i < state->addresses.n_items; i++) {
		const struct interface_address *item = sorted_at(&state->addresses, i);

		if (!address_equal(&item->key.address, address))
			break;
		if (item->present)
			return true;
	}
	return false;
}
