/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "deferred.h"

#include "commands.h"
#include "internal.h"

struct deferred deferred_now(struct engine *engine)
{
	if (!engine->asking)
		return (struct deferred){ .call = control_server_defer(engine->control) };
	engine->asking->kept = true;
	return engine->asking->deferred;
}

void deferred_answer(struct engine *engine, const struct deferred *deferred, json_t *reply)
{
	if (!deferred->answer) {
		control_server_answer(engine->control, deferred->call, reply);
		return;
	}
	deferred->answer(reply, deferred->user_data);
	json_decref(reply);
}

void engine_request(
	struct engine *engine, const json_t *request, engine_answer_t answer, void *user_data)
{
	struct asking asking = { .deferred = { .answer = answer, .user_data = user_data } };
	struct asking *before = engine->asking;
	json_t *reply;

	engine->asking = &asking;
	reply = commands_handle(request, engine);
	engine->asking = before;
	if (!asking.kept)
		deferred_answer(engine, &asking.deferred, reply);
}
