/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The daemon's state as JSON: the replies that droverctl(8) documents. */

#include "daemon.h"
#include "drover/explain.h"

/* Each returns a new reference, NULL without memory. */
json_t *report_status(struct daemon *daemon);
json_t *report_members(struct daemon *daemon);
json_t *report_services(struct daemon *daemon);
json_t *report_ready(struct daemon *daemon);

/* Of one member or, with NULL, all; with_list also flow by flow, up to 50000. */
json_t *report_flows(const struct daemon *daemon, const char *member, bool with_list);

/* Parts of the status. */
json_t *report_flow_totals(const struct daemon *daemon);
json_t *report_sync(const struct daemon *daemon);

json_t *report_explanation(const struct explanation *explanation);
json_t *report_faults(const struct conf_errors *errors);
