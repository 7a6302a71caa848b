/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What makes this host a DSR member, without any daemon: it has the VIPs on lo, does not answer ARP
 * for them, and nothing else keeps packets to them from their service. Facts are read from the
 * kernel, a function without I/O judges them, and VIPs are put on lo and taken from it.
 */

#include "drover/conf.h"

#include <net/if.h>

/* Where a setting holds for every interface, as the kernel names it. */
#define HOST_ALL_INTERFACES "all"

/* --- facts ------------------------------------------------------------------- */

struct host_vip {
	struct prefix prefix;
	size_t n_on_lo; /* of its addresses, whatever their prefix length there */
};

/* A setting of net.ipv4.conf: of the two values, the larger one holds (IN_DEV_MAXCONF). */
struct host_setting {
	int all;
	int interface; /* the same as all, if no interface is named */
};

struct host_facts {
	char interface[IFNAMSIZ]; /* or HOST_ALL_INTERFACES */
	struct host_vip *vips;
	size_t n_vips;
	bool lo_up;
	struct host_setting arp_ignore, arp_announce, rp_filter;
	bool has_ipv6; /* the kernel has, or else the next two are true */
	bool ipv6_off_lo, ipv6_off_interface;
	/*
	 * The interface that answers from a VIP to somebody far away leave by; empty if there is
	 * no such way.
	 */
	char way_out[IFNAMSIZ];
	struct port_range ephemeral;
};

/*
 * Looks at this host, for an interface (NULL: for all) and these VIPs. Needs no privilege. Returns
 * 0, and the caller owns what host_facts_done() releases; -ENODEV if there is no such interface,
 * or -errno.
 */
int host_facts_read(const char *interface, const struct prefix *vips, size_t n_vips,
	struct host_facts *ret_facts);
void host_facts_done(struct host_facts *facts);

/* --- what is missing ------------------------------------------------------------- */

enum host_state {
	HOST_OK,
	HOST_MISSING,
	HOST_SKIPPED, /* found says why */
};

struct host_check {
	const char *name; /* stable: "lo", "ipv6", … */
	enum host_state state;
	char *found; /* what was found, or why nobody looked */
	char *mend;  /* a shell command that mends what is missing; NULL if none is needed or can */
};

enum { HOST_CHECKS = 7 };

/*
 * Judges facts, and the port ranges that this host's outgoing connections from a VIP have. Run one
 * after the other, the commands mend everything; up is the one that puts VIPs on lo, as
 * host_vips_up() does. Returns 0, or -ENOMEM; in both cases release with host_checks_done().
 */
int host_check(const struct host_facts *facts, const struct port_range *outgoing, size_t n_outgoing,
	const char *up, struct host_check ret_checks[static HOST_CHECKS]);
void host_checks_done(struct host_check checks[static HOST_CHECKS]);

/*
 * The longest part of a range of ports that none of these ranges is in. Returns false if there is
 * none.
 */
bool host_free_ports(const struct port_range *range, const struct port_range *taken, size_t n_taken,
	struct port_range *ret_part);

/* A value that has to be written: net.ipv4.conf.INTERFACE.NAME = VALUE. */
struct host_write {
	const char *interface;
	const char *name;
	int value;
};

enum { HOST_WRITES_MAX = 4 };

/*
 * What has to be written, so that this host does not speak of VIPs on lo in ARP; where it does not,
 * nothing. Returns how many; they live as long as the facts.
 */
size_t host_arp_writes(
	const struct host_facts *facts, struct host_write ret_writes[static HOST_WRITES_MAX]);

/* --- changing it ---------------------------------------------------------------------- */

struct host_outcome {
	size_t n_addresses;     /* that the VIPs are */
	size_t n_changed;       /* that were put on lo, or taken from it */
	size_t n_on_lo;         /* that are on lo now */
	size_t n_refused;       /* that the kernel would not put there, or take away … */
	struct address refused; /* … the first of them … */
	int error;              /* … and why: -errno */
	struct host_write writes[HOST_WRITES_MAX];
	size_t n_writes; /* those done; if one fails, it is the next, and its error is returned */
};

/*
 * Silences ARP as facts demand, sets lo up, and puts the VIPs on it, in this order, so that nobody
 * hears of a VIP. IPv6 ones are put there as deprecated ones and not probed for duplicates. Only
 * what is missing is changed. Returns 0 or -errno; an address that the kernel refuses is no error
 * but counted.
 */
int host_vips_up(const struct host_facts *facts, struct host_outcome *ret_outcome);

/*
 * Takes the VIPs from lo, where they are there with their full prefix length, and from no other
 * interface. ARP stays silent: others may rely on that. Returns as host_vips_up() does.
 */
int host_vips_down(const struct host_facts *facts, struct host_outcome *ret_outcome);
