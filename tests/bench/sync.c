/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to tell another node of flows, over the real socket, from one network namespace to
 * another on this machine.
 *
 *     bench-sync [LIVE] [RATE] [SECONDS] [SNAPSHOT]       100000 10000 10 1000000
 *
 * LIVE flows, of which RATE end and as many begin each second; the lag is from the moment when the
 * teller was told of a flow to the moment when the listener has it. Then a listener that knows
 * nothing gets a snapshot of SNAPSHOT flows. Both have one clock, which the protocol does not know.
 */
#include "drover/sync_socket.h"

#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum {
	PORT = 8848,
	FLOWS_MAX = 1 << 22,
	LAGS_MAX = 10 * 1000, /* the histogram's, in tenths of a millisecond */
};

/* What the two processes share. */
struct shared {
	_Atomic bool done;                   /* no more flows come */
	_Atomic uint64_t told_us[FLOWS_MAX]; /* by number of the flow */
	_Atomic uint64_t lags[LAGS_MAX];
	uint64_t lag_max_us;
	double listener_cpu;
	size_t listener_memory, listener_rss, n_known;
	uint64_t n_lost, n_snapshots, complete_ms;
};

struct node {
	struct shared *shared;
	const char *name, *other;
	struct address other_address;
	struct ledger *ledger;
	struct sync_socket *socket;
	struct sync *sync;
	uint64_t next;
	uint64_t n_packets, n_bytes;
};

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t rss_kb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (size_t)usage.ru_maxrss;
}

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench-sync: %s\n", what);
	exit(1);
}

static void run(const char *command)
{
	check(system(command) == 0, command);
}

/* --- flows, by number ------------------------------------------------------- */

static struct flow flow_at(uint32_t i)
{
	struct flow flow = {
		.protocol = IPPROTO_TCP,
		.client_port = (uint16_t)i,
		.vip_port = 443,
		.client = { .family = AF_INET, .bytes = { 10, 0, 0, (uint8_t)(i >> 16) } },
		.vip = { .family = AF_INET, .bytes = { 192, 0, 2, 100 } },
	};

	return flow;
}

static uint32_t number_of(const struct flow *flow)
{
	return (uint32_t)flow->client.bytes[3] << 16 | flow->client_port;
}

/* --- a node ----------------------------------------------------------------- */

static void on_send(const struct endpoint *to, const void *packet, size_t size, void *user_data)
{
	struct node *node = user_data;

	(void)sync_socket_send(node->socket, to, packet, size);
	node->n_packets++;
	node->n_bytes += size;
}

static void on_flow(const char *owner, const struct flow *flow, bool began, void *user_data)
{
	struct node *node = user_data;
	struct shared *shared = node->shared;
	uint64_t told = shared->told_us[number_of(flow)], lag;

	(void)owner;
	if (!began || told == 0)
		return;
	lag = now_us() - told;
	shared->lags[lag / 100 < LAGS_MAX ? lag / 100 : LAGS_MAX - 1]++;
	if (lag > shared->lag_max_us)
		shared->lag_max_us = lag;
}

static bool knows(const char *name, void *user_data)
{
	(void)name;
	(void)user_data;
	return true;
}

static const char *name_of(const struct address *address, void *user_data)
{
	const struct node *node = user_data;

	return address_equal(address, &node->other_address) ? node->other : NULL;
}

static void node_open(struct node *node, struct shared *shared, bool first)
{
	static const struct sync_keys keys = { .n = 1, .bytes = { { 1 } } };
	const struct address addresses[] = {
		{ .family = AF_INET, .bytes = { 192, 0, 2, 1 } },
		{ .family = AF_INET, .bytes = { 192, 0, 2, 2 } },
	};
	const struct sync_socket_setup setup = {
		.interface = first ? "bench0" : "bench1",
		.own = addresses[!first],
		.peers = &addresses[first],
		.n_peers = 1,
		.port = PORT,
	};
	struct sync_setup sync_setup = {
		.keys = &keys,
		.knows = knows,
		.name_of = name_of,
		.ops = { .send = on_send, .flow_changed = on_flow, .user_data = node },
	};

	*node = (struct node){ .shared = shared, .other_address = addresses[first] };
	node->name = sync_setup.node = first ? "teller" : "listener";
	node->other = first ? "listener" : "teller";
	node->ledger = sync_setup.ledger = ledger_new(FLOWS_MAX);
	check(node->ledger && ledger_open(node->ledger, node->name), "no memory");
	check(sync_socket_open(&setup, &node->socket) == 0, "no socket");
	check(sync_new(&sync_setup, now_ms(), &node->sync) == 0, "no sync");
}

