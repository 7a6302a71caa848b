/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracker: its sockets, and in what order everything is read. */
#include "internal.h"

#include "drover/sysctl.h"

#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

enum {
	RECEIVE_BUFFER = 32 * 1024 * 1024,
	RECEIVE_BUFFER_MAX = 512 * 1024 * 1024,
	WATCH_MS = 10000,
	WATCH_BATCH = BOOK_GONE_MAX, /* watched flows that are looked after in one go */
	WATCH_PAUSE_MS = 20,         /* at least, in between */
	EVENTS_PER_DISPATCH = 512,   /* datagrams */
	PAGES_PER_DISPATCH = 4,
	SWEEP_PER_DISPATCH = 1024,
	LOOK_BATCH = 512,      /* handshakes */
	INTERRUPTIONS_MAX = 8, /* of dumps in a row; then events must do */
};

/*
 * From one look for half-open connections to the next. Other hosts get packets some ms after the
 * first look, later where there are many rules; a connection whose last ACK has gone there stays
 * half-open until a look meets it. The last one is well before a member's guard ends there.
 */
static const uint64_t LOOK_PAUSES_MS[] = { 100, 300, 900 };

/* What is being read. Sockets come last: they bring what conntrack does not know. */
enum phase { PHASE_IDLE, PHASE_ENTRIES, PHASE_SOCKETS_IP, PHASE_SOCKETS_IP6, PHASE_SWEEP };

struct tracker {
	struct book book;
	struct tracker_tuning tuning;
	struct tracker_stats stats;
	struct channel events, entries, sockets, addresses;
	struct channel ask_entry, ask_socket; /* on their own: dumps answer in between */
	int epoll, timer;

	enum phase phase;
	bool drained;     /* all events were read that had come when it was set to false */
	bool overrun;     /* the kernel drops events until we have read all that it kept */
	bool resync;      /* another dump is due */
	bool interrupted; /* the kernel says so of the dump that is read */
	unsigned int n_interruptions;
	size_t sweep_cursor, watch_cursor;
	size_t n_looks;       /* for half-open connections, since somebody wanted them */
	bool looking;         /* another one is under way */
	uint64_t look_cursor; /* of that one */
	uint64_t watch_at, look_at, timer_at; /* ms; 0: never */

	struct channel_buffer buffer, answer;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- asking ---------------------------------------------------------------------------- */

/* If the kernel cannot say, the flow lives: nothing must end by mistake. */
static enum flow_life socket_life(struct tracker *tracker, const struct flow *flow)
{
	_Alignas(struct nlmsghdr) char buffer[CHANNEL_REQUEST_SIZE];
	const struct nlmsghdr *answer;
	struct tcp_socket socket;
	int r;

	r = channel_ask(
		&tracker->ask_socket, sockets_put_get(buffer, flow), &tracker->answer, &answer);
	if (r < 0)
		return r == -ENOENT ? FLOW_GONE : FLOW_LIVE;
	/* One that listens is found for whoever has none of his own. */
	if (tcp_socket_parse(answer, &socket) < 0 || !flow_equal(&socket.flow, flow))
		return FLOW_GONE;
	if (socket.half_open)
		return FLOW_HALF_OPEN;
	return socket.lives ? FLOW_LIVE : FLOW_GONE;
}

static bool entry_lives(struct tracker *tracker, const struct flow *flow)
{
	_Alignas(struct nlmsghdr) char buffer[CHANNEL_REQUEST_SIZE];
	struct nlmsghdr *request = conntrack_put_get(buffer, flow);
	const struct nlmsghdr *answer;
	struct entry entry;
	int r;

	if (!request)
		return true;
	r = channel_ask(&tracker->ask_entry, request, &tracker->answer, &answer);
	if (r < 0)
		return r != -ENOENT;
	return entry_parse(answer, &entry) == 0 && entry.life == ENTRY_LIVE;
}

static enum flow_life life_of(const struct flow *flow, void *user_data)
{
	enum flow_life life = FLOW_GONE;

