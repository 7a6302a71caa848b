/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Rulesets of configurations, their scripts, and batches in words. */

#include "drover/batch.h"
#include "drover/ruleset.h"

#include "cluster_fixture.h"

/* Compiled and signed. The plan and its cluster may go: a ruleset owns what it has. */
struct ruleset *ruleset_of_plan(const struct plan *plan);
struct ruleset *ruleset_of(const struct cluster *cluster);
struct ruleset *active_ruleset_of(const char *text);

/* The same, compiled after another one, with which it shares what it can. */
struct ruleset *ruleset_after(const struct ruleset *last, const struct cluster *cluster);
struct ruleset *active_ruleset_after(const struct ruleset *last, const char *text);

/* A set of its first table, which it must have. */
const struct ruleset_set *set_of(const struct ruleset *ruleset, const char *name);

/*
 * What leads from one to the other, a line for each message ("add rule vip/A"; rules, elements
 * and the like in a row are counted: "add 34 elements of buckets/A"). Empty if nothing differs.
 */
char *difference(const struct ruleset *have, const struct ruleset *want);
void assert_difference(
	const struct ruleset *have, const struct ruleset *want, const char *expected);

/* The nft script of a ruleset. */
char *script_of(const struct ruleset *ruleset);

/* The lines of one object of it ("chain ingress", "set vips/A"), without indent; NULL if it has
 * none. */
char *body_of(const char *script, const char *object);

/* What an object of an active balancer with this configuration is. */
struct body_case {
	const char *conf;
	const char *object;
	const char *body; /* NULL: there is no such object */
};

void assert_bodies(const struct body_case *cases, size_t n);

/* How often a word is in a text. */
size_t occurrences(const char *text, const char *word);