static void node_close(struct node *node)
{
	sync_free(node->sync);
	sync_socket_close(node->socket);
	ledger_free(node->ledger);
}

/* Waits for packets until it is time, or for the next tick; does both. */
static void node_step(struct node *node, uint64_t until_ms)
{
	struct pollfd poll_fd = { .fd = sync_socket_fd(node->socket), .events = POLLIN };
	uint64_t now = now_ms(), at = node->next < until_ms ? node->next : until_ms;
	uint8_t packet[SYNC_PACKET_MAX];
	struct endpoint from;
	ssize_t size;

	if (poll(&poll_fd, 1, at > now ? (int)(at - now) : 0) > 0)
		for (int i = 0; i < 64; i++) {
			size = sync_socket_receive(node->socket, &from, packet, sizeof(packet));
			if (size < 0)
				break;
			sync_receive(node->sync, &from, packet, (size_t)size, now_ms());
		}
	node->next = sync_tick(node->sync, now_ms());
}

static enum sync_peer_state state_of_other(const struct node *node)
{
	const struct sync_peer *peer = sync_peer_at(node->sync, 0);

	return peer ? peer->state : SYNC_PEER_ABSENT;
}

static void wait_for_other(struct node *node, enum sync_peer_state state)
{
	while (state_of_other(node) != state)
		node_step(node, now_ms() + 10);
}

/* --- the listener ----------------------------------------------------------- */

static void listen_to_teller(struct shared *shared)
{
	uint64_t began = now_ms(), ended;
	double cpu = cpu_seconds();
	struct node node;

	node_open(&node, shared, false);
	sync_set_complete(node.sync, true, now_ms());
	wait_for_other(&node, SYNC_PEER_COMPLETE);
	shared->complete_ms = now_ms() - began;
	while (!shared->done)
		node_step(&node, now_ms() + 10);
	for (ended = now_ms() + 1000; now_ms() < ended;)
		node_step(&node, ended);
	check(state_of_other(&node) == SYNC_PEER_COMPLETE, "the listener does not know all");
	shared->n_known = flow_set_count(ledger_find(node.ledger, "teller"));
	shared->listener_cpu = cpu_seconds() - cpu;
	shared->listener_memory = ledger_memory(node.ledger);
	shared->listener_rss = rss_kb();
	shared->n_lost = sync_peer_at(node.sync, 0)->n_lost;
	shared->n_snapshots = sync_peer_at(node.sync, 0)->n_snapshots;
	node_close(&node);
}

/* Waits in its namespace for each byte, and listens once for it. */
static pid_t start_listener(struct shared *shared, int *ret_go, int *ret_ready)
{
	int go[2], ready[2];
	char byte;
	pid_t pid;

	check(pipe(go) == 0 && pipe(ready) == 0, "no pipe");
	pid = fork();
	check(pid >= 0, "no process");
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		check(unshare(CLONE_NEWNET) == 0 && write(ready[1], "", 1) == 1, "no namespace");
		while (read(go[0], &byte, 1) == 1) {
			listen_to_teller(shared);
			check(write(ready[1], "", 1) == 1, "no pipe");
		}
		_exit(0);
	}
	*ret_go = go[1];
	*ret_ready = ready[0];
	check(read(ready[0], &byte, 1) == 1, "no listener");
	return pid;
}

static void make_link(pid_t listener)
{
	char command[300];

	snprintf(command, sizeof(command),
		"ip link add bench0 type veth peer name bench1 netns %d && "
		"ip address add 192.0.2.1/24 dev bench0 && ip link set bench0 up && "
		"nsenter -t %d -n sh -c "
		"'ip address add 192.0.2.2/24 dev bench1 && ip link set bench1 up'",
		(int)listener, (int)listener);
	run(command);
}

/* --- the teller ------------------------------------------------------------- */

static void change(struct node *node, uint32_t i, bool began)
{
	struct flow_set *own = ledger_find(node->ledger, node->name);
	struct flow flow = flow_at(i);

	node->shared->told_us[i] = began ? now_us() : 0;
	if (began)
		check(flow_set_add(own, &flow) == 1, "a flow is there already");
	else
		check(flow_set_remove(own, &flow), "a flow is not there");
	sync_flow_changed(node->sync, &flow, began, now_ms());
}

static void fill(struct node *node, uint32_t n)
{
	struct flow_set *own = ledger_find(node->ledger, node->name);

	for (uint32_t i = 0; i < n; i++) {
		struct flow flow = flow_at(i);

		check(flow_set_add(own, &flow) == 1, "no room");
	}
	sync_set_complete(node->sync, true, now_ms());
}

