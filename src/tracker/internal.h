/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of this module share. Private: others include drover/tracker.h. */

#include "drover/tracker.h"

#include <libmnl/libmnl.h>

/* --- netlink.c: a socket that never waits ---------------------------------------------- */

struct channel {
	struct mnl_socket *socket;
	uint32_t sequence; /* of the last request */
};

/* Dump datagrams are at most 32 KiB (netlink_dump()); events and answers are smaller. */
enum { CHANNEL_BUFFER_SIZE = 64 * 1024, CHANNEL_REQUEST_SIZE = 256 };

struct channel_buffer {
	char bytes[CHANNEL_BUFFER_SIZE] __attribute__((aligned(8)));
};

/* groups: a mask of what to hear of, or 0 for a socket that only asks. Returns 0 or -errno. */
int channel_open(struct channel *channel, int bus, unsigned int groups);
void channel_close(struct channel *channel);
int channel_fd(const struct channel *channel);

/* Sends a request, with flags added to NLM_F_REQUEST. Returns 0 or -errno. */
int channel_send(struct channel *channel, struct nlmsghdr *request, uint16_t flags);

/*
 * Reads one datagram. Returns its size, 0 if it did not come from the kernel, -EAGAIN if there is
 * none, -ENOBUFS if the kernel or the buffer has lost some.
 */
ssize_t channel_receive(struct channel *channel, struct channel_buffer *buffer);

/*
 * Asks about one object. The kernel answers such a request before send() returns. Returns 0 with
 * *ret_answer in the buffer, -EAGAIN if there is no answer, or the error that the kernel answers
 * with: -ENOENT for what it does not have.
 */
int channel_ask(struct channel *channel, struct nlmsghdr *request, struct channel_buffer *buffer,
	const struct nlmsghdr **ret_answer);

/*
 * The first message of a datagram, and the one behind another; NULL if there is no whole one.
 * Messages of the kernel are aligned; so attributes never end in padding outside of the buffer.
 */
const struct nlmsghdr *message_first(const void *datagram, size_t size);
const struct nlmsghdr *message_next(
	const struct nlmsghdr *message, const void *datagram, size_t size);

/* The verdict of NLMSG_DONE or NLMSG_ERROR: 0 or -errno. */
int message_verdict(const struct nlmsghdr *message);

/* --- conntrack.c: conntrack's messages ------------------------------------------------- */

enum entry_life {
	ENTRY_OPENING,   /* no handshake yet, or no answer */
	ENTRY_HALF_OPEN, /* TCP: SYN and SYN-ACK */
	ENTRY_LIVE,
	ENTRY_UNTOLD, /* it is answered, but the message does not tell the state of TCP */
	ENTRY_OVER,
};

struct entry {
	struct flow flow; /* its original direction */
	enum entry_life life;
	bool destroyed; /* the entry is no more */
	bool mirrored;  /* the reply direction is the same, turned round: no NAT */
	bool assured;   /* of UDP: more than a question and its answer, two seconds apart */
	struct address answerer; /* who sends the replies */
	unsigned int left;       /* seconds until it times out; 0: not told */
};

/*
 * Returns 0, -ENOMSG for a message that is not about a TCP or UDP entry, -EBADMSG for a malformed
 * one.
 */
int entry_parse(const struct nlmsghdr *message, struct entry *ret_entry);

/* Asks for all entries; for the one that has the flow as either direction (NULL: no memory). */
struct nlmsghdr *conntrack_put_dump(void *buffer);
struct nlmsghdr *conntrack_put_get(void *buffer, const struct flow *flow);

/* --- sockets.c: sock_diag's messages --------------------------------------------------- */

struct tcp_socket {
	bool listens;
	bool half_open;   /* the last ACK of its handshake has not come yet */
	bool lives;       /* established, or closing but not over */
	struct flow flow; /* of one that lives or is half-open, as if it had been accepted */
	uint16_t port;    /* its own */
};

/* Returns 0, -ENOMSG for a message that is not about a socket, -EBADMSG for a malformed one. */
int tcp_socket_parse(const struct nlmsghdr *message, struct tcp_socket *ret_socket);

/* Asks for the sockets that listen and, behind those, the ones that live; for a flow's. */
struct nlmsghdr *sockets_put_dump(void *buffer, int family);
struct nlmsghdr *sockets_put_get(void *buffer, const struct flow *flow);

