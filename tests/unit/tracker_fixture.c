/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

enum { PATIENCE_MS = 30000, FENCE_PORT = 9 };

int try_shell(const char *command)
{
	return system(command);
}

/* --- the namespaces -------------------------------------------------------------------- */

static int new_namespace(void)
{
	int fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	shell("ip link set lo up");
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void enter(int namespace)
{
	assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

int make_member(void **state)
{
	struct member *m = calloc(1, sizeof(*m));
	char command[128];

	assert_non_null(m);
	*state = m;
	if (geteuid() != 0)
		fail_msg("must run as root: it makes network namespaces");
	m->client = new_namespace();
	m->own = new_namespace();
	snprintf(command, sizeof(command),
		"ip link add near0 type veth peer name far0 netns /proc/%d/fd/%d", getpid(),
		m->client);
	shell(command);
	shell("ip link set near0 up && ip address add " MEMBER "/24 dev near0"
	      " && ip address add 2001:db8::1/64 dev near0 nodad");
	shell("ip address add " VIP "/32 dev lo && ip address add " VIP_6 "/128 dev lo nodad");
	enter(m->client);
	shell("ip link set far0 up && ip address add " CLIENT "/24 dev far0"
	      " && ip address add " CLIENT_6 "/64 dev far0 nodad");
	shell("ip route add " VIP " via " MEMBER " && ip -6 route add " VIP_6 " via 2001:db8::1");
	enter(m->own);
	m->flows = flow_set_new(10000);
	assert_non_null(m->flows);
	return 0;
}

int drop_member(void **state)
{
	struct member *m = *state;

	tracker_free(m->tracker);
	flow_set_free(m->flows);
	close(m->own);
	close(m->client);
	free(m);
	return 0;
}

void track_connections(void)
{
	shell("nft 'table inet test { chain input { type filter hook input priority 0;"
	      " ct state new counter; }; }'");
}

/* --- the tracker ----------------------------------------------------------------------- */

static bool wants(const struct flow *flow, void *user_data)
{
	const struct member *m = user_data;
	char vip[ADDRESS_TEXT_MAX];

	address_format(&flow->vip, vip);
	return flow->vip_port != m->unwanted_port &&
	       (strcmp(vip, VIP) == 0 || strcmp(vip, VIP_6) == 0);
}

static void changed(const struct flow *flow, bool began, void *user_data)
{
	struct member *m = user_data;

	assert_int_equal(flow_set_has(m->flows, flow), began);
	if (began)
		m->n_began++;
	else
		m->n_ended++;
}

static void complete(void *user_data)
{
	struct member *m = user_data;

	m->n_complete++;
	assert_true(!m->tracker || tracker_stats(m->tracker).complete);
}

void start_tuned_tracker(struct member *m, int receive_buffer)
{
	const struct tracker_ops ops = {
		.wants = wants, .changed = changed, .complete = complete, .user_data = m
	};
	const struct tracker_tuning tuning = { .receive_buffer = receive_buffer, .watch_ms = 50 };

	assert_int_equal(tracker_open_tuned(m->flows, &ops, &tuning, &m->tracker), 0);
	assert_false(tracker_stats(m->tracker).complete);
	m->n_complete = 0;
}

void start_tracker(struct member *m)
{
	start_tuned_tracker(m, 1024 * 1024);
	wait_for(m, m->n_complete == 1);
}

void stop_tracker(struct member *m)
{
	tracker_free(m->tracker);
	m->tracker = NULL;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t deadline(void)
{
	return now_ms() + PATIENCE_MS;
}

void step(struct member *m, uint64_t until, const char *condition)
{
	struct pollfd descriptor = { .fd = tracker_fd(m->tracker), .events = POLLIN };
	uint64_t now = now_ms();

	if (now >= until || poll(&descriptor, 1, (int)(until - now)) == 0)
		fail_msg("never became true: %s", condition);
	assert_int_equal(tracker_dispatch(m->tracker), 0);
}

bool has(const struct member *m, const struct flow *flow)
{
	return flow_set_has(m->flows, flow);
}

/* --- sockets --------------------------------------------------------------------------- */

static socklen_t make_sockaddr(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static int bind_at(const char *text, uint16_t port, int type)
{
	struct sockaddr_storage address;
	socklen_t length = make_sockaddr(text, port, &address);
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, length), 0);
	return fd;
}

int listen_at(const char *address, uint16_t port)
{
	int fd = bind_at(address, port, SOCK_STREAM);

	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

int listen_at_client(struct member *m, uint16_t port)
{
	int fd;

	enter(m->client);
	fd = listen_at(CLIENT, port);
	enter(m->own);
	return fd;
}

int bind_stream(const char *address, uint16_t port)
{
	return bind_at(address, port, SOCK_STREAM);
}

int client_socket(struct member *m, int family, int type)
{
	int fd;

	enter(m->client);
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	enter(m->own);
	assert_true(fd >= 0);
	return fd;
}

int try_connect(int fd, const char *address, uint16_t port)
{
	struct sockaddr_storage to;
	socklen_t length = make_sockaddr(address, port, &to);

	return connect(fd, (const struct sockaddr *)&to, length) < 0 ? -errno : 0;
}

void connect_fd(int fd, const char *address, uint16_t port)
{
	assert_int_equal(try_connect(fd, address, port), 0);
}

static void read_own_name(int fd, struct address *ret_address, uint16_t *ret_port)
{
	struct sockaddr_storage own;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&own;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&own;
	socklen_t length = sizeof(own);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	*ret_address = (struct address){ .family = own.ss_family };
	*ret_port = ntohs(own.ss_family == AF_INET ? in->sin_port : in6->sin6_port);
	memcpy(ret_address->bytes,
		own.ss_family == AF_INET ? (const void *)&in->sin_addr
					 : (const void *)&in6->sin6_addr,
		address_size(own.ss_family));
}

struct flow flow_of(int client_fd, uint8_t protocol, const char *vip, uint16_t port)
{
	struct flow flow = { .protocol = protocol, .vip_port = port };

	read_own_name(client_fd, &flow.client, &flow.client_port);
	assert_int_equal(address_parse(vip, &flow.vip), 0);
	return flow;
}

struct connection connect_to(struct member *m, int listener, const char *vip, uint16_t port)
{
	struct connection connection;

	connection.client = client_socket(m, strchr(vip, ':') ? AF_INET6 : AF_INET, SOCK_STREAM);
	connect_fd(connection.client, vip, port);
	connection.server = accept(listener, NULL, NULL);
	assert_true(connection.server >= 0);
	connection.flow = flow_of(connection.client, IPPROTO_TCP, vip, port);
	return connection;
}

struct connection datagrams_to(struct member *m, const char *vip, uint16_t port)
{
	struct connection connection;

	connection.server = bind_at(vip, port, SOCK_DGRAM);
	connection.client = client_socket(m, strchr(vip, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM);
	connect_fd(connection.client, vip, port);
	connection.flow = flow_of(connection.client, IPPROTO_UDP, vip, port);
	return connection;
}

void answer(const struct connection *datagrams)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char byte;

	assert_int_equal(
		recvfrom(datagrams->server, &byte, 1, 0, (struct sockaddr *)&from, &length), 1);
	assert_int_equal(
		sendto(datagrams->server, &byte, 1, 0, (const struct sockaddr *)&from, length), 1);
	assert_int_equal(recv(datagrams->client, &byte, 1, 0), 1);
}

void disconnect(struct connection *connection)
{
	close(connection->client);
	close(connection->server);
}

void reset(int fd)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

void fence(struct member *m)
{
	int listener = listen_at(VIP, FENCE_PORT);
	struct connection connection = connect_to(m, listener, VIP, FENCE_PORT);

	wait_for(m, has(m, &connection.flow));
	disconnect(&connection);
	close(listener);
	wait_for(m, !has(m, &connection.flow));
}

/* The kernel fills in the IP header; the checksum of TCP is over its pseudo-header, too. */
void send_stray_ack(struct member *m, uint16_t client_port, uint16_t vip_port)
{
	struct tcphdr tcp = {
		.th_sport = htons(client_port),
		.th_dport = htons(vip_port),
		.th_off = 5,
		.th_flags = TH_ACK,
		.th_win = htons(1024),
	};
	struct sockaddr_storage to;
	socklen_t length = make_sockaddr(VIP, 0, &to);
	const uint16_t *words = (const uint16_t *)(const void *)&tcp;
	uint32_t addresses[2], sum = htons(IPPROTO_TCP) + htons(sizeof(tcp));
	int fd;

	enter(m->client);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
	enter(m->own);
	assert_true(fd >= 0);
	assert_int_equal(inet_pton(AF_INET, CLIENT, &addresses[0]), 1);
	assert_int_equal(inet_pton(AF_INET, VIP, &addresses[1]), 1);
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
		sum += (addresses[i] & 0xffff) + (addresses[i] >> 16);
	for (size_t i = 0; i < sizeof(tcp) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	tcp.th_sum = (uint16_t) ~(sum + (sum >> 16));
	assert_int_equal(sendto(fd, &tcp, sizeof(tcp), 0, (const struct sockaddr *)&to, length),
		sizeof(tcp));
	close(fd);
}

/* --- conntrack ------------------------------------------------------------------------- */

void delete_entry(const struct flow *flow)
{
	struct nfct_handle *handle = nfct_open(CONNTRACK, 0);
	struct nf_conntrack *ct = nfct_new();
	bool is_ip = flow->client.family == AF_INET;

	assert_non_null(handle);
	assert_non_null(ct);
	nfct_set_attr_u8(ct, ATTR_ORIG_L3PROTO, (uint8_t)flow->client.family);
	nfct_set_attr_u8(ct, ATTR_ORIG_L4PROTO, flow->protocol);
	nfct_set_attr(ct, is_ip ? ATTR_ORIG_IPV4_SRC : ATTR_ORIG_IPV6_SRC, flow->client.bytes);
	nfct_set_attr(ct, is_ip ? ATTR_ORIG_IPV4_DST : ATTR_ORIG_IPV6_DST, flow->vip.bytes);
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_SRC, htons(flow->client_port));
	nfct_set_attr_u16(ct, ATTR_ORIG_PORT_DST, htons(flow->vip_port));
	assert_int_equal(nfct_query(handle, NFCT_Q_DESTROY, ct), 0);
	nfct_destroy(ct);
	nfct_close(handle);
}