/* Every millisecond its share of flows begins, and as many of the oldest end. */
static void churn(struct node *node, uint32_t live, uint32_t rate, uint32_t seconds)
{
	uint64_t began = now_us(), wanted, done = 0, end = (uint64_t)rate * seconds;

	while (done < end) {
		wanted = (now_us() - began) * rate / 1000000;
		for (; done < wanted && done < end; done++) {
			change(node, (uint32_t)((live + done) % FLOWS_MAX), true);
			change(node, (uint32_t)(done % FLOWS_MAX), false);
		}
		node_step(node, now_ms() + 1);
	}
}

static double lag_ms(const struct shared *shared, double part)
{
	uint64_t n = 0, sum = 0;

	for (size_t i = 0; i < LAGS_MAX; i++)
		n += shared->lags[i];
	for (size_t i = 0; i < LAGS_MAX; i++) {
		sum += shared->lags[i];
		if ((double)sum >= part * (double)n)
			return ((double)i + 1) / 10;
	}
	return 0;
}

static void tell_news(
	struct shared *shared, int go, int ready, uint32_t live, uint32_t rate, uint32_t seconds)
{
	struct node node;
	double cpu;
	char byte;

	shared->done = false;
	node_open(&node, shared, true);
	fill(&node, live);
	check(write(go, "", 1) == 1, "no listener");
	wait_for_other(&node, SYNC_PEER_COMPLETE);
	while (shared->complete_ms == 0)
		node_step(&node, now_ms() + 10);
	node.n_packets = node.n_bytes = 0;
	cpu = cpu_seconds();
	churn(&node, live, rate, seconds);
	cpu = cpu_seconds() - cpu;
	printf("%u live flows, %u begin and %u end a second, %u s\n", live, rate, rate, seconds);
	printf("  teller     %8.0f packets/s %10.0f bytes/s  CPU %5.1f %%  %zu KiB\n",
		(double)node.n_packets / seconds, (double)node.n_bytes / seconds,
		cpu * 100 / seconds, rss_kb());
	shared->done = true;
	while (poll(&(struct pollfd){ .fd = ready, .events = POLLIN }, 1, 0) == 0)
		node_step(&node, now_ms() + 10);
	check(read(ready, &byte, 1) == 1, "no listener");
	check(shared->n_known == live, "the listener knows another number of flows");
	printf("  listener   CPU %5.1f %%  %zu KiB, its ledger %zu KiB\n",
		shared->listener_cpu * 100 / seconds, shared->listener_rss,
		shared->listener_memory / 1024);
	printf("  lag        p50 %.1f ms  p99 %.1f ms  max %.1f ms\n", lag_ms(shared, 0.5),
		lag_ms(shared, 0.99), (double)shared->lag_max_us / 1000);
	printf("  packets asked for again %ju, snapshots %ju\n", (uintmax_t)shared->n_lost,
		(uintmax_t)shared->n_snapshots);
	node_close(&node);
}

static void tell_snapshot(struct shared *shared, int go, int ready, uint32_t n)
{
	struct node node;
	char byte;

	memset(shared, 0, sizeof(*shared));
	node_open(&node, shared, true);
	fill(&node, n);
	check(write(go, "", 1) == 1, "no listener");
	while (shared->complete_ms == 0)
		node_step(&node, now_ms() + 10);
	shared->done = true;
	while (poll(&(struct pollfd){ .fd = ready, .events = POLLIN }, 1, 0) == 0)
		node_step(&node, now_ms() + 10);
	check(read(ready, &byte, 1) == 1, "no listener");
	check(shared->n_known == n, "the listener knows another number of flows");
	printf("snapshot of %u flows\n", n);
	printf("  %ju ms from the listener's start, its CPU %.2f s, its ledger %zu KiB, "
	       "packets asked for again %ju\n",
		(uintmax_t)shared->complete_ms, shared->listener_cpu,
		shared->listener_memory / 1024, (uintmax_t)shared->n_lost);
	node_close(&node);
}

static uint32_t argument(int argc, char **argv, int i, uint32_t otherwise)
{
	return i < argc ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t live = argument(argc, argv, 1, 100000), rate = argument(argc, argv, 2, 10000);
	uint32_t seconds = argument(argc, argv, 3, 10), n = argument(argc, argv, 4, 1000000);
	int go, ready;
	pid_t listener;

	check(shared != MAP_FAILED, "no memory");
	check(live + rate < FLOWS_MAX && n < FLOWS_MAX, "too many flows");
	check(unshare(CLONE_NEWNET) == 0, "must run as root: it makes network namespaces");
	listener = start_listener(shared, &go, &ready);
	make_link(listener);
	tell_news(shared, go, ready, live, rate, seconds);
	tell_snapshot(shared, go, ready, n);
	close(go);
	waitpid(listener, NULL, 0);
	return 0;
}
