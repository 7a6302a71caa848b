/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/guard.h"

#include "build.h"
#include "drover/message.h"

#include <errno.h>
#include <netinet/in.h>

/*
 * An element that is there already keeps its timeout when it is added again (before Linux 6.12),
 * and it may have ended before it can be deleted: so the set is flushed, whatever it has.
 */
int guard_arm(unsigned int seconds, struct batch **ret_batch)
{
	static const uint8_t tcp = IPPROTO_TCP;
	const struct ruleset_table table = { .family = RULESET_INET, .name = RULESET_TABLE_NAME };
	const struct ruleset_set set = {
		.name = GUARD_SET,
		.key = KEY_PROTOCOL,
		.timed = true,
		.origin = "the member guard",
	};
	struct ruleset_extra extra = { .timeout_ms = UINT64_C(1000) * seconds };
	const struct ruleset_element element = {
		.key = build_value(&tcp, sizeof(tcp)),
		.extra = &extra,
	};
	const struct ruleset_element *elements[] = { &element };
	_cleanup_(batch_free_p) struct batch *batch = batch_new();
	int r;

	if (!batch)
		return -ENOMEM;
	r = message_flush_set(batch, &table, &set);
	if (r == 0)
		r = message_add_elements(batch, &table, &set, elements, ARRAY_SIZE(elements));
	if (r < 0)
		return r;
	*ret_batch = take_ptr(batch);
	return 0;
}
