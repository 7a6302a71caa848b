/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What checks say, as JSON. */
#include "drover/clock.h"
#include "report.h"

static json_t *check_entry(const struct engine *engine, const struct health_link *link)
{
	const struct check_report *report = check_report(link->probe);
	struct cluster_share share = cluster_share(engine->cluster, link->group, link->service,
		(size_t)(link->member - link->group->members));
	bool known = report->state.verdict != CHECK_UNKNOWN;
	uint64_t now_us = clock_now_us();
	const struct address *asked = &report->asked.address;
	char vip[ADDRESS_TEXT_MAX];
	json_t *entry, *since = known ? json_integer((json_int_t)(now_us - report->since_us) / 1000)
				      : json_null();

	entry = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:i}", "service",
		link->service->name, "check", report->target.check->name, "state",
		check_verdict_name(report->state.verdict), "since_ms", since, "outcome",
		check_outcome_name(report->outcome), "detail", report->detail, "took_us",
		(json_int_t)report->took_us, "good", (json_int_t)report->n_good, "bad",
		(json_int_t)report->n_bad, "late_us", (json_int_t)report->late_us, "ejected",
		share.ejected, "percent", share.ejected ? 0 : (int)share.percent);
	json_object_set_new(entry, "vip",
		asked->family == AF_UNSPEC ? json_null() : json_string(address_format(asked, vip)));
	json_object_set_new(entry, "vips", json_integer((json_int_t)report->target.n_vips));
	json_object_set_new(entry, "own_outcome",
		report->own_outcome == CHECK_PENDING
			? json_null()
			: json_string(check_outcome_name(report->own_outcome)));
	return entry;
}

json_t *report_health_of(const struct engine *engine, const struct conf_group *group,
	const struct conf_member *member)
{
	const struct health *health = &engine->health;
	json_t *list = json_array();

	for (size_t i = 0; i < health->n_links; i++)
		if (health->links[i].group == group && health->links[i].member == member)
			json_array_append_new(list, check_entry(engine, &health->links[i]));
	return list;
}

void report_service_health(const struct engine *engine, const struct conf_group *group,
	const struct conf_service *service, json_t *entry)
{
	const struct health *health = &engine->health;
	size_t n = 0, n_down = 0;

	for (size_t i = 0; i < health->n_links; i++) {
		const struct health_link *link = &health->links[i];

		if (link->group != group || link->service != service)
			continue;
		n++;
		n_down += check_report(link->probe)->state.verdict == CHECK_DOWN;
	}
	json_object_set_new(entry, "fail", json_string(conf_fail_name(service->fail)));
	json_object_set_new(entry, "failed",
		json_boolean(cluster_service_failed(engine->cluster, group, service)));
	json_object_set_new(entry, "checked", json_integer((json_int_t)n));
	json_object_set_new(entry, "up", json_integer((json_int_t)(n - n_down)));
}
