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
json_t *report_explanation(const struct explanation *explanation);
json_t *report_faults(const struct conf_errors *errors);
