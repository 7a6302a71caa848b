/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics, and who may ask for them over HTTP. */
#include "drover/http.h"
#include "drover/log.h"
#include "internal.h"
#include "metrics.h"
#include "process.h"
#include "report.h"

#include <string.h>

char *engine_metrics(struct engine *engine)
{
	_cleanup_(json_decref_p) json_t *replies = report_all(engine);
	json_t *process = process_report();

	json_object_set_new(process, "start_us", json_integer((json_int_t)engine->started_us));
	json_object_set_new(replies, "process", process);
	return replies && process ? metrics_format(replies) : NULL;
}

static char *make_page(void *user_data)
{
	return engine_metrics(user_data);
}

/* Balancing must not wait for whoever looks on, nor end because of them. */
void engine_open_listener(struct engine *engine)
{
	const struct conf_metrics *metrics = &cluster_conf(engine->cluster)->metrics;
	bool is_ipv6 = metrics->listen.family == AF_INET6;
	char address[ADDRESS_TEXT_MAX];
	int r;

	if (!metrics->present)
		return;
	address_format(&metrics->listen, address);
	r = http_server_new(engine->event, &metrics->listen, metrics->port, make_page, engine,
		&engine->listener);
	if (r < 0)
		log_error("%s:%u: cannot listen on %s%s%s:%u: %s; until the next reload, metrics "
			  "are to be had from droverctl only",
			metrics->location.file, metrics->location.line, is_ipv6 ? "[" : "", address,
			is_ipv6 ? "]" : "", metrics->port, strerror(-r));
	else
		log_info("metrics on http://%s%s%s:%u/metrics", is_ipv6 ? "[" : "", address,
			is_ipv6 ? "]" : "", metrics->port);
}

void engine_close_listener(struct engine *engine)
{
	http_server_free(engine->listener);
	engine->listener = NULL;
}

void engine_reload_listener(struct engine *engine, const struct conf *old)
{
	const struct conf_metrics *before = &old->metrics;
	const struct conf_metrics *after = &cluster_conf(engine->cluster)->metrics;

	if (engine->listener && after->present && before->port == after->port &&
		address_equal(&before->listen, &after->listen))
		return;
	engine_close_listener(engine);
	engine_open_listener(engine);
}
