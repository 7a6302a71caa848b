/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The engine's state as JSON: the replies that droverctl(8) documents. */

#include "drover/explain.h"
#include "internal.h"

/* Each returns a new reference, NULL without memory. */
json_t *report_status(struct engine *engine);
json_t *report_members(struct engine *engine);
json_t *report_ready(struct engine *engine);

/* brief: without the members of each, which are many where services are. */
json_t *report_services(struct engine *engine, bool brief);

/* {"status", "services", "flows"}: these replies, of one moment; services in brief. */
json_t *report_all(struct engine *engine);

/* Of one member or, with NULL, all; with_list also flow by flow, up to 50000. */
json_t *report_flows(const struct engine *engine, const char *member, bool with_list);

/* Parts of the status. */
json_t *report_flow_totals(const struct engine *engine);
json_t *report_sync(const struct engine *engine);

/* What checks say of a member, service by service; of a service, into its entry. */
json_t *report_health_of(const struct engine *engine, const struct conf_group *group,
	const struct conf_member *member);
void report_service_health(const struct engine *engine, const struct conf_group *group,
	const struct conf_service *service, json_t *entry);

json_t *report_explanation(const struct explanation *explanation);
json_t *report_faults(const struct conf_errors *errors);