/* --- local.c: the addresses of this host ----------------------------------------------- */

struct local_addresses {
	struct address *addresses; /* ordered */
	size_t n_addresses;
	struct prefix *subnets; /* of the loopback interface */
	size_t n_subnets;
};

/* Reads them anew. Returns 0 or -errno; then what was known stays. */
int local_addresses_read(struct local_addresses *local);
void local_addresses_done(struct local_addresses *local);
bool local_addresses_have(const struct local_addresses *local, const struct address *address);

/* --- book.c: what messages mean for the set of flows ----------------------------------- */

enum { BOOK_GONE_MAX = 128, BOOK_HANDSHAKES_MAX = 8192, BOOK_HALF_OPEN_MAX = 8192 };

/* What the kernel has of a flow: nothing, or a TCP handshake, or a connection. */
enum flow_life { FLOW_GONE, FLOW_HALF_OPEN, FLOW_LIVE };

struct book {
	struct flow_set *flows;
	struct tracker_ops ops;
	/* Seconds that an entry of UDP lasts after each packet, and one that is assured. */
	unsigned int udp_timeout, udp_timeout_stream;
	struct local_addresses local;

	/*
	 * Flows whose end no event may tell: sockets that conntrack does not know, and entries
	 * that are older than our subscription. With nf_conntrack_events = 2, the default, the
	 * kernel sends events only for entries that were made while somebody listened.
	 */
	struct flow_set *watched;

	/* Those of the watched whose handshake had not ended when they were last seen. */
	struct flow_set *half_open;

	/*
	 * The last handshakes that conntrack told of, number n at n % BOOK_HANDSHAKES_MAX: who may
	 * be half-open when that is asked. To have sock_diag list them would walk through all
	 * sockets there are, a second for millions.
	 */
	struct flow *handshakes;
	uint64_t n_handshakes; /* told so far */

	/* The watched flows that the kernel did not know any more when it was asked. */
	struct flow gone[BOOK_GONE_MAX];
	size_t n_gone;

	/* Flows that have ended since the dump began, or NULL: its pages may be older than that. */
	struct flow_set *ended;
	bool incomplete; /* something could not be remembered: read everything anew */

	uint8_t listening[65536 / 8]; /* ports that some socket of the dump listens on */
	uint64_t n_refused;

	/* Asks the kernel: for the socket of a TCP flow, and for any flow's entry. */
	enum flow_life (*life)(const struct flow *flow, void *user_data);
	void *user_data;
};

/* Everything in flows is watched. Returns 0 or -ENOMEM. */
int book_init(struct book *book, struct flow_set *flows, const struct tracker_ops *ops);
void book_done(struct book *book);

/* Around a dump. Between the two, what is stale still has not been met. Return 0 or -ENOMEM. */
int book_begin_dump(struct book *book);
void book_end_dump(struct book *book);

/* Removes up to n stale flows. Returns true when there are no more; *cursor begins with 0. */
bool book_sweep(struct book *book, size_t n, size_t *cursor);

/*
 * Looks after up to n of the watched flows, from *cursor on; at the end it begins again. Those that
 * are gone end by book_end_gone(), once all events have been read that were under way: if one of
 * them was about such a flow, events will tell its end, and ending it now would have an older event
 * begin it again.
 */
void book_check_watched(struct book *book, size_t n, size_t *cursor);
void book_end_gone(struct book *book);

/*
 * Takes those of the last handshakes that have not ended; up to n of them are looked at. Returns
 * true when there are no more; *cursor begins with 0.
 */
bool book_find_half_open(struct book *book, size_t n, uint64_t *cursor);

/* Takes in a message. Malformed ones, and those about something else, change nothing. */
void book_take_event(struct book *book, const struct nlmsghdr *message);
void book_take_entry(struct book *book, const struct nlmsghdr *message);
void book_take_socket(struct book *book, const struct nlmsghdr *message);
/* --- tracker.c ------------------------------------------------------------------------- */

/* What tests change. */
struct tracker_tuning {
	int receive_buffer;    /* bytes, before any overrun */
	unsigned int watch_ms; /* how often each watched flow is looked after */
};

int tracker_open_tuned(struct flow_set *flows, const struct tracker_ops *ops,
	const struct tracker_tuning *tuning, struct tracker **ret_tracker);
