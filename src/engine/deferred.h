/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Answers that take time: who is to have them. */

#include "drover/engine.h"

#include <stdint.h>

/* Whoever asked, on the control socket (call) or as the engine's front (answer). */
struct deferred {
	uint64_t call;
	engine_answer_t answer;
	void *user_data;
};

/* A request of the front's while it is being handled. */
struct asking {
	struct deferred deferred;
	bool kept; /* by whoever answers it later */
};

/* Of the request that is being handled: its handler returns NULL, and answers later. */
struct deferred deferred_now(struct engine *engine);

/* Takes the reference to the reply. */
void deferred_answer(struct engine *engine, const struct deferred *deferred, json_t *reply);
