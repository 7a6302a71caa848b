/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port sets. With many services they are by far the longest sets but for the bucket maps, and no
 * change of members changes them: packets, ICMP errors and the ruleset before share one list.
 * That it is the same is plain from what it was made of while the configuration stays. With
 * another one it is compared port by port.
 */
#include "compiler.h"

#include <errno.h>
#include <string.h>

static bool is_of_both(const struct plan_distribution *distribution)
{
	return distribution->protocols == CONF_PROTOCOL_ANY;
}

/* The ports of a distribution, as far as they have been passed. */
struct walk {
	const struct plan_distribution *distribution;
	size_t protocol; /* the one that the port was met for, where both have ports */
	size_t n;        /* of the ports that have been passed for it */
};

/*
 * The next port, in the order of the keys: with both protocols, the ports of one stand after
 * those of the other. NULL at the end.
 */
static const struct conf_port *walk_next(struct walk *walk)
{
	const struct conf_ports *ports = walk->distribution->ports;
	const struct conf_port *port;

	if (!is_of_both(walk->distribution))
		return walk->n < ports->n ? &ports->list[walk->n++] : NULL;
	for (; walk->protocol < N_PROTOCOLS; walk->protocol++, walk->n = 0)
		while (walk->n < ports->n) {
			port = &ports->list[walk->n++];
			if (port->protocols & compile_protocols[walk->protocol].flag)
				return port;
		}
	return NULL;
}

/* The parts of a key begin at words of 4 bytes. */
enum { BEHIND_PROTOCOL = 4 };

/* A port is as it is in packets, behind the number of its protocol where both have ports. */
static struct ruleset_value port_key(const struct walk *walk, const struct conf_port *port)
{
	const struct ruleset_value wire = build_port(port->range.first);
	uint8_t key[BEHIND_PROTOCOL * 2] = { compile_protocols[walk->protocol].number };

	if (!is_of_both(walk->distribution))
		return wire;
	memcpy(key + BEHIND_PROTOCOL, wire.bytes, wire.length);
	return build_value(key, sizeof(key));
}

/* --- as they were before ---------------------------------------------------------- */

static bool is_port(const uint8_t *bytes, uint16_t port)
{
	return bytes[0] == port >> 8 && bytes[1] == (port & 0xff);
}

/* Without making a key: there may be thousands to ask. */
static bool same_port(const struct ruleset_element *element, const struct walk *walk,
	const struct conf_port *port)
{
	const uint8_t *key = element->key.bytes;

	if (is_of_both(walk->distribution)) {
		if (key[0] != compile_protocols[walk->protocol].number)
			return false;
		key += BEHIND_PROTOCOL;
	}
	return is_port(key, port->range.first) &&
	       is_port(element->extra->last.bytes, port->range.last) &&
	       strcmp(element->extra->comment, port->service->name) == 0;
}

static bool same_ports(const struct compiler *c, const struct ruleset_shared *shared,
	const struct plan_distribution *distribution)
{
	struct walk walk = { .distribution = distribution };
	const struct conf_port *port;
	size_t n = 0;

	if ((shared->elements->extra->counter.of != NULL) != c->plan->counters)
		return false;
	if (shared->made_of == distribution->ports)
		return true;
	for (; (port = walk_next(&walk)); n++)
		if (n == shared->n_elements || !same_port(&shared->elements[n], &walk, port))
			return false;
	return n == shared->n_elements;
}

/* As long as the configuration stays, its lists do, and are known by their address. */
static void note_list(struct ruleset_shared *shared, struct conf_ports *ports)
{
	if (shared->made_of == ports)
		return;
	conf_ports_unref(shared->made_of);
	shared->made_of = conf_ports_ref(ports);
}

/* NULL if the ruleset before had no such set, or another one. */
static struct ruleset_shared *find_ports(
	struct compiler *c, const char *name, const struct plan_distribution *distribution)
{
	const struct ruleset_table *table = NULL;
	const struct ruleset_set *set = NULL;

	if (c->last)
		table = ruleset_find_table(c->last, c->build.table);
	if (table)
		set = ruleset_find_set(table, name);
	if (!set || !set->shared || !same_ports(c, set->shared, distribution))
		return NULL;
	return ruleset_shared_ref(set->shared);
}

/* --- anew --------------------------------------------------------------------------- */

/* Each element counts what goes to its service. */
static int add_port(struct compiler *c, struct ruleset_shared *shared, const struct walk *walk,
	const struct conf_port *port)
{
	struct ruleset_element *element = &shared->elements[shared->n_elements];
	struct arena *arena = &shared->arena;

	element->extra = arena_alloc(arena, sizeof(*element->extra));
	if (!element->extra)
		return -ENOMEM;
	element->key = port_key(walk, port);
	element->extra->last = build_port(port->range.last);
	element->extra->comment = arena_copy(arena, port->service->name);
	if (!element->extra->comment)
		return -ENOMEM;
	shared->n_elements++;
	if (!c->plan->counters)
		return 0;
	element->extra->counter.of = compile_counted(c, arena, "service", port->service->name);
	return element->extra->counter.of ? 0 : -ENOMEM;
}

static struct ruleset_shared *make_ports(
	struct compiler *c, const struct plan_distribution *distribution)
{
	size_t n = distribution->ports->n * (is_of_both(distribution) ? N_PROTOCOLS : 1);
	_cleanup_(ruleset_shared_unref_p) struct ruleset_shared *shared = ruleset_shared_new(n);
	struct walk walk = { .distribution = distribution };
	const struct conf_port *port;

	while (shared && (port = walk_next(&walk)))
		if (add_port(c, shared, &walk, port) < 0)
			return NULL;
	return take_ptr(shared);
}

/* --- sets ----------------------------------------------------------------------------- */

/* The first view of the group to ask for them has them looked up or made. */
static struct ruleset_shared *get_ports(
	struct compiler *c, const char *name, const struct plan_distribution *distribution)
{
	struct ruleset_shared **ports = &c->ports[distribution - c->group->distributions];

	if (!*ports)
		*ports = find_ports(c, name, distribution);
	if (!*ports)
		*ports = make_ports(c, distribution);
	if (*ports)
		note_list(*ports, distribution->ports);
	else
		c->build.failed = true;
	return *ports;
}

const char *compile_ports(struct compiler *c, const struct plan_distribution *distribution)
{
	const char *name = compile_distribution_name(c, c->view->ports, distribution);
	const struct ruleset_set *known = compile_find_set(c, name);
	struct ruleset_shared *ports;
	struct ruleset_set *set;

	if (known)
		return known->name;
	set = build_set(&c->build, name, compile_distribution_origin(c, distribution));
	ports = get_ports(c, name, distribution);
	if (!ports || set == &c->build.scratch_set)
		return set->name;
	set->key = is_of_both(distribution) ? c->view->protocol_port_key : c->view->port_key;
	set->counter = c->plan->counters && !c->view->is_error;
	set->interval = distribution->ports->has_ranges;
	set->shared = ruleset_shared_ref(ports);
	set->elements = ports->elements;
	set->n_elements = ports->n_elements;
	set->ordered = true;
	if (!set->interval)
		set->size = build_size(set->n_elements);
	return set->name;
}
