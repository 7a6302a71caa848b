/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the tracker is behind the kernel: from conntrack's event to the callback.
 *
 *     bench-flows [--json] [FLOWS [RATE [SECONDS]]]       100000, 10000 a second, 10 by default
 *
 * In a network namespace of its own, another process makes entries by ctnetlink and leads each
 * through the states of a TCP connection, so that the kernel sends the events of real ones (but
 * for SYN_RECV). FLOWS of them live; RATE begin and as many end in each second. First under a
 * tracker that has seen all of them begin; then under one that was opened later, which has to
 * look after the older ones one by one. CPU is that of the tracker's process, system calls
 * included. The time of an event is taken before its request is sent.
 */
#include "drover/tracker.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

enum {
	TICKS = 100, /* a second */
	PORTS = 32768,
	FIRST_PORT = 1024,
	FIRST_CLIENT = 0x0a000000, /* 10.0.0.0 */
	VIP = 0xc0000264,          /* 192.0.2.100 */
	PATIENCE_MS = 20000,
	RUNS = 2,
	BATCH_SIZE = 32 * 1024,
};

struct size {
	unsigned int flows, rate, seconds;
};

/* When the request was sent that begins or ends a flow; shared by both processes. */
struct times {
	uint64_t begin, end;
};

struct lags {
	double median, p99, max; /* ms */
};

struct result {
	const char *name;
	double open_ms; /* until the first dump was read */
	double cpu;     /* percent of one */
	double pss_mib; /* with what the measurement has noted */
	size_t n_begun, n_ended, n_lost;
	uint64_t *begin_lags, *end_lags;
	struct lags begin, end;
	struct tracker_stats stats;
};

/* How many flows begin, and as many end, in one measurement. */
static size_t count_of(const struct size *size)
{
	return (size_t)(size->rate / TICKS) * TICKS * size->seconds;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- the process that makes entries ------------------------------------------------------ */

struct injector {
	struct mnl_socket *socket;
	struct times *times;
	int timer, control;
	char batch[BATCH_SIZE + 1024] __attribute__((aligned(8)));
	size_t size;
	unsigned int first, next; /* flows that live: [first, next) */
};

static void flush_batch(struct injector *in)
{
	if (in->size > 0 && mnl_socket_sendto(in->socket, in->batch, in->size) < 0)
		die("ctnetlink");
	in->size = 0;
}

static struct nf_conntrack *make_entry(unsigned int i, uint8_t tcp_state)
{
	struct nf_conntrack *ct = nfct_new();
	bool opening = tcp_state == TCP_CONNTRACK_SYN_RECV;

	if (!ct)
		die("nfct_new");
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_TCP);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, htonl(FIRST_CLIENT + i / PORTS));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, htonl(VIP));
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons((uint16_t)(FIRST_PORT + i % PORTS)));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(80));
	nfct_setobjopt(ct, NFCT_SOPT_SETUP_REPLY);
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 600);
	nfct_set_attr_u8(ct, ATTR_TCP_STATE, tcp_state);
	nfct_set_attr_u32(
		ct, ATTR_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY | (opening ? 0 : IPS_ASSURED));
	return ct;
}

static void put(struct injector *in, unsigned int i, uint16_t type, uint16_t flags, uint8_t state)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(in->batch + in->size);
	struct nf_conntrack *ct = make_entry(i, state);
	struct nfgenmsg *header;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	header->nfgen_family = AF_INET;
	if (nfct_nlmsg_build(message, ct) < 0)
		die("nfct_nlmsg_build");
	nfct_destroy(ct);
	in->size += message->nlmsg_len;
	if (in->size >= BATCH_SIZE)
		flush_batch(in);
}

static void begin_flow(struct injector *in)
{
	unsigned int i = in->next++;

	put(in, i, IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL, TCP_CONNTRACK_SYN_RECV);
	in->times[i].begin = now_us();
	put(in, i, IPCTNL_MSG_CT_NEW, 0, TCP_CONNTRACK_ESTABLISHED);
}

static void end_flow(struct injector *in)
{
	unsigned int i = in->first++;

	put(in, i, IPCTNL_MSG_CT_NEW, 0, TCP_CONNTRACK_FIN_WAIT);
	put(in, i, IPCTNL_MSG_CT_NEW, 0, TCP_CONNTRACK_LAST_ACK);
	in->times[i].end = now_us();
	put(in, i, IPCTNL_MSG_CT_NEW, 0, TCP_CONNTRACK_TIME_WAIT);
	put(in, i, IPCTNL_MSG_CT_DELETE, 0, TCP_CONNTRACK_TIME_WAIT);
}

static void next_tick(const struct injector *in)
{
	uint64_t n;

	if (read(in->timer, &n, sizeof(n)) != sizeof(n))
		die("timerfd");
}

