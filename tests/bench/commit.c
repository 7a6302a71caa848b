/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a change takes from the cluster's state to the kernel's commit, step by step.
 * Run by tests/bench/commit, in a network namespace of its own.
 */
#include "drover/compile.h"
#include "drover/diff.h"
#include "drover/heap.h"
#include "drover/message.h"
#include "drover/nft.h"
#include "drover/plan.h"

#include <inttypes.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

struct size {
	unsigned int members;
	unsigned int services;
	unsigned int buckets;
	unsigned int subsets; /* how many different ones some of the services are over */
};

/* The four steps from state to kernel, in microseconds; and the size of the batch. */
struct cost {
	uint64_t plan, compile, diff, commit, cpu;
	size_t messages, bytes;
};

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Half of the members, another half for each subset; m1 is in every other one. */
static void print_subset(FILE *file, const struct size *size, unsigned int subset)
{
	unsigned int n = (size->members + 1) / 2;

	fprintf(file, " members=[");
	for (unsigned int i = 0; i < n; i++)
		fprintf(file, "%s\"m%u\"", i ? "," : "",
			(i + subset % 2 * n + subset / 2) % size->members);
	fprintf(file, "];");
}

/* With subsets, every fourth service is over one of them. */
static char *make_conf(const struct size *size)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	fprintf(file, "node=\"m0\"; interface=\"eth0\"; buckets=%u;\n", size->buckets);
	fprintf(file, "groups=({name=\"A\"; vips=[\"10.200.0.1\"]; members=(\n");
	for (unsigned int i = 0; i < size->members; i++)
		fprintf(file,
			"%s{name=\"m%u\"; address=\"10.201.%u.%u\"; balancer=%s; "
			"mac=\"02:00:00:00:%02x:%02x\";}\n",
			i ? "," : "", i, i / 200, i % 200 + 1, i < 2 ? "true" : "false", i / 200,
			i % 200 + 1);
	fprintf(file, "); services=(\n");
	for (unsigned int i = 0; i < size->services; i++) {
		fprintf(file, "%s{name=\"s%u\"; protocol=\"%s\"; ports=\"%u\"; scheduler=\"%s\";",
			i ? "," : "", i, i % 2 ? "udp" : "tcp", 1000 + i,
			i % 3 == 2 ? "source" : "hash");
		if (size->subsets > 0 && i % 4 == 3)
			print_subset(file, size, i / 4 % size->subsets);
		fprintf(file, "}\n");
	}
	fprintf(file, ");});\n");
	if (fclose(file) != 0)
		return NULL;
	return text;
}

static struct cluster *make_cluster(const struct size *size)
{
	_cleanup_(free_p) char *text = make_conf(size);
	struct conf_errors errors = { .messages = NULL };
	struct cluster_link link = {
		.present = true,
		.running = true,
		.index = if_nametoindex("eth0"),
		.mac = { { 2, 0, 0, 0, 0, 1 } },
	};
	struct cluster *cluster;
	struct conf *conf;

	if (!text || conf_parse("bench.conf", text, &conf, &errors) < 0) {
		for (size_t i = 0; i < errors.n_messages; i++)
			fprintf(stderr, "%s\n", errors.messages[i]);
		return NULL;
	}
	cluster = cluster_new(conf);
	(void)cluster_set_link(cluster, &link);
	return cluster;
}

static int apply(struct nft *nft, const struct cluster *cluster, struct table_cache *tables,
	struct ruleset **have, struct cost *ret_cost)
{
	const struct plan_what_if active = { .assume_active = true };
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	_cleanup_(free_p) char *refusal = NULL;
	struct ruleset *want = NULL;
	uint64_t cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID), begin = clock_us(CLOCK_MONOTONIC), now;
	int r;

	if (plan_build(cluster, &active, tables, &plan) < 0)
		return -1;
	now = clock_us(CLOCK_MONOTONIC);
	ret_cost->plan = now - begin;
	begin = now;
	if (compile_plan(plan, *have, &want) < 0 || message_sign_ruleset(want) < 0)
		return -1;
	now = clock_us(CLOCK_MONOTONIC);
	ret_cost->compile = now - begin;
	begin = now;
	if (diff_build(*have, want, &batch) < 0)
		return -1;
	now = clock_us(CLOCK_MONOTONIC);
	ret_cost->diff = now - begin;
	begin = now;
	r = nft_commit(nft, batch, &refusal);
	if (r < 0) {
		fprintf(stderr, "%s\n", refusal ? refusal : strerror(-r));
		return -1;
	}
	ret_cost->commit = clock_us(CLOCK_MONOTONIC) - begin;
	ret_cost->cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	ret_cost->messages = batch_count(batch);
	ret_cost->bytes = batch_size(batch);
	ruleset_free(*have);
	*have = want;
	return 0;
}

