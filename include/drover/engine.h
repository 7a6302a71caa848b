/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The engine: one event loop that carries news from the kernel, the operator and the other nodes to
 * the cluster, and what follows from it back to the kernel. It is the whole of a running drover
 * but for what steers it: droverd is the engine under a service manager, drover-helper the engine
 * at a pipe of the cluster's. Such a program is the engine's front.
 */

#include "drover/conf.h"

#include <jansson.h>
#include <stdio.h>

struct sd_event;
struct engine;

struct engine_front {
	const char *program; /* its name, for the log */

	/* Makes the configuration anew, for a reload: the results are those of conf_load(). */
	int (*load)(void *user_data, struct conf **ret_conf, struct conf_errors *errors);

	/* What was loaded last has been accepted; may be NULL. */
	void (*accepted)(void *user_data);

	/* Called once everything runs, before the loop waits for the first time; may be NULL. */
	int (*start)(struct engine *engine, struct sd_event *event, void *user_data);

	/* SIGTERM or SIGINT: called instead of engine_stop(); may be NULL. */
	void (*stop)(struct engine *engine, void *user_data);
	void *user_data;
};

/*
 * Runs until SIGTERM or engine_stop(). Takes ownership of conf. Only one engine can run in a
 * network namespace, for it owns drover's tables there. Returns 0 or -errno (logged).
 */
int engine_run(struct conf *conf, const struct engine_front *front);

/* Borrows the reply: an object with "ok", as droverctl(8) documents it; NULL without memory. */
typedef void (*engine_answer_t)(const json_t *reply, void *user_data);

/*
 * Asks as droverctl does, {"command": "activate", "group": "A"}, and has the answer called once:
 * before this returns or, where it takes time to tell, later from the loop.
 */
void engine_request(
	struct engine *engine, const json_t *request, engine_answer_t answer, void *user_data);

/* Ends engine_run(): as soon as no group's duty is being handed over any more, or at once. */
void engine_stop(struct engine *engine);
void engine_exit(struct engine *engine);

/*
 * Writes the ruleset that the configured node would have to a stream, without touching the kernel:
 * as the active balancer of these groups (NULL-terminated names), or with NULL of all its groups.
 * Ethernet addresses that the file does not give come from the live system, if it has the interface
 * and knows them; members without one are named in comments. Takes ownership of conf. Returns 0
 * or -errno.
 */
int engine_print_ruleset(struct conf *conf, const char *const *active, FILE *stream);
