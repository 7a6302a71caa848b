/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The lists of servers that the cluster has told, one for each group that it spoke of. A change is
 * made to a copy, which takes the place of the lists when it has been accepted.
 */

#include "drover/conf_helper.h"

#include <jansson.h>

struct servers {
	struct conf_servers *groups;
	size_t n;
};

enum { SERVERS_REASON_MAX = 256 };

void servers_done(struct servers *servers);
int servers_copy(const struct servers *servers, struct servers *ret_copy); /* 0 or -ENOMEM */

/*
 * Changes of one group's list. words is what follows the verb, and is cut; the forms are
 * "ADDRESS:WEIGHT …" (an IPv6 address in brackets; without ":WEIGHT" it is CONF_WEIGHT_DEFAULT),
 * "ADDRESS [WEIGHT]", "ADDRESS" and "ADDRESS WEIGHT". A group that was not spoken of has an empty
 * list. Return 0, -ENOMEM, or -EINVAL with a reason; what the copy has become then is of no use.
 */
int servers_replace(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX]);
int servers_add(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX]);
int servers_remove(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX]);
int servers_set_weight(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX]);

/* {"A": ["10.0.0.5:100", …]}: a new reference, NULL without memory; and back, 0 or -EBADMSG. */
json_t *servers_to_json(const struct servers *servers);
int servers_from_json(const json_t *root, struct servers *ret_servers);
