/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends prebuilt frames from an AF_PACKET socket and says how long that took:
 *
 *     packet-sender INTERFACE KEY=VALUE...
 *
 * Used by tests/bench/packet inside its guest, where a nanosecond is an instruction. An AF_PACKET
 * socket and not pktgen: the kernel's pktgen sends shared buffers, which the IP layer has to clone,
 * so that whatever lies behind it looks dearer than it is.
 *
 * All flows are sent once before the clock starts, TCP's with a SYN and later fragments with the
 * first one ahead (open=1): what learns connections or packets has learned them then. With skip=N
 * the first N frames alone are sent before, and each timed packet is the first of its flow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_SIZE = 128,
	FLOWS_PER_ADDRESS = 1000,
	FIRST_PORT = 20000,
};

struct frame {
	size_t length;
	uint8_t bytes[FRAME_SIZE];
};

/* What to send: the keys of the command line. */
struct job {
	unsigned int flows, packets, skip;
	unsigned int dport, dports; /* flows are spread over dports ports from dport on */
	unsigned int vips;          /* and over as many addresses from daddr on */
	unsigned int length;        /* of a frame, Ethernet header included */
	bool tcp, syn, open;
	bool fragment; /* later fragments: no ports in them */
	bool first;    /* first fragments */
	bool v6;
	struct ether_header ether;
	struct in_addr saddr, daddr;
	struct in6_addr saddr6, daddr6;
};

static void die(const char *what)
{
	fprintf(stderr, "packet-sender: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint16_t checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void put(struct frame *frame, const void *header, size_t length)
{
	memcpy(frame->bytes + frame->length, header, length);
	frame->length += length;
}

static void put_ip4(struct frame *frame, const struct job *job, unsigned int flow)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(job->length - sizeof(struct ether_header))),
		.id = htons((uint16_t)flow),
		.frag_off = htons(job->fragment ? 185
				  : job->first  ? IP_MF
						: IP_DF),
		.ttl = 64,
		.protocol = job->tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.saddr = htonl(ntohl(job->saddr.s_addr) + flow / FLOWS_PER_ADDRESS),
		.daddr = htonl(ntohl(job->daddr.s_addr) + flow % job->vips),
	};

	ip.check = checksum(&ip, sizeof(ip));
	put(frame, &ip, sizeof(ip));
}

static void put_ip6(struct frame *frame, const struct job *job, unsigned int flow)
{
	size_t headers = sizeof(struct ether_header) + sizeof(struct ip6_hdr);
	uint8_t protocol = job->tcp ? IPPROTO_TCP : IPPROTO_UDP;
	bool in_parts = job->fragment || job->first;
	struct ip6_frag fragment = {
		.ip6f_nxt = protocol,
		.ip6f_offlg = job->first ? IP6F_MORE_FRAG : htons(185 << 3),
	};
	struct ip6_hdr ip = {
		.ip6_src = job->saddr6,
		.ip6_dst = job->daddr6,
	};

	ip.ip6_flow = htonl(6U << 28);
	ip.ip6_plen = htons((uint16_t)(job->length - headers));
	ip.ip6_nxt = in_parts ? IPPROTO_FRAGMENT : protocol;
	ip.ip6_hlim = 64;
	ip.ip6_src.s6_addr[15] += (uint8_t)(flow / FLOWS_PER_ADDRESS);
	ip.ip6_dst.s6_addr[15] += (uint8_t)(flow % job->vips);
	put(frame, &ip, sizeof(ip));
	if (in_parts) {
		fragment.ip6f_ident = htonl(flow);
		put(frame, &fragment, sizeof(fragment));
	}
}

static void put_ports(struct frame *frame, const struct job *job, unsigned int flow, bool syn)
{
	uint16_t sport = htons((uint16_t)(FIRST_PORT + flow % FLOWS_PER_ADDRESS));
	uint16_t dport = htons((uint16_t)(job->dport + flow % job->dports));
	struct tcphdr tcp = { .source = sport, .dest = dport, .doff = 5 };
	struct udphdr udp = { .source = sport, .dest = dport };

	if (job->tcp) {
		tcp.seq = htonl(syn ? 1 : 2);
		tcp.syn = syn;
		tcp.ack = !syn;
		tcp.window = htons(65535);
		put(frame, &tcp, sizeof(tcp));
	} else {
		udp.len = htons((uint16_t)(job->length - frame->length));
		put(frame, &udp, sizeof(udp));
	}
}

static void build(struct frame *frames, const struct job *job, bool syn)
{
	for (unsigned int flow = 0; flow < job->flows; flow++) {
		struct frame *frame = &frames[flow];

		memset(frame, 0, sizeof(*frame));
		put(frame, &job->ether, sizeof(job->ether));
		if (job->v6)
			put_ip6(frame, job, flow);
		else
			put_ip4(frame, job, flow);
		if (!job->fragment)
			put_ports(frame, job, flow, syn);
		if (frame->length < job->length)
			frame->length = job->length;
	}
}

