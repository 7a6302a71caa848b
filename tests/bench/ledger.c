/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a flow costs in the ledger: bytes, and nanoseconds for each operation.
 *
 *     bench-ledger [--json] [FLOWS]        a million of them by default
 *
 * The longest single addition tells how long a daemon stands still when the set grows. Looking up
 * happens in another order than adding, so nothing is in the processor's caches.
 */
#include "drover/ledger.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct cost {
	const char *family;
	size_t flows;
	double bytes;                                                 /* of one flow */
	double add, again, has, miss, iterate, mark, replace, remove; /* nanoseconds of one flow */
	double longest_add;                                           /* milliseconds */
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* An odd factor makes another order of all numbers below 2^32, none of them twice. */
static struct flow flow_at(int family, uint32_t i)
{
	uint32_t mixed = i * UINT32_C(2654435761);
	struct flow flow = {
		.protocol = IPPROTO_TCP,
		.client_port = (uint16_t)mixed,
		.vip_port = 443,
		.client = { .family = family, .bytes = { 10, 0 } },
		.vip = { .family = family, .bytes = { 192, 0, 2, 100 } },
	};

	flow.client.bytes[2] = (uint8_t)(mixed >> 24);
	flow.client.bytes[3] = (uint8_t)(mixed >> 16);
	if (family == AF_INET6)
		flow.client.bytes[15] = 7;
	return flow;
}

static double add_all(struct flow_set *set, int family, uint32_t n, double *ret_longest)
{
	double begin = now_ns(), last = begin, longest = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct flow flow = flow_at(family, i);
		double now;

		if (flow_set_add(set, &flow) < 0)
			abort();
		now = now_ns();
		longest = now - last > longest ? now - last : longest;
		last = now;
	}
	*ret_longest = longest;
	return last - begin;
}

/* The flows [first, first + n) in an order of their own; each must be there, or none. */
static double look_up_all(
	const struct flow_set *set, int family, uint32_t first, uint32_t n, bool expected)
{
	double begin = now_ns();
	uint32_t at = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct flow flow = flow_at(family, first + at);

		if (flow_set_has(set, &flow) != expected)
			abort();
		at = (at + 611953) % n; /* a prime */
	}
	return now_ns() - begin;
}

static double walk(const struct flow_set *set, size_t n)
{
	double begin = now_ns();
	size_t cursor = 0, met = 0;
	struct flow flow;

	while (flow_set_next(set, &cursor, &flow))
		met++;
	if (met != n)
		abort();
	return now_ns() - begin;
}

/* One goes and another comes: the life of a busy host. */
static double replace_all(struct flow_set *set, int family, uint32_t n)
{
	double begin = now_ns();

	for (uint32_t i = 0; i < n; i++) {
		struct flow old = flow_at(family, i), new = flow_at(family, n + i);

		if (!flow_set_remove(set, &old) || flow_set_add(set, &new) != 1)
			abort();
	}
	return now_ns() - begin;
}

static double remove_all(struct flow_set *set, int family, uint32_t first, uint32_t n)
{
	double begin = now_ns();

	for (uint32_t i = 0; i < n; i++) {
		struct flow flow = flow_at(family, first + i);

		if (!flow_set_remove(set, &flow))
			abort();
	}
	return now_ns() - begin;
}

static double mark(struct flow_set *set)
{
	double begin = now_ns();

	flow_set_mark_stale(set);
	return now_ns() - begin;
}

static struct cost measure(int family, uint32_t n)
{
	_cleanup_(ledger_free_p) struct ledger *ledger = ledger_new(n);
	struct flow_set *set = ledger ? ledger_open(ledger, "fe5") : NULL;
	struct cost cost = { .family = family == AF_INET ? "IPv4" : "IPv6", .flows = n };
	double ignored;

	if (!set)
		abort();
	cost.add = add_all(set, family, n, &cost.longest_add) / n;
	cost.longest_add /= 1e6;
	cost.bytes = (double)ledger_memory(ledger) / n;
	cost.has = look_up_all(set, family, 0, n, true) / n;
	cost.miss = look_up_all(set, family, n, n, false) / n;
	cost.iterate = walk(set, n) / n;
	cost.mark = mark(set) / n;
	cost.again = add_all(set, family, n, &ignored) / n;
	cost.replace = replace_all(set, family, n) / n;
	cost.remove = remove_all(set, family, n, n) / n;
	return cost;
}

static void print_table(const struct cost *costs, size_t n)
{
	printf("%-6s %8s %10s  %s\n", "family", "flows", "bytes/flow",
		"    add   again     has    miss    walk    mark replace  remove ns  longest add "
		"ms");
	for (size_t i = 0; i < n; i++) {
		const struct cost *c = &costs[i];

		printf("%-6s %8zu %10.1f %8.0f%8.0f%8.0f%8.0f%8.0f%8.0f%8.0f%8.0f %18.1f\n",
			c->family, c->flows, c->bytes, c->add, c->again, c->has, c->miss,
			c->iterate, c->mark, c->replace, c->remove, c->longest_add);
	}
}

static void print_json(const struct cost *costs, size_t n)
{
	printf("[");
	for (size_t i = 0; i < n; i++) {
		const struct cost *c = &costs[i];

		printf("%s\n {\"family\": \"%s\", \"flows\": %zu, \"bytes\": %.2f, \"add_ns\": "
		       "%.1f, "
		       "\"again_ns\": %.1f, \"has_ns\": %.1f, \"miss_ns\": %.1f, \"walk_ns\": "
		       "%.1f, "
		       "\"mark_ns\": %.1f, \"replace_ns\": %.1f, \"remove_ns\": %.1f, "
		       "\"longest_add_ms\": %.2f}",
			i ? "," : "", c->family, c->flows, c->bytes, c->add, c->again, c->has,
			c->miss, c->iterate, c->mark, c->replace, c->remove, c->longest_add);
	}
	printf("\n]\n");
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	unsigned long n = argc > 1 + json ? strtoul(argv[1 + json], NULL, 10) : 1000000;
	struct cost costs[2];

	if (n < 1 || n > 100000000) {
		fprintf(stderr, "usage: bench-ledger [--json] [FLOWS]\n");
		return 2;
	}
	costs[0] = measure(AF_INET, (uint32_t)n);
	costs[1] = measure(AF_INET6, (uint32_t)n);
	(json ? print_json : print_table)(costs, ARRAY_SIZE(costs));
	return 0;
}
