/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a member's host lacks, and what mends it. Facts in, findings out: nothing is read here. */

#include "drover/host.h"
#include "drover/ports.h"
#include "drover/shell.h"
#include "drover/sysctl.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* Everything that a check may go by. */
struct question {
	const struct host_facts *facts;
	const struct port_range *outgoing;
	size_t n_outgoing;
	const char *up;
};

/* Each returns 0 or -ENOMEM. */
static int say(struct host_check *check, enum host_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int say(struct host_check *check, enum host_state state, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&check->found, format, arguments);
	va_end(arguments);
	if (length < 0) {
		check->found = NULL;
		return -ENOMEM;
	}
	check->state = state;
	return 0;
}

/* --- commands ------------------------------------------------------------------ */

static int mend(struct host_check *check, const char *command)
{
	check->mend = strdup(command);
	return check->mend ? 0 : -ENOMEM;
}

static int print_write(FILE *out, int family, const struct host_write *write)
{
	_cleanup_(free_p) char *key = sysctl_key(family, write->interface, write->name);
	_cleanup_(free_p) char *word = key ? shell_word(key) : NULL;

	if (!word)
		return -ENOMEM;
	fprintf(out, " %s=%d", word, write->value);
	return 0;
}

static int mend_by_writing(
	struct host_check *check, int family, const struct host_write *writes, size_t n)
{
	size_t size;
	FILE *out = open_memstream(&check->mend, &size);
	int r = 0;

	if (!out)
		return -ENOMEM;
	fputs("sysctl -w", out);
	for (size_t i = 0; i < n && r == 0; i++)
		r = print_write(out, family, &writes[i]);
	return fclose(out) != 0 ? -ENOMEM : r;
}

/* --- facts about facts ------------------------------------------------------------ */

static bool has_family(const struct host_facts *facts, int family)
{
	for (size_t i = 0; i < facts->n_vips; i++)
		if (facts->vips[i].prefix.address.family == family)
			return true;
	return false;
}

static bool names_interface(const struct host_facts *facts)
{
	return strcmp(facts->interface, HOST_ALL_INTERFACES) != 0;
}

static int effective(const struct host_setting *setting)
{
	return setting->all > setting->interface ? setting->all : setting->interface;
}

/*
 * arp_ignore() in net/ipv4/arp.c: 1 and 2 answer for addresses of the interface that was asked on,
 * 8 for none; 3 does for those on lo, unless of scope host; what has no meaning acts as 0.
 */
static bool ignores_arp(int value)
{
	return value == 1 || value == 2 || value == 8;
}

/*
 * arp_solicit(), there too: 1 still asks in the name of a VIP if it is of the interface's subnet;
 * what has no meaning acts as 0.
 */
static bool announces_own(int value)
{
	return value == 2;
}

/* Brings the larger of both to the wanted value. Returns how many are to be written. */
static size_t arp_write(const struct host_facts *facts, const struct host_setting *setting,
	const char *name, int wanted, struct host_write *ret_writes)
{
	size_t n = 0;

	ret_writes[n++] = (struct host_write){ facts->interface, name, wanted };
	if (setting->all > wanted && names_interface(facts))
		ret_writes[n++] = (struct host_write){ HOST_ALL_INTERFACES, name, wanted };
	return n;
}

static size_t ignore_writes(const struct host_facts *facts, struct host_write *ret_writes)
{
	if (ignores_arp(effective(&facts->arp_ignore)))
		return 0;
	return arp_write(facts, &facts->arp_ignore, "arp_ignore", 1, ret_writes);
}

static size_t announce_writes(const struct host_facts *facts, struct host_write *ret_writes)
{
	if (announces_own(effective(&facts->arp_announce)))
		return 0;
	return arp_write(facts, &facts->arp_announce, "arp_announce", 2, ret_writes);
}

