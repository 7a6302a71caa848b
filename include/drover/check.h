/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Checks: asks members again and again how they do, and decides from what they answer whether
 * they are up. It decides nothing about balancing: the cluster does that.
 *
 * This is a machine without a loop: an epoll descriptor to be watched, and a time at which it
 * wants to be called. All times are microseconds of the monotonic clock.
 */

#include "drover/conf.h"

enum {
	CHECK_DETAIL_MAX = 96,
	/* Falls within so long of each other make a member a flapping one … */
	CHECK_FLAP_SECONDS = 300,
	/* … and each of them doubles what it takes to rise, so often at most. */
	CHECK_FLAP_MAX = 4,
	/* Until all VIPs have answered, so many are asked in an interval. */
	CHECK_ROUND_PART = 4,
};

/* How a probe ended. */
enum check_outcome {
	CHECK_PENDING, /* it has not */
	CHECK_GOOD,
	CHECK_REFUSED,     /* nobody listens on the port */
	CHECK_TIMEOUT,     /* no answer, or not all of it, within the timeout */
	CHECK_UNREACHABLE, /* no way to the host, or it is silent in ARP */
	CHECK_CLOSED,      /* the connection ended before the answer did */
	CHECK_STARTTLS,    /* smtp, pop3, imap: the server does not offer it, or not now */
	CHECK_TLS,         /* no secure connection came about, or the certificate will not do */
	CHECK_BANNER,      /* smtp, pop3, imap: it greets otherwise than a server that is well */
	CHECK_ANSWER,      /* what came is no answer of this protocol, or not the expected one */
	CHECK_STATUS,      /* http, sip, dns: an answer with another status than the wanted ones */
	CHECK_BODY,        /* http: the text is not in the answer */
	CHECK_EXIT,        /* exec: the command failed */
	CHECK_LOCAL,       /* this host could not ask: says nothing about the member */
};

const char *check_outcome_name(enum check_outcome outcome);

enum check_verdict {
	CHECK_UNKNOWN, /* no probe has ended yet */
	CHECK_UP,
	CHECK_DOWN,
};

const char *check_verdict_name(enum check_verdict verdict);

struct check_state {
	enum check_verdict verdict;
	unsigned int run; /* outcomes in a row that speak against the verdict */
	unsigned int
		n_falls;  /* within CHECK_FLAP_SECONDS of each other, CHECK_FLAP_MAX + 1 at most */
	uint64_t fell_us; /* when it last fell */
};

/*
 * The one function that decides: takes one more outcome in. The first outcome of all decides by
 * itself; afterwards check->fall bad ones in a row make a member fall, check_rise_needed() good
 * ones make it rise. n_vips: so many are asked in turn; 0: none is. Returns true if the verdict is
 * another. Pure.
 */
bool check_decide(struct check_state *state, const struct conf_check *check, size_t n_vips,
	enum check_outcome outcome, uint64_t now_us);

/*
 * How many good outcomes in a row it takes: check->rise, doubled with each fall beyond the first.
 * The first of them takes all VIPs.
 */
unsigned int check_rise_needed(
	const struct check_state *state, const struct conf_check *check, size_t n_vips);

struct check_vip {
	struct address address;
	uint32_t priority; /* of what is sent to ask it, see plan_list_probe_vips() */
};

/*
 * Whom to ask what. VIPs are asked in turn, one each time, so that it costs the same however many
 * there are: a server that does not do well fails by each of them, and is found as fast as by one
 * alone. Only what is wrong with one VIP, and with no other, waits for its turn, as many intervals
 * as there are VIPs at most. Who has failed by one goes on to be asked by that one, until it is
 * good again; and whoever has failed, or was never asked, is asked by all in CHECK_ROUND_PART of
 * the time, so that a member that misses several VIPs is not taken for well after the first.
 */
struct check_target {
	const struct conf_check *check;
	const char *member; /* its name, for exec */
	struct address address;
	uint16_t port; /* host order; 0 where the check needs none */
	/*
	 * The VIPs that are asked, and whose they are; none: the address is asked. Of another host
	 * they are asked by sending to the address with a mark (see plan_probe_mark()) and
	 * the VIP's priority, of this one directly.
	 */
	const struct check_vip *vips;
	size_t n_vips;
	const char *group;
	uint32_t mark;
	bool local; /* the member is this host */
};

/* Is asked again and again. However many want the same of the same address, it is one probe. */
struct probe;

struct check_report {
	struct check_target target;
	struct check_state state;
	enum check_outcome outcome; /* of the last probe */
	struct check_vip asked;     /* by that, the VIP; AF_UNSPEC: no VIP was */
	/*
	 * Of a member that does not do well by its VIP: what its own address said when it was asked
	 * afterwards. CHECK_PENDING: it was not.
	 */
	enum check_outcome own_outcome;
	char detail[CHECK_DETAIL_MAX]; /* what was seen of it, printable; may be empty */
	uint64_t since_us;             /* the verdict holds; 0: unknown */
	uint64_t took_us;              /* the last probe, from its begin to its outcome */
	uint64_t n_good, n_bad;        /* outcomes, since the probe exists */
	uint64_t late_us;              /* the most that a probe has begun behind its time */
};

/* Valid until the next call into checks. */
const struct check_report *check_report(const struct probe *probe);

struct checks_ops {
	/* The verdict about a probe's target is another; before held from before_us. */
	void (*changed)(const struct probe *probe, enum check_verdict before, uint64_t before_us,
		void *user_data);
	/* All that can be found out about that change is known. The same arguments, later. */
	void (*explained)(const struct probe *probe, enum check_verdict before, uint64_t before_us,
		void *user_data);
	void *user_data;
};

struct checks;

/* Returns 0 or -errno. */
int checks_new(const struct checks_ops *ops, struct checks **ret_checks);
void checks_free(struct checks *checks);
DEFINE_CLEANUP(struct checks, checks_free)

/* Readable when checks_run() has something to do. */
int checks_fd(const struct checks *checks);

/*
 * What is wanted is said anew as a whole: begin, want for each, end. A probe that is wanted again
 * goes on as it was, be the group's VIPs others or not; one that nobody wants any more is freed at
 * the end. The target's check, names and VIPs are borrowed until then. Returns NULL without memory.
 */
void checks_begin(struct checks *checks);
struct probe *checks_want(
	struct checks *checks, const struct check_target *target, uint64_t now_us);
void checks_end(struct checks *checks);

/* Does what there is to do. Returns when it wants to be called at the latest, UINT64_MAX: never. */
uint64_t checks_run(struct checks *checks, uint64_t now_us);

/*
 * From now on VIPs are asked, too: the kernel has the rules that this takes. Returns true if that
 * is news, and checks_run() is to be called.
 */
bool checks_release(struct checks *checks, uint64_t now_us);

/* True if there is a verdict about everyone that may be asked. */
bool checks_are_known(const struct checks *checks);
