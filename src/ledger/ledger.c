/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/ledger.h"

#include "drover/array.h"

#include <string.h>

struct part {
	char *owner;
	struct flow_set *flows;
};

struct ledger {
	size_t max;
	struct part *parts; /* ordered by owner */
	size_t n_parts;
};

struct ledger *ledger_new(size_t max)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (ledger)
		ledger->max = max;
	return ledger;
}

static void part_done(struct part *part)
{
	free(part->owner);
	flow_set_free(part->flows);
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->n_parts; i++)
		part_done(&ledger->parts[i]);
	free(ledger->parts);
	free(ledger);
}

/* The first part whose owner is not below. Owners are a cluster's hosts, so they are few. */
static size_t position_of(const struct ledger *ledger, const char *owner)
{
	size_t i = 0;

	while (i < ledger->n_parts && strcmp(ledger->parts[i].owner, owner) < 0)
		i++;
	return i;
}

static bool is_at(const struct ledger *ledger, size_t i, const char *owner)
{
	return i < ledger->n_parts && strcmp(ledger->parts[i].owner, owner) == 0;
}

struct flow_set *ledger_open(struct ledger *ledger, const char *owner)
{
	size_t i = position_of(ledger, owner);
	struct part part, *parts;

	if (is_at(ledger, i, owner))
		return ledger->parts[i].flows;
	parts = array_grow(ledger->parts, ledger->n_parts, sizeof(*parts));
	if (!parts)
		return NULL;
	ledger->parts = parts;
	part = (struct part){ .owner = strdup(owner), .flows = flow_set_new(ledger->max) };
	if (!part.owner || !part.flows) {
		part_done(&part);
		return NULL;
	}
	memmove(&parts[i + 1], &parts[i], (ledger->n_parts++ - i) * sizeof(*parts));
	parts[i] = part;
	return part.flows;
}

struct flow_set *ledger_find(const struct ledger *ledger, const char *owner)
{
	size_t i = position_of(ledger, owner);

	return is_at(ledger, i, owner) ? ledger->parts[i].flows : NULL;
}

const char *ledger_find_owner(const struct ledger *ledger, const struct flow *flow)
{
	for (size_t i = 0; i < ledger->n_parts; i++)
		if (flow_set_has(ledger->parts[i].flows, flow))
			return ledger->parts[i].owner;
	return NULL;
}

void ledger_forget(struct ledger *ledger, const char *owner)
{
	size_t i = position_of(ledger, owner);
	struct part *part = &ledger->parts[i];

	if (!is_at(ledger, i, owner))
		return;
	part_done(part);
	memmove(part, part + 1, (--ledger->n_parts - i) * sizeof(*part));
}

void ledger_forget_times(struct ledger *ledger, const char *owner)
{
	struct flow_set *former = ledger_find(ledger, owner);

	if (!former || !flow_set_has_times(former))
		return;
	flow_set_forget_times(former);
	for (size_t i = 0; i < ledger->n_parts; i++)
		if (ledger->parts[i].flows != former)
			flow_set_come_after(ledger->parts[i].flows, former);
}

const char *ledger_owner_at(const struct ledger *ledger, size_t i)
{
	return i < ledger->n_parts ? ledger->parts[i].owner : NULL;
}

size_t ledger_count(const struct ledger *ledger)
{
	size_t count = 0;

	for (size_t i = 0; i < ledger->n_parts; i++)
		count += flow_set_count(ledger->parts[i].flows);
	return count;
}

size_t ledger_memory(const struct ledger *ledger)
{
	size_t size = sizeof(*ledger);

	for (size_t i = 0; i < ledger->n_parts; i++)
		size += sizeof(*ledger->parts) + strlen(ledger->parts[i].owner) + 1 +
			flow_set_memory(ledger->parts[i].flows);
	return size;
}
