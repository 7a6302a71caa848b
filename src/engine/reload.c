/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new configuration takes the place of the running one, or does not. */
#include "drover/log.h"
#include "internal.h"
#include "overrides.h"
#include "retired.h"

#include <errno.h>
#include <string.h>

static int refuse(struct conf_errors *errors, const struct conf *conf, const char *what)
{
	char *message = NULL;

	errors->messages = calloc(1, sizeof(*errors->messages));
	if (!errors->messages ||
		asprintf(&message, "%s: %s can be changed only by a restart", conf->path, what) < 0)
		return -ENOMEM;
	errors->messages[errors->n_messages++] = message;
	return -EINVAL;
}

static int check_changes(const struct conf *old, const struct conf *new, struct conf_errors *errors)
{
	if (strcmp(old->node, new->node) != 0)
		return refuse(errors, new, "node");
	if (strcmp(old->interface, new->interface) != 0)
		return refuse(errors, new, "interface");
	if (strcmp(old->control, new->control) != 0)
		return refuse(errors, new, "control");
	if (engine_sync_differs(old, new))
		return refuse(errors, new, "sync, and with sync buckets or seed,");
	return 0;
}

static void log_faults(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n_messages; i++)
		log_error("%s", errors->messages[i]);
}

static bool has_address(const struct conf *conf, const struct address *address)
{
	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (address_equal(&conf->groups[g].members[m].address, address))
				return true;
	return false;
}

static void forget_members(struct engine *engine, const struct conf *old)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t g = 0; g < old->n_groups; g++)
		for (size_t m = 0; m < old->groups[g].n_members; m++)
			if (!has_address(conf, &old->groups[g].members[m].address))
				(void)link_forget(
					engine->watch, &old->groups[g].members[m].address);
}

/*
 * Who is in the file no more gets no new connections; those that it has may end in peace. Nobody
 * tells when those end that it has opened itself: they have until the next reload.
 */
static void retire_members(struct engine *engine, const struct conf *old, struct conf *conf)
{
	for (size_t g = 0; g < old->n_groups; g++)
		for (size_t m = 0; m < old->groups[g].n_members; m++) {
			const struct conf_member *member = &old->groups[g].members[m];
			const struct flow_set *flows = ledger_find(
				engine->flows.ledger, member->name);
			size_t n = flows ? flow_set_count(flows) : 0;

			if (n == 0 && (member->retired || member->n_outgoing == 0))
				continue;
			if (conf_retire_member(conf, old->groups[g].name, member) > 0)
				log_notice("member %s is not in the file any more; its %zu "
					   "connections stay until they end%s",
					member->name, n,
					member->n_outgoing > 0
						? ", and its outgoing ranges as long, at "
						  "least until the next reload"
						: "");
		}
}

/* Only here does a checked configuration become the running one. */
static int merge_conf(struct engine *engine, struct conf *conf)
{
	_cleanup_(conf_free_p) struct conf *old = NULL;
	const struct plan *before = engine->plan;
	int r;

	/* Who was always active has the duty, and keeps it until it is told to give it up. */
	if (conf->election != CONF_ELECTION_ALWAYS)
		(void)cluster_relieve(engine->cluster);
	old = cluster_replace_conf(engine->cluster, conf);
	forget_members(engine, old);
	engine_resolve_members(engine);
	duty_check_port_ranges(conf, old);
	engine_place_vips(engine, old);
	engine_reload_flows(engine);
	engine_reload_sync(engine);
	engine_reload_listener(engine, old);
	engine_reload_health(engine);
	r = engine_reconcile(engine);
	/* The old plan borrows from the configuration that goes. */
	if (engine->plan == before) {
		plan_free(engine->plan);
		engine->plan = NULL;
	}
	return r;
}

int engine_reload(struct engine *engine, bool reset_overrides)
{
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf *running = cluster_conf(engine->cluster);
	int r;

	conf_errors_done(&engine->conf_errors);
	r = engine->front->load(engine->front->user_data, &conf, &engine->conf_errors);
	if (r == 0)
		r = check_changes(running, conf, &engine->conf_errors);
	if (r < 0) {
		log_faults(&engine->conf_errors);
		log_error("%s: refused; the running configuration stays in force", running->path);
		return r;
	}
	if (engine->front->accepted)
		engine->front->accepted(engine->front->user_data);
	if (reset_overrides) {
		cluster_reset_overrides(engine->cluster);
		(void)overrides_save(engine->cluster);
		engine_tell_overrides(engine);
	}
	retire_members(engine, running, conf);
	retired_save(conf);
	r = merge_conf(engine, take_ptr(conf));
	log_notice("%s: loaded", cluster_conf(engine->cluster)->path);
	return r;
}