static void transmit(int fd, const struct frame *frames, const struct job *job, unsigned int first,
	unsigned int count)
{
	unsigned int flow = first;

	for (unsigned int i = 0; i < count; i++) {
		const struct frame *frame = &frames[flow];

		if (send(fd, frame->bytes, frame->length, 0) != (ssize_t)frame->length)
			die("send");
		if (++flow == job->flows)
			flow = 0;
	}
}

static int open_socket(const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || address.sll_ifindex == 0)
		die(interface);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("bind");
	return fd;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* What came back to us: the packets that the other side forwarded. */
static unsigned long long received(const char *interface)
{
	char path[128];
	unsigned long long count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_packets", interface);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &count) != 1)
		die(path);
	fclose(file);
	return count;
}

/* Before the clock starts. */
static void warm_up(int fd, struct frame *frames, const struct job *job)
{
	struct job opening = *job;

	if (job->open) {
		opening.first = job->fragment;
		opening.fragment = false;
		build(frames, &opening, true);
		transmit(fd, frames, &opening, 0, job->flows);
	}
	build(frames, job, job->syn);
	transmit(fd, frames, job, 0, job->skip ? job->skip : job->flows);
}

static void measure(const char *interface, const struct job *job)
{
	struct frame *frames = calloc(job->flows, sizeof(*frames));
	int fd = open_socket(interface);
	unsigned long long before;
	uint64_t began, ended;

	if (!frames)
		die("frames");
	warm_up(fd, frames, job);
	before = received(interface);
	began = now_ns();
	transmit(fd, frames, job, job->skip, job->packets);
	ended = now_ns();
	printf("packets=%u instructions=%llu received=%llu\n", job->packets,
		(unsigned long long)(ended - began), received(interface) - before);
	free(frames);
	close(fd);
}

static bool set_number(struct job *job, const char *key, const char *value)
{
	const struct {
		const char *key;
		unsigned int *number;
	} numbers[] = {
		{ "flows", &job->flows },
		{ "packets", &job->packets },
		{ "skip", &job->skip },
		{ "dport", &job->dport },
		{ "dports", &job->dports },
		{ "vips", &job->vips },
		{ "length", &job->length },
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(key, numbers[i].key) != 0)
			continue;
		*numbers[i].number = (unsigned int)strtoul(value, NULL, 10);
		return true;
	}
	return false;
}

static bool set_flag(struct job *job, const char *key, const char *value)
{
	const struct {
		const char *key;
		bool *flag;
	} flags[] = {
		{ "tcp", &job->tcp },
		{ "syn", &job->syn },
		{ "open", &job->open },
		{ "fragment", &job->fragment },
		{ "first", &job->first },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (strcmp(key, flags[i].key) != 0)
			continue;
		*flags[i].flag = strcmp(value, "1") == 0;
		return true;
	}
	return false;
}

static bool set_mac(uint8_t *mac, const char *value)
{
	return sscanf(value, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3],
		       &mac[4], &mac[5]) == 6;
}

static bool set_address(struct job *job, const char *key, const char *value)
{
	if (strcmp(key, "dmac") == 0)
		return set_mac(job->ether.ether_dhost, value);
	if (strcmp(key, "smac") == 0)
		return set_mac(job->ether.ether_shost, value);
	if (strcmp(key, "saddr") == 0)
		return inet_pton(AF_INET, value, &job->saddr) == 1;
	if (strcmp(key, "saddr6") == 0)
		return inet_pton(AF_INET6, value, &job->saddr6) == 1;
	if (strcmp(key, "daddr6") == 0) {
		job->v6 = true;
		return inet_pton(AF_INET6, value, &job->daddr6) == 1;
	}
	return strcmp(key, "daddr") == 0 && inet_pton(AF_INET, value, &job->daddr) == 1;
}

static void parse(struct job *job, char *argument)
{
	char *value = strchr(argument, '=');

	if (value) {
		*value++ = '\0';
		if (set_number(job, argument, value) || set_flag(job, argument, value) ||
			set_address(job, argument, value))
			return;
	}
	fprintf(stderr, "packet-sender: %s is not understood\n", argument);
	exit(2);
}

int main(int argc, char **argv)
{
	struct job job = {
		.flows = 4000,
		.packets = 20000,
		.dport = 5060,
		.dports = 1,
		.vips = 1,
		.length = 60,
	};

	if (argc < 2) {
		fprintf(stderr, "usage: packet-sender INTERFACE KEY=VALUE...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		parse(&job, argv[i]);
	job.ether.ether_type = htons(job.v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	if (job.flows == 0 || job.dports == 0 || job.vips == 0 || job.length > FRAME_SIZE) {
		fprintf(stderr, "packet-sender: these numbers make no frames\n");
		return 2;
	}
	measure(argv[1], &job);
	return 0;
}
