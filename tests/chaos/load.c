/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps flows to echo servers busy, and tells what becomes of them:
 *
 *     load [KEY=MILLISECONDS...] NAME,PROTOCOL,ADDRESS,PORT,COUNT[,FIRST-PORT]...
 *
 * Each argument with commas is a target: COUNT flows of tcp or udp, those of UDP from FIRST-PORT
 * on, each from a port of its own. With PROTOCOL probe, COUNT is how many connections are opened in
 * a second while probing, each for one question. The keys are pause, retry, patience, life (see
 * struct flow_pace).
 *
 * Each line of input is answered with a line of JSON: what is, and has happened since the last
 * mark. The first two answers have the lists of flows that broke and of probes as well.
 *
 *     report
 *     mark          a new one
 *     sums
 *     round         begins the rounds: a flow is settled after two more answers, or when it is
 *                   clear that there are none
 *     dead MEMBER   its flows end, and are no loss
 *     probe 0|1     ends or begins probing
 *
 * The end of input ends the program. Times in reports are seconds of CLOCK_MONOTONIC.
 */
#include "flow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 5,
	EVENTS = 256,
	TARGETS_MAX = 16,
	OPENED_IN_A_TICK = 20, /* so that a start is no flood */
	PROBES_MAX = 1024,     /* at the same time */
};

#define SECONDS(ns) ((double)(ns) / 1e9)

struct group {
	struct flow_target target;
	struct flow *flows;
	unsigned int n;
	uint64_t interval; /* between probes; 0: these flows are kept */
	uint64_t next;     /* probe */
};

struct load {
	struct flow_context context;
	struct group groups[TARGETS_MAX];
	unsigned int n_groups;
	bool probing;
	uint64_t rounds_since;