size_t host_arp_writes(
	const struct host_facts *facts, struct host_write ret_writes[static HOST_WRITES_MAX])
{
	size_t n;

	if (!has_family(facts, AF_INET))
		return 0;
	n = ignore_writes(facts, ret_writes);
	return n + announce_writes(facts, ret_writes + n);
}

/* --- the checks -------------------------------------------------------------------- */

static int check_lo(struct host_check *check, const struct question *question)
{
	if (question->facts->lo_up)
		return say(check, HOST_OK, "up");
	if (say(check, HOST_MISSING, "down: no packet reaches what is on it") < 0)
		return -ENOMEM;
	return mend(check, "ip link set lo up");
}

static int check_ipv6(struct host_check *check, const struct question *question)
{
	const struct host_facts *facts = question->facts;
	bool lo = facts->ipv6_off_lo, interface = facts->ipv6_off_interface;
	struct host_write writes[2];
	size_t n = 0;

	if (!has_family(facts, AF_INET6))
		return say(check, HOST_SKIPPED, "no VIP is of IPv6");
	if (!facts->has_ipv6)
		return say(check, HOST_MISSING,
			"the kernel has none: it was started with ipv6.disable=1, or lacks it");
	if (!lo && !interface)
		return say(check, HOST_OK, "enabled");
	if (lo)
		writes[n++] = (struct host_write){ "lo", "disable_ipv6", 0 };
	if (interface)
		writes[n++] = (struct host_write){ facts->interface, "disable_ipv6", 0 };
	if (say(check, HOST_MISSING, "disabled on %s%s%s", lo ? "lo" : "",
		    lo && interface ? " and " : "", interface ? facts->interface : "") < 0)
		return -ENOMEM;
	return mend_by_writing(check, AF_INET6, writes, n);
}

/* What the two settings of ARP have in common; visible says what comes of a wrong one. */
static int check_arp(struct host_check *check, const struct host_facts *facts,
	const struct host_setting *setting, const char *visible, const struct host_write *writes,
	size_t n)
{
	const char *what = names_interface(facts) ? "on " : "for ";
	const char *where = names_interface(facts) ? facts->interface : "all interfaces";

	if (!has_family(facts, AF_INET))
		return say(check, HOST_SKIPPED, "no VIP is of IPv4");
	if (n == 0)
		return say(check, HOST_OK, "%d %s%s", effective(setting), what, where);
	if (say(check, HOST_MISSING, "%d %s%s: %s", effective(setting), what, where, visible) < 0)
		return -ENOMEM;
	return mend_by_writing(check, AF_INET, writes, n);
}

static int check_arp_ignore(struct host_check *check, const struct question *question)
{
	struct host_write writes[HOST_WRITES_MAX];
	size_t n = ignore_writes(question->facts, writes);

	return check_arp(check, question->facts, &question->facts->arp_ignore,
		"this host answers when a VIP on lo is asked for", writes, n);
}

static int check_arp_announce(struct host_check *check, const struct question *question)
{
	struct host_write writes[HOST_WRITES_MAX];
	size_t n = announce_writes(question->facts, writes);

	return check_arp(check, question->facts, &question->facts->arp_announce,
		"this host asks in the name of a VIP", writes, n);
}

static int check_vips(struct host_check *check, const struct question *question)
{
	const struct host_facts *facts = question->facts;
	size_t n = 0, n_on_lo = 0;

	for (size_t i = 0; i < facts->n_vips; i++) {
		n += prefix_count(&facts->vips[i].prefix);
		n_on_lo += facts->vips[i].n_on_lo;
	}
	if (n_on_lo == n)
		return say(check, HOST_OK, "all addresses are on lo");
	if (say(check, HOST_MISSING, "%zu of %zu addresses are not on lo", n - n_on_lo, n) < 0)
		return -ENOMEM;
	return mend(check, question->up);
}

/*
 * fib_validate_source(): a strict filter (1) drops what comes from where answers do not go to; a
 * loose one (2) does only if there is no way to answer at all, and then it is not at fault.
 */
