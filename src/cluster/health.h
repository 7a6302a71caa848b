/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What checks find, and whom that takes out of which service. It is decided anew for all
 * whenever somebody's health, or ability to serve, is another.
 */

#include "drover/cluster.h"

struct health_entry {
	char *key; /* "group/service/member" */
	struct cluster_health health;
};

/* About one group. */
struct health_verdicts {
	bool *ejected;     /* n_services rows of n_members */
	uint8_t *percents; /* likewise: of the weights of those who start slowly; 0: all of it */
	bool *failed;      /* of services */
	bool *down;        /* of members */
	bool well;         /* nobody is ejected, nor starts slowly */
};

struct health {
	struct health_entry *entries; /* ordered by key; who does well has none */
	size_t n_entries;
	struct health_verdicts *groups; /* NULL: nobody is ejected */
	size_t n_groups;
};

void health_done(struct health *health);

/* True if all do well. */
bool health_is_empty(const struct health *health);

/* Returns 1 if it is news, 0, or -ENOMEM. */
int health_set(struct health *health, const char *group, const char *service, const char *member,
	const struct cluster_health *news);

/* Forgets who is not in the configuration any more. */
void health_sweep(struct health *health, const struct conf *conf);

/* Decides for all. Returns 1; -ENOMEM: nobody is ejected then. */
int health_decide(struct health *health, const struct conf *conf,
	bool (*serves)(const struct conf_member *member, void *user_data), void *user_data);

struct cluster_share health_share(const struct health *health, size_t group,
	const struct conf_group *conf, size_t service, size_t member);
bool health_is_well(const struct health *health, size_t group);
bool health_failed(const struct health *health, size_t group, size_t service);
bool health_is_down(const struct health *health, size_t group, size_t member);