static const char *const changes[] = { "first install", "one weight", "one member out",
	"and in again", "nothing" };

enum { FIRST_INSTALL, ONE_WEIGHT, ONE_OUT, IN_AGAIN, NOTHING, N_CHANGES };

static void prepare(struct cluster *cluster, size_t change)
{
	if (change == ONE_WEIGHT)
		(void)cluster_set_weight(cluster, "m1", 50);
	else if (change == ONE_OUT)
		(void)cluster_disable(cluster, "m1");
	else if (change == IN_AGAIN)
		(void)cluster_enable(cluster, "m1");
}

static int compare_costs(const void *a, const void *b)
{
	const struct cost *x = a, *y = b;

	return x->cpu < y->cpu ? -1 : x->cpu > y->cpu;
}

/* One line for a program to read: the round of median CPU time. */
static void print_median(const char *change, struct cost *costs, size_t n)
{
	const struct cost *cost = &costs[n / 2];

	qsort(costs, n, sizeof(*costs), compare_costs);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %zu %zu %s\n",
		cost->plan, cost->compile, cost->diff, cost->commit, cost->cpu, cost->messages,
		cost->bytes, change);
}

/* All changes once, from no tables to no tables. */
static int run_round(
	struct nft *nft, const struct size *size, struct cost *costs[N_CHANGES], size_t round)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = make_cluster(size);
	_cleanup_(table_cache_free_p) struct table_cache *tables = table_cache_new();
	_cleanup_(ruleset_free_p) struct ruleset *have = NULL;
	_cleanup_(ruleset_free_p) struct ruleset *nothing = calloc(1, sizeof(*nothing));
	_cleanup_(batch_free_p) struct batch *removal = NULL;

	if (!cluster || !nothing || nft_read(nft, &have) < 0)
		return -1;
	for (size_t change = 0; change < N_CHANGES; change++) {
		prepare(cluster, change);
		if (apply(nft, cluster, tables, &have, &costs[change][round]) < 0)
			return -1;
	}
	if (diff_build(have, nothing, &removal) < 0)
		return -1;
	return nft_commit(nft, removal, NULL) < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	_cleanup_(nft_close_p) struct nft *nft = NULL;
	struct cost *costs[N_CHANGES];
	struct size size;
	size_t rounds;

	if (argc != 6) {
		fprintf(stderr, "usage: bench-commit MEMBERS SERVICES BUCKETS SUBSETS ROUNDS\n");
		return EXIT_FAILURE;
	}
	size = (struct size){
		.members = (unsigned int)strtoul(argv[1], NULL, 10),
		.services = (unsigned int)strtoul(argv[2], NULL, 10),
		.buckets = (unsigned int)strtoul(argv[3], NULL, 10),
		.subsets = (unsigned int)strtoul(argv[4], NULL, 10),
	};
	rounds = strtoul(argv[5], NULL, 10);
	heap_keep();
	if (nft_open(&nft) < 0)
		return EXIT_FAILURE;
	for (size_t change = 0; change < N_CHANGES; change++) {
		costs[change] = calloc(rounds, sizeof(**costs));
		if (!costs[change])
			return EXIT_FAILURE;
	}
	for (size_t round = 0; round < rounds; round++)
		if (run_round(nft, &size, costs, round) < 0)
			return EXIT_FAILURE;
	for (size_t change = 0; change < N_CHANGES; change++) {
		print_median(changes[change], costs[change], rounds);
		free(costs[change]);
	}
	return EXIT_SUCCESS;
}