	/* since the mark */
	uint64_t longest; /* from a question to its answer */
	uint64_t ended, unopened;
	json_t *broken, *probes;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* --- what flows tell --- */

static const char *member_or_null(const struct flow *flow)
{
	return flow->member[0] ? flow->member : NULL;
}

static unsigned int local_port(const struct flow *flow)
{
	struct sockaddr_in6 address = { 0 }; /* the port is where that of IPv4 is */
	socklen_t length = sizeof(address);

	if (flow->fd < 0 || getsockname(flow->fd, (struct sockaddr *)&address, &length) < 0)
		return 0;
	return ntohs(address.sin6_port);
}

static void note_probe(struct load *load, const struct flow *flow, json_t *took)
{
	json_array_append_new(load->probes, json_pack("{s:f, s:o, s:s?}", "at", SECONDS(flow->born),
						    "took", took, "member", member_or_null(flow)));
}

static void flow_broken(const struct flow *flow, enum flow_break why, int error, void *user_data)
{
	struct load *load = user_data;

	if (flow->target->once) {
		note_probe(load, flow, json_null());
		return;
	}
	if (why == FLOW_UNOPENED) {
		load->unopened++;
		return;
	}
	json_array_append_new(load->broken,
		json_pack("{s:s, s:b, s:i, s:s?, s:s, s:s?, s:f, s:f}", "target",
			flow->target->name, "tcp", flow->target->tcp, "port", local_port(flow),
			"member", member_or_null(flow), "why", flow_break_name(why), "error",
			error ? strerrorname_np(error) : NULL, "at", SECONDS(load->context.now),
			"age", SECONDS(load->context.now - flow->born)));
}

static void flow_answered(const struct flow *flow, uint64_t took, void *user_data)
{
	struct load *load = user_data;

	if (flow->target->once)
		note_probe(load, flow, json_real(SECONDS(load->context.now - flow->born)));
	else if (took > load->longest)
		load->longest = took;
}

static void flow_ended(const struct flow *flow, void *user_data)
{
	struct load *load = user_data;

	if (!flow->target->once)
		load->ended++;
}

/* --- reports --- */

static bool is_settled(const struct load *load, const struct flow *flow)
{
	if (flow->given_up)
		return true;
	if (flow->state == FLOW_CLOSED || !flow->answers)
		return false;
	return flow->born >= load->rounds_since || flow->rounds >= 2;
}

struct sums {
	unsigned int tcp, udp, unsettled, probing;
	uint64_t longest;
	json_t *members;
};

static void add_flow(const struct load *load, const struct flow *flow, struct sums *sums)
{
	uint64_t waited = flow_waited(flow, load->context.now);
	json_t *count;

	if (flow->target->once) {
		sums->probing += flow->state != FLOW_CLOSED;
		return;
	}
	if (waited > sums->longest)
		sums->longest = waited;
	if (!is_settled(load, flow))
		sums->unsettled++;
	if (!flow->member[0])
		return;
	*(flow->target->tcp ? &sums->tcp : &sums->udp) += 1;
	count = json_object_get(sums->members, flow->member);
	json_object_set_new(
		sums->members, flow->member, json_integer(1 + json_integer_value(count)));
}

/* The lists grow long, and are only told whole when asked for. */
static void report(const struct load *load, bool with_lists)
{
	struct sums sums = { .longest = load->longest, .members = json_object() };
	json_t *line;

	for (unsigned int i = 0; i < load->n_groups; i++) {
		const struct group *group = &load->groups[i];

		for (unsigned int j = 0; j < group->n; j++)
			add_flow(load, &group->flows[j], &sums);
	}
	line = json_pack("{s:f, s:i, s:i, s:i, s:i, s:f, s:I, s:I, s:o}", "now",
		SECONDS(load->context.now), "tcp", sums.tcp, "udp", sums.udp, "unsettled",
		sums.unsettled, "probing", sums.probing, "longest", SECONDS(sums.longest), "ended",
		(json_int_t)load->ended, "unopened", (json_int_t)load->unopened, "members",
		sums.members);
	if (with_lists) {
		json_object_set(line, "broken", load->broken);
		json_object_set(line, "probes", load->probes);
	}
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(line);
}

static void mark(struct load *load)
{
	load->longest = 0;
	load->ended = 0;
	load->unopened = 0;
	json_array_clear(load->broken);
	json_array_clear(load->probes);
}

/* --- commands --- */

static void for_each_flow(struct load *load,
	void (*act)(struct load *load, struct flow *flow, const char *word), const char *word)
{
	for (unsigned int i = 0; i < load->n_groups; i++)
		for (unsigned int j = 0; j < load->groups[i].n; j++)
			act(load, &load->groups[i].flows[j], word);
}

static void begin_round(struct load *load, struct flow *flow, const char *word)
{
	(void)word;
	flow->rounds = 0;
	flow->rounds_since = load->context.now;
}

static void bury(struct load *load, struct flow *flow, const char *member)
{
	if (strcmp(flow->member, member) == 0)
		flow_bury(&load->context, flow);
}

static void obey(struct load *load, char *line)
{
	const char *command = strtok(line, " \n");
	const char *word = strtok(NULL, " \n");
	bool with_lists;

	if (!command)
		return;
	with_lists = strcmp(command, "report") == 0 || strcmp(command, "mark") == 0;
	if (strcmp(command, "round") == 0) {
		load->rounds_since = load->context.now;
		for_each_flow(load, begin_round, NULL);
	} else if (strcmp(command, "dead") == 0 && word) {
		for_each_flow(load, bury, word);
	} else if (strcmp(command, "probe") == 0 && word) {
		load->probing = strcmp(word, "1") == 0;
	}
	report(load, with_lists);
	if (strcmp(command, "mark") == 0)
		mark(load);
}

/* --- the loop --- */

static unsigned int tick_kept(struct load *load, struct group *group, unsigned int may_open)
{
	for (unsigned int i = 0; i < group->n; i++) {
		struct flow *flow = &group->flows[i];

		if (flow->state != FLOW_CLOSED) {
			flow_tick(&load->context, flow);
		} else if (may_open && load->context.now >= flow->due) {
			may_open--;
			flow_tick(&load->context, flow);
		}
	}
	return may_open;
}

/* A probe that has ended is not opened again by itself, but when the next one is due. */
static void tick_probes(struct load *load, struct group *group)
{
	uint64_t now = load->context.now;

	for (unsigned int i = 0; i < group->n; i++) {
		struct flow *flow = &group->flows[i];

		if (flow->state != FLOW_CLOSED) {
			flow_tick(&load->context, flow);
		} else if (load->probing && now >= group->next) {
			group->next += group->interval;
			flow->due = now;
			flow_tick(&load->context, flow);
		}
	}
	if (group->next < now) /* there was no time, or no room: what was missed is not made up */
		group->next = now;
}

static void tick(struct load *load)
{
	unsigned int may_open = OPENED_IN_A_TICK;

	for (unsigned int i = 0; i < load->n_groups; i++) {
		struct group *group = &load->groups[i];

		if (group->interval)
			tick_probes(load, group);
		else
			may_open = tick_kept(load, group, may_open);
	}
}

static void run(struct load *load)
{
	struct epoll_event events[EVENTS], input = { .events = EPOLLIN, .data.ptr = NULL };
	char line[256];
	uint64_t next = now_ns();

	if (epoll_ctl(load->context.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0) {
		perror("load: standard input");
		exit(1);
	}
	for (;;) {
		int n = epoll_wait(load->context.epoll, events, EVENTS, TICK_MS);
		bool asked = false;

		load->context.now = now_ns();
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				flow_ready(&load->context, events[i].data.ptr);
			else
				asked = true;
		}
		if (load->context.now >= next) {
			tick(load);
			next = load->context.now + TICK_MS * NSEC_PER_MSEC;
		}
		if (asked && !fgets(line, sizeof(line), stdin))
			return;
		if (asked)
			obey(load, line);
	}
}

/* --- arguments --- */

static void fail(const char *argument)
{
	fprintf(stderr, "load: %s is not understood\n", argument);
	exit(2);
}

static void set_address(struct flow_target *target, const char *text, unsigned int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&target->address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&target->address;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		target->address_length = sizeof(*in);
	} else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		target->address_length = sizeof(*in6);
	} else {
		fail(text);
	}
}

