/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs.h"

#define COUNTED "the connections of servers are not compared"

/* ipvsadm(8) has what each does. */
static const struct scheduler_word schedulers[] = {
	{ "rr", CONF_SCHEDULER_RR, NULL },
	{ "wrr", CONF_SCHEDULER_RR, NULL },
	{ "sh", CONF_SCHEDULER_SOURCE, NULL },
	{ "mh", CONF_SCHEDULER_SOURCE, NULL },
	{ "lc", CONF_SCHEDULER_RR, COUNTED },
	{ "wlc", CONF_SCHEDULER_RR, COUNTED },
	{ "sed", CONF_SCHEDULER_RR, COUNTED },
	{ "nq", CONF_SCHEDULER_RR, COUNTED },
	{ "twos", CONF_SCHEDULER_RANDOM, COUNTED },
	{ "lblc", CONF_SCHEDULER_HASH, "the VIP does not choose the server" },
	{ "lblcr", CONF_SCHEDULER_HASH, "the VIP does not choose the server" },
	{ "dh", CONF_SCHEDULER_HASH, "the VIP does not choose the server" },
	{ "fo", CONF_SCHEDULER_HASH, "no server is spared until another fails" },
	{ "ovf", CONF_SCHEDULER_HASH, "no server is spared until another is full" },
};

void ipvs_read_scheduler(
	struct site *site, unsigned int line, const char *word, enum conf_scheduler *scheduler)
{
	site_read_scheduler(site, line, word, schedulers, ARRAY_SIZE(schedulers), scheduler);
}
