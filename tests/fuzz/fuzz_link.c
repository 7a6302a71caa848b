/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Netlink messages about the interface, neighbours and addresses, as the event socket brings them.
 */
#include "../../src/net/net.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_neighbour(const struct address *address, const struct mac *mac, void *user_data)
{
	(void)user_data;
	if ((address->family != AF_INET && address->family != AF_INET6) ||
		(mac && !mac_is_usable(mac)))
		abort();
}

static void on_address(const struct address *address, bool present, void *user_data)
{
	if (present != link_state_has_address(user_data, address))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct link_callbacks callbacks = {
		.neighbour = on_neighbour,
		.address = on_address,
	};
	const struct interface_message interface = { .name = "eth0", .index = 2 };
	/* A copy, since messages are aligned, and of the exact size, so that no byte more is read.
	 */
	_cleanup_(free_p) void *messages = malloc(size ? size : 1);
	struct link_state state;

	if (!messages)
		return 0;
	memcpy(messages, data, size);
	link_state_init(&state, "eth0");
	link_state_set_interface(&state, &interface);
	link_state_feed(&state, messages, size);
	link_state_report(&state, &callbacks, &state);
	link_state_begin_dump(&state);
	link_state_feed(&state, messages, size / 2);
	link_state_end_dump(&state);
	link_state_report(&state, &callbacks, &state);
	link_state_forget_interface(&state);
	link_state_report(&state, &callbacks, &state);
	/* Of an interface that is gone nothing is left. */
	if (state.neighbours.n_items || state.addresses.n_items)
		abort();
	link_state_done(&state);
	return 0;
}