	if (flow->protocol == IPPROTO_TCP)
		life = socket_life(user_data, flow);
	return life != FLOW_LIVE && entry_lives(user_data, flow) ? FLOW_LIVE : life;
}

/* --- dumps ----------------------------------------------------------------------------- */

static int request_dump(struct tracker *tracker, enum phase phase)
{
	_Alignas(struct nlmsghdr) char buffer[CHANNEL_REQUEST_SIZE];
	int r;

	if (phase == PHASE_ENTRIES)
		r = channel_send(&tracker->entries, conntrack_put_dump(buffer), NLM_F_DUMP);
	else
		r = channel_send(&tracker->sockets,
			sockets_put_dump(buffer, phase == PHASE_SOCKETS_IP ? AF_INET : AF_INET6),
			NLM_F_DUMP);
	if (r == 0)
		tracker->phase = phase;
	return r;
}

static void read_timeout(const char *name, unsigned int *timeout)
{
	int seconds;

	if (sysctl_conntrack(name, &seconds) == 0 && seconds > 0)
		*timeout = (unsigned int)seconds;
}

static int begin_dump(struct tracker *tracker)
{
	int r;

	read_timeout("udp_timeout", &tracker->book.udp_timeout);
	read_timeout("udp_timeout_stream", &tracker->book.udp_timeout_stream);
	r = book_begin_dump(&tracker->book);
	if (r < 0)
		return r;
	r = local_addresses_read(&tracker->book.local);
	if (r < 0)
		return r;
	tracker->resync = false;
	tracker->interrupted = false;
	tracker->stats.complete = false;
	return request_dump(tracker, PHASE_ENTRIES);
}

/* Everything has been read: once more, or is what was not met gone? */
static void end_dumps(struct tracker *tracker)
{
	tracker->phase = PHASE_IDLE;
	if (tracker->interrupted && ++tracker->n_interruptions < INTERRUPTIONS_MAX)
		tracker->resync = true;
	if (tracker->book.incomplete)
		tracker->resync = true;
	if (tracker->resync || tracker->overrun)
		return;
	tracker->n_interruptions = 0;
	tracker->sweep_cursor = 0;
	/* The dump is ahead of the events that are under way. */
	tracker->drained = false;
	tracker->phase = PHASE_SWEEP;
	book_end_dump(&tracker->book);
}

static int end_dump(struct tracker *tracker, int verdict)
{
	/* Without sock_diag, older connections are not known until they speak. */
	if (verdict == -ENOENT && tracker->phase != PHASE_ENTRIES)
		verdict = 0;
	if (verdict < 0)
		return verdict;
	if (tracker->phase == PHASE_SOCKETS_IP6) {
		end_dumps(tracker);
		return 0;
	}
	return request_dump(tracker, tracker->phase + 1);
}

/* Returns 1 if the dump has ended, 0 if not, or -errno. */
static int take_page(struct tracker *tracker, const struct channel *channel, size_t size)
{
	const char *page = tracker->buffer.bytes;

	for (const struct nlmsghdr *message = message_first(page, size); message;
		message = message_next(message, page, size)) {
		if (message->nlmsg_seq != channel->sequence)
			continue;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			tracker->interrupted = true;
		if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
			int r = end_dump(tracker, message_verdict(message));

			return r < 0 ? r : 1;
		}
		if (tracker->phase == PHASE_ENTRIES)
			book_take_entry(&tracker->book, message);
		else
			book_take_socket(&tracker->book, message);
	}
	return 0;
}

