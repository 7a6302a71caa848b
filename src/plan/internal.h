/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "drover/plan.h"

/* What the functions below work on: one group on its way into the plan. */
struct builder {
	const struct cluster *cluster;
	const struct plan_what_if *what_if;
	const struct conf_group *conf;
	const struct plan *plan;
	struct table_cache *tables;
	struct plan_group *group;
	struct member_view *views; /* of conf->members */
	size_t *places;            /* of conf->members in group->members, or NOWHERE */
};

#define NOWHERE SIZE_MAX

/* Which order the scheduler of a kind walks, and whether its tables have to be in the order. */
enum buckets_order table_order(const struct conf_kind *kind);
bool table_is_needed(const struct conf_kind *kind, enum buckets_order order);

/*
 * Finds the group's table for the members of a service in this order, or adds it. Returns 0 and its
 * index, -E2BIG if there are more members than slots, or -ENOMEM.
 */
int table_get(struct builder *b, const struct conf_service *service, enum buckets_order order,
	size_t *ret_index);
void table_done(struct plan_table *table);

/* Adds the group's distributions, and the tables that they need. Returns 0, or as table_get(). */
int distributions_add(struct builder *b);