static int check_rp_filter(struct host_check *check, const struct question *question)
{
	const struct host_facts *facts = question->facts;
	const struct host_write write = { facts->interface, "rp_filter", 2 };
	int value = effective(&facts->rp_filter);

	if (!has_family(facts, AF_INET))
		return say(check, HOST_SKIPPED, "no VIP is of IPv4");
	if (!names_interface(facts))
		return say(check, HOST_SKIPPED, "the interface is not known: -i");
	if (value != 1 || !*facts->way_out || strcmp(facts->way_out, facts->interface) == 0)
		return say(check, HOST_OK, "%d on %s", value, facts->interface);
	if (say(check, HOST_MISSING,
		    "%d on %s, but answers leave by %s: what comes for a VIP is dropped", value,
		    facts->interface, facts->way_out) < 0)
		return -ENOMEM;
	return mend_by_writing(check, AF_INET, &write, 1);
}

/* Returns the range that is in the way, or NULL. */
static const struct port_range *find_overlap(const struct question *question)
{
	for (size_t i = 0; i < question->n_outgoing; i++)
		if (port_range_overlaps(&question->outgoing[i], &question->facts->ephemeral))
			return &question->outgoing[i];
	return NULL;
}

/* What is left of the kernel's range, or else of all ports that are not for servers alone. */
static int mend_ports(struct host_check *check, const struct question *question)
{
	static const struct port_range unprivileged = { .first = 1024, .last = 65535 };
	struct port_range part;

	if (!host_free_ports(
		    &question->facts->ephemeral, question->outgoing, question->n_outgoing, &part) &&
		!host_free_ports(&unprivileged, question->outgoing, question->n_outgoing, &part))
		return 0;
	if (asprintf(&check->mend, "sysctl -w net.ipv4.ip_local_port_range=\"%u %u\"", part.first,
		    part.last) < 0) {
		check->mend = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int check_ports(struct host_check *check, const struct question *question)
{
	const struct port_range *ephemeral = &question->facts->ephemeral;
	const struct port_range *overlap = find_overlap(question);
	char text[PORT_RANGE_TEXT_MAX], range[PORT_RANGE_TEXT_MAX];

	port_range_format(ephemeral, range);
	if (question->n_outgoing == 0)
		return say(check, HOST_SKIPPED, "no outgoing ports of this host are known");
	if (!overlap)
		return say(check, HOST_OK, "%s, apart from outgoing ports", range);
	if (say(check, HOST_MISSING, "%s, and so the system may take outgoing ports %s", range,
		    port_range_format(overlap, text)) < 0)
		return -ENOMEM;
	return mend_ports(check, question);
}

/*
 * In the order in which their commands have to be run: ARP is silent before there is a VIP, and
 * IPv6 is there before its addresses.
 */
static const struct {
	const char *name;
	int (*check)(struct host_check *check, const struct question *question);
} all_checks[HOST_CHECKS] = {
	{ "lo", check_lo },
	{ "ipv6", check_ipv6 },
	{ "arp_ignore", check_arp_ignore },
	{ "arp_announce", check_arp_announce },
	{ "vips", check_vips },
	{ "rp_filter", check_rp_filter },
	{ "ip_local_port_range", check_ports },
};

int host_check(const struct host_facts *facts, const struct port_range *outgoing, size_t n_outgoing,
	const char *up, struct host_check ret_checks[static HOST_CHECKS])
{
	const struct question question = { facts, outgoing, n_outgoing, up };
	int result = 0;

	for (size_t i = 0; i < HOST_CHECKS; i++) {
		ret_checks[i] = (struct host_check){ .name = all_checks[i].name };
		if (all_checks[i].check(&ret_checks[i], &question) < 0)
			result = -ENOMEM;
	}
	return result;
}

void host_checks_done(struct host_check checks[static HOST_CHECKS])
{
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		free(checks[i].found);
		free(checks[i].mend);
	}
}