static int read_pages(struct tracker *tracker)
{
	for (size_t i = 0; i < PAGES_PER_DISPATCH; i++) {
		struct channel *channel = tracker->phase == PHASE_ENTRIES ? &tracker->entries
									  : &tracker->sockets;
		ssize_t n;
		int r;

		if (tracker->phase == PHASE_IDLE || tracker->phase == PHASE_SWEEP)
			return 0;
		n = channel_receive(channel, &tracker->buffer);
		if (n == -EAGAIN)
			return 0;
		if (n == -ENOBUFS) {
			/* A page was lost, for lack of memory; the kernel goes on with the next. */
			tracker->interrupted = true;
			continue;
		}
		if (n < 0)
			return (int)n;
		r = take_page(tracker, channel, (size_t)n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- events ---------------------------------------------------------------------------- */

/* Beyond rmem_max needs CAP_NET_ADMIN. The kernel doubles what it is asked for, and tells that. */
static void set_receive_buffer(struct tracker *tracker, int size)
{
	int fd = channel_fd(&tracker->events);
	socklen_t length = sizeof(size);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length) == 0)
		tracker->stats.receive_buffer = (size_t)size;
}

static void take_overrun(struct tracker *tracker)
{
	size_t size = tracker->stats.receive_buffer;

	tracker->stats.n_overruns++;
	tracker->stats.complete = false;
	tracker->overrun = true;
	if (size < RECEIVE_BUFFER_MAX)
		set_receive_buffer(tracker, (int)size);
}

static int read_events(struct tracker *tracker)
{
	const char *datagram = tracker->buffer.bytes;

	for (size_t i = 0; i < EVENTS_PER_DISPATCH; i++) {
		ssize_t n = channel_receive(&tracker->events, &tracker->buffer);

		if (n == -ENOBUFS) {
			take_overrun(tracker);
			continue;
		}
		if (n == -EAGAIN) {
			/* Only now does the kernel queue events again (NETLINK_S_CONGESTED). */
			tracker->resync |= tracker->overrun;
			tracker->overrun = false;
			tracker->drained = true;
			return 0;
		}
		if (n < 0)
			return (int)n;
		for (const struct nlmsghdr *message = message_first(datagram, (size_t)n); message;
			message = message_next(message, datagram, (size_t)n)) {
			tracker->stats.n_events++;
			book_take_event(&tracker->book, message);
		}
	}
	return 0;
}

static int read_addresses(struct tracker *tracker)
{
	ssize_t n;
	bool any = false;

	for (;;) {
		n = channel_receive(&tracker->addresses, &tracker->buffer);
		if (n == -EAGAIN)
			break;
		if (n < 0 && n != -ENOBUFS)
			return (int)n;
		any = true;
	}
	return any ? local_addresses_read(&tracker->book.local) : 0;
}

/* --- what time brings ------------------------------------------------------------------ */

/* So that each watched flow has its turn about once in watch_ms, if there are not too many. */
static uint64_t watch_pause(const struct tracker *tracker)
{
	size_t n_batches = (flow_set_count(tracker->book.watched) + WATCH_BATCH - 1) / WATCH_BATCH;
	uint64_t pause = tracker->tuning.watch_ms / (n_batches ? n_batches : 1);

	return pause > WATCH_PAUSE_MS ? pause : WATCH_PAUSE_MS;
}

static void check_watched(struct tracker *tracker)
{
	uint64_t now = now_ms();

	if (tracker->book.n_gone > 0 && tracker->drained)
		book_end_gone(&tracker->book);
	if (flow_set_count(tracker->book.watched) == 0) {
		tracker->watch_at = 0;
		return;
	}
	if (tracker->book.n_gone > 0 || (tracker->watch_at != 0 && now < tracker->watch_at))
		return;
	if (tracker->watch_at != 0) {
		book_check_watched(&tracker->book, WATCH_BATCH, &tracker->watch_cursor);
		tracker->drained = false;
	}
	tracker->watch_at = now + watch_pause(tracker);
}

static void look_for_half_open(struct tracker *tracker)
{
	uint64_t now = now_ms();

	if (!tracker->looking && tracker->look_at != 0 && now >= tracker->look_at) {
		bool again = tracker->n_looks < ARRAY_SIZE(LOOK_PAUSES_MS);

		tracker->looking = true;
		tracker->look_cursor = 0;
		tracker->look_at = again ? now + LOOK_PAUSES_MS[tracker->n_looks++] : 0;
	}
	if (tracker->looking &&
		book_find_half_open(&tracker->book, LOOK_BATCH, &tracker->look_cursor))
		tracker->looking = false;
}

static void sweep(struct tracker *tracker)
{
	if (tracker->phase != PHASE_SWEEP || !tracker->drained ||
		!book_sweep(&tracker->book, SWEEP_PER_DISPATCH, &tracker->sweep_cursor))
		return;
	tracker->phase = PHASE_IDLE;
	if (tracker->resync || tracker->overrun)
		return;
	tracker->stats.complete = true;
	tracker->book.ops.complete(tracker->book.ops.user_data);
}

/* The earlier of two moments of which 0 is never. */
static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static int set_timer(struct tracker *tracker)
{
	bool at_once = tracker->phase == PHASE_SWEEP || tracker->book.n_gone > 0 ||
		       tracker->looking;
	uint64_t due = earlier(tracker->watch_at, tracker->look_at);
	uint64_t at = at_once ? 1 : due; /* 1: a moment that has passed already */
	const struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(at / 1000),
			.tv_nsec = (long)(at % 1000) * 1000000 },
	};

	if (at == tracker->timer_at)
		return 0;
	if (timerfd_settime(tracker->timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
		return -errno;
	tracker->timer_at = at;
	return 0;
}

static void read_timer(struct tracker *tracker)
{
	uint64_t n;

	if (read(tracker->timer, &n, sizeof(n)) == sizeof(n))
		tracker->timer_at = 0;
}

int tracker_dispatch(struct tracker *tracker)
{
	int r;

	read_timer(tracker);
	r = read_addresses(tracker);
	if (r < 0)
		return r;
	r = read_events(tracker);
	if (r < 0)
		return r;
	r = read_pages(tracker);
	if (r < 0)
		return r;
	look_for_half_open(tracker);
	sweep(tracker);
	check_watched(tracker);
	if (tracker->resync && !tracker->overrun && tracker->phase == PHASE_IDLE) {
		r = begin_dump(tracker);
		if (r < 0)
			return r;
	}
	return set_timer(tracker);
}

int tracker_resync(struct tracker *tracker)
{
	tracker->resync = true;
	tracker->stats.complete = false;
	return tracker->phase == PHASE_IDLE && !tracker->overrun ? begin_dump(tracker) : 0;
}

int tracker_find_half_open(struct tracker *tracker)
{
	tracker->n_looks = 0;
	tracker->look_at = now_ms();
	return set_timer(tracker);
}

/* --- life ------------------------------------------------------------------------------ */

static int watch_fd(const struct tracker *tracker, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(tracker->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_channels(struct tracker *tracker)
{
	const struct {
		struct channel *channel;
		int bus;
		unsigned int groups;
		bool watched;
	} all[] = {
		{ &tracker->events, NETLINK_NETFILTER,
			NF_NETLINK_CONNTRACK_UPDATE | NF_NETLINK_CONNTRACK_DESTROY, true },
		{ &tracker->entries, NETLINK_NETFILTER, 0, true },
		{ &tracker->sockets, NETLINK_SOCK_DIAG, 0, true },
		{ &tracker->addresses, NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
			true },
		{ &tracker->ask_entry, NETLINK_NETFILTER, 0, false },
		{ &tracker->ask_socket, NETLINK_SOCK_DIAG, 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		int r;

		r = channel_open(all[i].channel, all[i].bus, all[i].groups);
		if (r < 0)
			return r;
		if (all[i].watched)
			r = watch_fd(tracker, channel_fd(all[i].channel));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without conntrack, nfnetlink does not know what is asked (-EINVAL, nfnetlink_rcv_msg()). */
static int try_conntrack(struct tracker *tracker)
{
	_Alignas(struct nlmsghdr) char buffer[CHANNEL_REQUEST_SIZE];
	const struct flow nobody = {
		.protocol = IPPROTO_UDP,
		.client.family = AF_INET,
		.vip.family = AF_INET,
	};
	struct nlmsghdr *request = conntrack_put_get(buffer, &nobody);
	const struct nlmsghdr *answer;
	int r;

	if (!request)
		return -ENOMEM;
	r = channel_ask(&tracker->ask_entry, request, &tracker->answer, &answer);
	if (r == -EINVAL)
		return -EPROTONOSUPPORT;
	return r == -ENOENT ? 0 : r;
}

int tracker_open_tuned(struct flow_set *flows, const struct tracker_ops *ops,
	const struct tracker_tuning *tuning, struct tracker **ret_tracker)
{
	_cleanup_(tracker_free_p) struct tracker *tracker = calloc(1, sizeof(*tracker));
	int r;

	if (!tracker)
		return -ENOMEM;
	tracker->tuning = *tuning;
	tracker->timer = -1;
	tracker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (tracker->epoll < 0)
		return -errno;
	tracker->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (tracker->timer < 0)
		return -errno;
	r = watch_fd(tracker, tracker->timer);
	if (r < 0)
		return r;
	r = book_init(&tracker->book, flows, ops);
	if (r < 0)
		return r;
	tracker->book.life = life_of;
	tracker->book.user_data = tracker;
	r = open_channels(tracker);
	if (r < 0)
		return r;
	set_receive_buffer(tracker, tuning->receive_buffer);
	r = try_conntrack(tracker);
	if (r < 0)
		return r;
	r = begin_dump(tracker);
	if (r < 0)
		return r;
	*ret_tracker = take_ptr(tracker);
	return 0;
}

int tracker_open(
	struct flow_set *flows, const struct tracker_ops *ops, struct tracker **ret_tracker)
{
	const struct tracker_tuning tuning = {
		.receive_buffer = RECEIVE_BUFFER,
		.watch_ms = WATCH_MS,
	};

	return tracker_open_tuned(flows, ops, &tuning, ret_tracker);
}

void tracker_free(struct tracker *tracker)
{
	if (!tracker)
		return;
	channel_close(&tracker->events);
	channel_close(&tracker->entries);
	channel_close(&tracker->sockets);
	channel_close(&tracker->addresses);
	channel_close(&tracker->ask_entry);
	channel_close(&tracker->ask_socket);
	close_p(&tracker->epoll);
	close_p(&tracker->timer);
	book_done(&tracker->book);
	free(tracker);
}

int tracker_fd(const struct tracker *tracker)
{
	return tracker->epoll;
}

struct tracker_stats tracker_stats(const struct tracker *tracker)
{
	struct tracker_stats stats = tracker->stats;

	stats.n_refused = tracker->book.n_refused;
	return stats;
}