/* Nothing was acknowledged, so whatever has come back is a refusal. */
static void check_refusals(const struct injector *in)
{
	char buffer[4096];
	ssize_t n = recv(mnl_socket_get_fd(in->socket), buffer, sizeof(buffer), MSG_DONTWAIT);

	if (n > 0) {
		fprintf(stderr, "bench-flows: the kernel has refused an entry\n");
		exit(1);
	}
}

/* Reads orders: 'f' fills, 'c' lets flows begin and end; a byte goes back when it is done. */
static void inject(struct injector *in, const struct size *size)
{
	const struct itimerspec tick = { .it_interval.tv_nsec = 1000000000 / TICKS,
		.it_value.tv_nsec = 1 };
	char order;

	in->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	in->socket = mnl_socket_open(NETLINK_NETFILTER);
	if (!in->socket || mnl_socket_bind(in->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		die("netlink");
	while (read(in->control, &order, 1) == 1) {
		unsigned int ticks = order == 'c' ? TICKS * size->seconds : 0;

		(void)timerfd_settime(in->timer, 0, &tick, NULL);
		for (; order == 'f' && in->next < size->flows; next_tick(in))
			for (unsigned int i = 0; i < 500 && in->next < size->flows; i++)
				begin_flow(in);
		for (; ticks > 0; ticks--) {
			next_tick(in);
			for (unsigned int i = 0; i < size->rate / TICKS; i++) {
				begin_flow(in);
				end_flow(in);
			}
			flush_batch(in);
		}
		flush_batch(in);
		check_refusals(in);
		if (write(in->control, &order, 1) != 1)
			die("write");
	}
	_exit(0);
}

/* --- the tracker's process --------------------------------------------------------------- */

struct bench {
	const struct size *size;
	struct times *times;
	struct flow_set *flows;
	struct tracker *tracker;
	int control;
	size_t n_begun, n_ended;
	bool measuring;
	struct result *result;
};

static bool wants(const struct flow *flow, void *user_data)
{
	(void)user_data;
	return flow->vip_port == 80;
}

static void changed(const struct flow *flow, bool began, void *user_data)
{
	struct bench *bench = user_data;
	struct result *result = bench->result;
	uint32_t client;
	unsigned int i;

	*(began ? &bench->n_begun : &bench->n_ended) += 1;
	if (!bench->measuring)
		return;
	memcpy(&client, flow->client.bytes, sizeof(client));
	i = (ntohl(client) - FIRST_CLIENT) * PORTS + flow->client_port - FIRST_PORT;
	if (began)
		result->begin_lags[result->n_begun++] = now_us() - bench->times[i].begin;
	else
		result->end_lags[result->n_ended++] = now_us() - bench->times[i].end;
}

static void complete(void *user_data)
{
	(void)user_data;
}

/* Dispatches until the injector has done what it was told, and all of it has been heard of. */
static void run_until(struct bench *bench, char order, size_t n_begun, size_t n_ended)
{
	struct pollfd fds[] = { { .fd = tracker_fd(bench->tracker), .events = POLLIN },
		{ .fd = bench->control, .events = POLLIN } };
	uint64_t until = UINT64_MAX;

	if (write(bench->control, &order, 1) != 1)
		die("write");
	while (until == UINT64_MAX || bench->n_begun < n_begun || bench->n_ended < n_ended) {
		if (poll(fds, ARRAY_SIZE(fds), 1000) < 0)
			die("poll");
		if (tracker_dispatch(bench->tracker) < 0)
			die("tracker_dispatch");
		if (fds[1].revents && until == UINT64_MAX) {
			if (read(bench->control, &order, 1) != 1)
				die("the process that makes entries");
			until = now_us() + PATIENCE_MS * 1000;
		}
		if (now_us() > until)
			break;
	}
}

static double open_tracker(struct bench *bench)
{
	const struct tracker_ops ops = {
		.wants = wants, .changed = changed, .complete = complete, .user_data = bench
	};
	uint64_t begin = now_us();

	if (tracker_open(bench->flows, &ops, &bench->tracker) < 0)
		die("tracker_open");
	while (!tracker_stats(bench->tracker).complete)
		if (tracker_dispatch(bench->tracker) < 0)
			die("tracker_dispatch");
	return (double)(now_us() - begin) / 1000;
}

static uint64_t cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static double pss_mib(void)
{
	_cleanup_(fclose_p) FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[128];
	double kib = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Pss: %lf", &kib) == 1)
			break;
	return kib / 1024;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct lags lags_of(uint64_t *lags, size_t n)
{
	if (n == 0)
		return (struct lags){ .max = -1 };
	qsort(lags, n, sizeof(*lags), compare);
	return (struct lags){ (double)lags[n / 2] / 1000, (double)lags[n * 99 / 100] / 1000,
		(double)lags[n - 1] / 1000 };
}

static void measure(struct bench *bench)
{
	struct result *result = bench->result;
	uint64_t cpu = cpu_us(), begin = now_us();
	size_t n = count_of(bench->size);

	bench->measuring = true;
	run_until(bench, 'c', bench->n_begun + n, bench->n_ended + n);
	bench->measuring = false;
	result->cpu = 100.0 * (double)(cpu_us() - cpu) / (double)(now_us() - begin);
	result->stats = tracker_stats(bench->tracker);
	result->pss_mib = pss_mib();
	result->begin = lags_of(result->begin_lags, result->n_begun);
	result->end = lags_of(result->end_lags, result->n_ended);
	result->n_lost = 2 * n - result->n_begun - result->n_ended;
}

/* --- results ----------------------------------------------------------------------------- */

static void print_table(const struct size *size, struct result *results)
{
	printf("%u flows live, %u begin and end each second, for %u s\n\n", size->flows, size->rate,
		size->seconds);
	printf("%-16s %9s %26s %26s\n", "the tracker", "", "begin is told after ms",
		"end is told after ms");
	printf("%-16s %9s %8s %8s %8s %8s %8s %8s %6s %6s %8s %8s %8s %10s\n", "has", "opened ms",
		"50 %", "99 %", "max", "50 %", "99 %", "max", "lost", "CPU %", "events", "overruns",
		"PSS MiB", "buffer MiB");
	for (size_t i = 0; i < RUNS; i++) {
		const struct result *r = &results[i];

		printf("%-16s %9.1f %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f %6zu %6.1f %8lu %8lu %8.1f "
		       "%10.0f\n",
			r->name, r->open_ms, r->begin.median, r->begin.p99, r->begin.max,
			r->end.median, r->end.p99, r->end.max, r->n_lost, r->cpu,
			(unsigned long)r->stats.n_events, (unsigned long)r->stats.n_overruns,
			r->pss_mib, (double)r->stats.receive_buffer / 1048576);
	}
}

static void print_json(const struct size *size, struct result *results)
{
	for (size_t i = 0; i < RUNS; i++) {
		const struct result *r = &results[i];

		printf("%s{\"flows\": %u, \"rate\": %u, \"tracker\": \"%s\", \"open_ms\": %.1f, "
		       "\"begin_ms\": [%.2f, %.2f, "
		       "%.2f], \"end_ms\": [%.2f, %.2f, %.2f], \"lost\": %zu, "
		       "\"cpu_percent\": %.1f, \"events\": %lu, \"overruns\": %lu, "
		       "\"pss_mib\": %.1f, \"receive_buffer\": %zu}",
			i ? ",\n " : "[", size->flows, size->rate, r->name, r->open_ms,
			r->begin.median, r->begin.p99, r->begin.max, r->end.median, r->end.p99,
			r->end.max, r->n_lost, r->cpu, (unsigned long)r->stats.n_events,
			(unsigned long)r->stats.n_overruns, r->pss_mib, r->stats.receive_buffer);
	}
	printf("]\n");
}

static void *map(size_t n, size_t size)
{
	void *memory = mmap(
		NULL, n * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("mmap");
	return memory;
}

/* The second tracker takes over a set that is known to be right. */
static void bench_both(struct bench *bench, struct result *results)
{
	results[0].name = "seen them begin";
	bench->result = &results[0];
	results[0].open_ms = open_tracker(bench);
	run_until(bench, 'f', bench->size->flows, 0);
	measure(bench);
	tracker_free(bench->tracker);
	results[1].name = "come later";
	bench->result = &results[1];
	flow_set_clear(bench->flows);
	results[1].open_ms = open_tracker(bench);
	measure(bench);
	tracker_free(bench->tracker);
}

static void make_room(struct bench *bench, struct result *results)
{
	size_t n = count_of(bench->size), room = bench->size->flows + n * RUNS;

	bench->times = map(room, sizeof(*bench->times));
	for (size_t i = 0; i < RUNS; i++) {
		results[i].begin_lags = map(room, sizeof(uint64_t));
		results[i].end_lags = map(room, sizeof(uint64_t));
	}
}

static pid_t start_injector(struct bench *bench)
{
	static struct injector injector;
	int control[2];
	pid_t pid;

	if (unshare(CLONE_NEWNET) < 0)
		die("bench-flows needs root: it makes a network namespace");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		close(control[0]);
		injector.times = bench->times;
		injector.control = control[1];
		inject(&injector, bench->size);
	}
	close(control[1]);
	bench->control = control[0];
	return pid;
}

int main(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	struct size size = { .flows = 100000, .rate = 10000, .seconds = 10 };
	unsigned int *numbers[] = { &size.flows, &size.rate, &size.seconds };
	struct result results[RUNS] = { { .name = NULL } };
	struct bench bench = { .size = &size };
	pid_t pid;

	for (int i = 1 + json; i < argc && i < 4 + json; i++)
		*numbers[i - 1 - json] = (unsigned int)strtoul(argv[i], NULL, 10);
	make_room(&bench, results);
	pid = start_injector(&bench);
	bench.flows = flow_set_new(10000000);
	bench_both(&bench, results);
	close(bench.control);
	waitpid(pid, NULL, 0);
	flow_set_free(bench.flows);
	(json ? print_json : print_table)(&size, results);
	return 0;
}
