/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Taking the duty, not before this node knows the flows of all others if another node can carry on
 * until then, and not later than takeover_wait seconds.
 */

#include "deferred.h"

#include <jansson.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct engine;

/* A request to take the duty that is waiting. */
struct takeover {
	bool waits;
	struct deferred asked; /* who gets the answer */
	char *group;           /* NULL: all groups */
	uint64_t began_us;
	sd_event_source *timer;
};

/*
 * Takes the duty now and returns the reply, a new reference, or NULL: without memory, or because
 * it has to wait and the answer comes later. A second request while one waits is
 * somebody's who insists: both are enacted.
 */
json_t *takeover_request(struct engine *engine, const char *group);

/* Takes the duty if there is nothing left to wait for. */
void engine_continue_takeover(struct engine *engine);

/* Answers whoever waits with a refusal. */
void takeover_cancel(struct engine *engine, const char *why);

void takeover_done(struct takeover *takeover);