static void add_group(struct load *load, char *argument)
{
	struct group *group = &load->groups[load->n_groups++];
	char *name = strtok(argument, ","), *protocol = strtok(NULL, ","),
	     *address = strtok(NULL, ","), *rest = strtok(NULL, "");
	unsigned int port, count, first_port = 0;

	if (!rest || sscanf(rest, "%u,%u,%u", &port, &count, &first_port) < 2 || !count)
		fail(argument);
	group->target.name = name;
	group->target.tcp = strcmp(protocol, "udp") != 0;
	group->target.once = strcmp(protocol, "probe") == 0;
	set_address(&group->target, address, port);
	if (group->target.once)
		group->interval = 1000 * NSEC_PER_MSEC / count;
	group->n = group->target.once ? PROBES_MAX : count;
	group->flows = calloc(group->n, sizeof(*group->flows));
	if (!group->flows)
		fail(argument);
	for (unsigned int i = 0; i < group->n; i++)
		flow_init(&group->flows[i], &group->target,
			first_port ? (uint16_t)(first_port + i) : 0, 0);
}

static void set_pace(struct flow_pace *pace, char *argument)
{
	const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
		{ "pause", &pace->pause },
		{ "retry", &pace->retry },
		{ "patience", &pace->patience },
		{ "life", &pace->life },
	};
	char *value = strchr(argument, '=');

	for (size_t i = 0; value && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strncmp(argument, keys[i].key, (size_t)(value - argument)) == 0) {
			*keys[i].value = strtoull(value + 1, NULL, 10) * NSEC_PER_MSEC;
			return;
		}
	}
	fail(argument);
}

static void allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static struct load load;

	load.context = (struct flow_context){
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.pace = {
			.pause = 750 * NSEC_PER_MSEC,
			.retry = 200 * NSEC_PER_MSEC,
			.patience = 20000 * NSEC_PER_MSEC,
			.life = 60000 * NSEC_PER_MSEC,
		},
		.ops = { flow_broken, flow_answered, flow_ended, &load },
	};
	load.broken = json_array();
	load.probes = json_array();
	for (int i = 1; i < argc; i++) {
		if (!strchr(argv[i], ','))
			set_pace(&load.context.pace, argv[i]);
		else if (load.n_groups < TARGETS_MAX)
			add_group(&load, argv[i]);
	}
	allow_files();
	setvbuf(stdin, NULL, _IONBF, 0);
	run(&load);
	return 0;
}
