/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a change takes from the cluster's state to the kernel's commit:
 * the first installation, one weight changed, one member lost, and nothing changed.
 * Run by tests/bench/commit, in a network namespace of its own.
 */
#include "drover/compile.h"
#include "drover/diff.h"
#include "drover/message.h"
#include "drover/nft.h"
#include "drover/plan.h"

#include <inttypes.h>
#include <net/if.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct size {
	unsigned int members;
	unsigned int services;
	unsigned int buckets;
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

/* Every fourth service is over half of the members, so that there are several bucket tables. */
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
		if (i % 4 == 3) {
			fprintf(file, " members=[");
			for (unsigned int m = 0; m < (size->members + 1) / 2; m++)
				fprintf(file, "%s\"m%u\"", m ? "," : "", m);
			fprintf(file, "];");
		}
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

static int apply(struct nft *nft, const struct cluster *cluster, struct ruleset **have,
	struct cost *ret_cost)
{
	const struct plan_what_if active = { .assume_active = true };
	_cleanup_(plan_free_p) struct plan *plan = NULL;
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	_cleanup_(free_p) char *refusal = NULL;
	struct ruleset *want = NULL;
	uint64_t cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID), begin = clock_us(CLOCK_MONOTONIC), now;
	int r;

	if (plan_build(cluster, &active, NULL, &plan) < 0)
		return -1;
	now = clock_us(CLOCK_MONOTONIC);
	ret_cost->plan = now - begin;
	begin = now;
	if (compile_plan(plan, &want) < 0 || message_sign_ruleset(want) < 0)
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

static void print_row(const struct size *size, const char *change, const struct cost *cost)
{
	printf("%7u %8u %7u  %-14s %9.2f %9.2f %9.2f %9.2f %9.2f %8zu %9.1f\n", size->members,
		size->services, size->buckets, change, (double)cost->plan / 1000,
		(double)cost->compile / 1000, (double)cost->diff / 1000,
		(double)cost->commit / 1000, (double)cost->cpu / 1000, cost->messages,
		(double)cost->bytes / 1024);
}

static int bench(struct nft *nft, const struct size *size)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = make_cluster(size);
	_cleanup_(ruleset_free_p) struct ruleset *have = NULL;
	struct ruleset *nothing = calloc(1, sizeof(*nothing));
	_cleanup_(batch_free_p) struct batch *removal = NULL;
	struct cost cost;
	int r;

	if (!cluster || nft_read(nft, &have) < 0)
		return -1;
	if (apply(nft, cluster, &have, &cost) < 0)
		return -1;
	print_row(size, "first install", &cost);
	(void)cluster_set_weight(cluster, "m1", 50);
	if (apply(nft, cluster, &have, &cost) < 0)
		return -1;
	print_row(size, "one weight", &cost);
	(void)cluster_disable(cluster, "m1");
	if (apply(nft, cluster, &have, &cost) < 0)
		return -1;
	print_row(size, "one member out", &cost);
	if (apply(nft, cluster, &have, &cost) < 0)
		return -1;
	print_row(size, "nothing", &cost);
	fflush(stdout);

	r = diff_build(have, nothing, &removal);
	if (r == 0)
		r = nft_commit(nft, removal, NULL);
	ruleset_free(nothing);
	return r < 0 ? -1 : 0;
}

int main(void)
{
	static const struct size sizes[] = {
		{ 4, 1, 4096 },
		{ 64, 1, 16384 },
		{ 64, 64, 16384 },
		{ 64, 1000, 16384 },
		{ 256, 64, 4096 },
		{ 256, 64, 65536 },
	};
	_cleanup_(nft_close_p) struct nft *nft = NULL;
	struct rusage usage;

	if (nft_open(&nft) < 0)
		return EXIT_FAILURE;
	printf("%7s %8s %7s  %-14s %9s %9s %9s %9s %9s %8s %9s\n", "members", "services", "buckets",
		"change", "plan ms", "compile", "diff", "commit", "CPU ms", "messages", "KiB");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (bench(nft, &sizes[i]) < 0)
			return EXIT_FAILURE;
	getrusage(RUSAGE_SELF, &usage);
	printf("most memory: %ld MiB\n", usage.ru_maxrss / 1024);
	return EXIT_SUCCESS;
}
