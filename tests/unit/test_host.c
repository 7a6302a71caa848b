/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is missing, by facts alone. */
#include "unit.h"

#include "drover/host.h"
#include "drover/ports.h"

#define UP "droverctl vips up"

/* A host that lacks nothing, with a VIP of each family. */
static struct host_facts good_facts(struct host_vip vips[static 2])
{
	struct host_facts facts = {
		.interface = "eth0",
		.vips = vips,
		.n_vips = 2,
		.lo_up = true,
		.arp_ignore = { .all = 1 },
		.arp_announce = { .interface = 2 },
		.has_ipv6 = true,
		.way_out = "eth0",
		.ephemeral = { 32768, 60999 },
	};

	assert_int_equal(prefix_parse("192.0.2.96/30", &vips[0].prefix), 0);
	vips[0].n_on_lo = 4;
	assert_int_equal(prefix_parse("2001:db8::1", &vips[1].prefix), 0);
	vips[1].n_on_lo = 1;
	return facts;
}

static const struct port_range outgoing[] = { { 20000, 20999 }, { 61000, 61999 } };

/*
 * Writes "NAME: STATE, FOUND" for each check that is not ok, with " -> MEND" if there is one, each
 * with a line feed behind it.
 */
static void judge(const struct host_facts *facts, const struct port_range *ranges, size_t n_ranges,
	char *output, size_t size)
{
	struct host_check checks[HOST_CHECKS];
	FILE *out = fmemopen(output, size, "w");

	assert_non_null(out);
	assert_int_equal(host_check(facts, ranges, n_ranges, UP, checks), 0);
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		const struct host_check *check = &checks[i];

		assert_non_null(check->found);
		if (check->state == HOST_OK) {
			assert_null(check->mend);
			continue;
		}
		fprintf(out, "%s: %s, %s", check->name,
			check->state == HOST_MISSING ? "missing" : "skipped", check->found);
		if (check->mend)
			fprintf(out, " -> %s", check->mend);
		fputc('\n', out);
	}
	assert_int_equal(fclose(out), 0);
	host_checks_done(checks);
}

static void assert_judged(const struct host_facts *facts, const char *expected)
{
	char output[2048] = "";

	judge(facts, outgoing, ARRAY_SIZE(outgoing), output, sizeof(output));
	assert_string_equal(output, expected);
}

static void test_nothing_is_missing(void **state)
{
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);

	(void)state;
	assert_judged(&facts, "");
	/* A loose filter, a strict one that agrees with the way out, or no way out at all. */
	facts.rp_filter.all = 2;
	strcpy(facts.way_out, "eth1");
	assert_judged(&facts, "");
	facts.rp_filter.all = 1;
	strcpy(facts.way_out, "eth0");
	assert_judged(&facts, "");
	facts.way_out[0] = '\0';
	assert_judged(&facts, "");
}

static void test_everything_is_missing(void **state)
{
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);

	(void)state;
	facts.lo_up = false;
	facts.arp_ignore.all = facts.arp_announce.interface = 0;
	facts.rp_filter.interface = 1;
	strcpy(facts.way_out, "eth1");
	facts.ipv6_off_lo = facts.ipv6_off_interface = true;
	facts.ephemeral.first = 20500;
	vips[0].n_on_lo = 1;
	assert_judged(&facts,
		"lo: missing, down: no packet reaches what is on it -> ip link set lo up\n"
		"ipv6: missing, disabled on lo and eth0 -> sysctl -w "
		"net.ipv6.conf.lo.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0\n"
		"arp_ignore: missing, 0 on eth0: this host answers when a VIP on lo is asked for "
		"-> sysctl -w net.ipv4.conf.eth0.arp_ignore=1\n"
		"arp_announce: missing, 0 on eth0: this host asks in the name of a VIP "
		"-> sysctl -w net.ipv4.conf.eth0.arp_announce=2\n"
		"vips: missing, 3 of 5 addresses are not on lo -> " UP "\n"
		"rp_filter: missing, 1 on eth0, but answers leave by eth1: what comes for a VIP is "
		"dropped -> sysctl -w net.ipv4.conf.eth0.rp_filter=2\n"
		"ip_local_port_range: missing, 20500-60999, and so the system may take outgoing "
		"ports 20000-20999 -> sysctl -w net.ipv4.ip_local_port_range=\"21000 60999\"\n");
}

static void test_one_family(void **state)
{
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);
	struct host_write writes[HOST_WRITES_MAX];

	(void)state;
	facts.arp_ignore.all = 0;
	facts.has_ipv6 = false;
	facts.ipv6_off_lo = facts.ipv6_off_interface = true;
	facts.vips = &vips[1];
	facts.n_vips = 1;
	assert_int_equal(host_arp_writes(&facts, writes), 0);
	assert_judged(&facts,
		"ipv6: missing, the kernel has none: it was started with ipv6.disable=1, or lacks "
		"it\n"
		"arp_ignore: skipped, no VIP is of IPv4\n"
		"arp_announce: skipped, no VIP is of IPv4\n"
		"rp_filter: skipped, no VIP is of IPv4\n");
	facts.vips = &vips[0];
	facts.arp_ignore.all = 1;
	assert_judged(&facts, "ipv6: skipped, no VIP is of IPv6\n");
}

static void test_without_an_interface(void **state)
{
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);
	char output[1024] = "";

	(void)state;
	strcpy(facts.interface, HOST_ALL_INTERFACES);
	facts.arp_announce = (struct host_setting){ 5, 5 };
	judge(&facts, NULL, 0, output, sizeof(output));
	assert_string_equal(output,
		"arp_announce: missing, 5 for all interfaces: this host asks in the name of a VIP "
		"-> sysctl -w net.ipv4.conf.all.arp_announce=2\n"
		"rp_filter: skipped, the interface is not known: -i\n"
		"ip_local_port_range: skipped, no outgoing ports of this host are known\n");
}

/* Returns what is written for arp_ignore, " INTERFACE=VALUE" each. */
static void assert_ignore_writes(int all, int interface, const char *expected)
{
	struct host_write writes[HOST_WRITES_MAX];
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);
	char written[64] = "";
	size_t n;

	facts.arp_ignore = (struct host_setting){ all, interface };
	n = host_arp_writes(&facts, writes);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(writes[i].name, "arp_ignore");
		snprintf(written + strlen(written), sizeof(written) - strlen(written), " %s=%d",
			writes[i].interface, writes[i].value);
	}
	assert_string_equal(written, expected);
}

/* The larger value holds, and larger ones are not always stricter. */
static void test_values_of_arp_ignore(void **state)
{
	(void)state;
	assert_ignore_writes(0, 0, " eth0=1");
	assert_ignore_writes(0, 1, "");
	assert_ignore_writes(1, 0, "");
	assert_ignore_writes(2, 0, "");
	assert_ignore_writes(0, 8, "");
	assert_ignore_writes(0, 3, " eth0=1");
	assert_ignore_writes(1, 4, " eth0=1");
	assert_ignore_writes(3, 1, " eth0=1 all=1");
	assert_ignore_writes(3, 8, "");
}

static void assert_free(const char *range, const char *taken, const char *expected)
{
	_cleanup_(free_p) struct port_range *ranges = NULL, *all = NULL;
	char text[PORT_RANGE_TEXT_MAX] = "none";
	struct port_range part;
	size_t n = 0, one;

	assert_int_equal(ports_parse(range, &all, &one), 0);
	if (*taken)
		assert_int_equal(ports_parse(taken, &ranges, &n), 0);
	if (host_free_ports(all, ranges, n, &part))
		port_range_format(&part, text);
	assert_string_equal(text, expected);
}

static void test_free_ports(void **state)
{
	(void)state;
	assert_free("32768-60999", "", "32768-60999");
	assert_free("32768-60999", "33000-33999", "34000-60999");
	assert_free("32768-60999", "60000-65535", "32768-59999");
	assert_free("32768-60999", "40000-49999,34000-34999", "50000-60999");
	assert_free("32768-60999", "1-40000,39000-41000", "41001-60999");
	assert_free("32768-60999", "1-65535", "none");
	assert_free("32768-60999", "32768-60999", "none");
	assert_free("60000-65535", "65535", "60000-65534");
	assert_free("1-65535", "1-65534", "65535");
}

/* Ports that fill the kernel's whole range leave it others. */
static void test_ports_that_fill_the_range(void **state)
{
	static const struct port_range wide = { 30000, 65535 };
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);
	char output[512] = "";

	(void)state;
	judge(&facts, &wide, 1, output, sizeof(output));
	assert_string_equal(output,
		"ip_local_port_range: missing, 32768-60999, and so the system may take outgoing "
		"ports 30000-65535 -> sysctl -w net.ipv4.ip_local_port_range=\"1024 29999\"\n");
}

/* Nobody's command, whatever an interface is called. */
static void test_names_are_quoted(void **state)
{
	struct host_vip vips[2];
	struct host_facts facts = good_facts(vips);

	(void)state;
	strcpy(facts.interface, "$(x).7");
	facts.arp_ignore.all = 0;
	strcpy(facts.way_out, facts.interface);
	assert_judged(&facts,
		"arp_ignore: missing, 0 on $(x).7: this host answers when a VIP on lo is asked for "
		"-> sysctl -w 'net.ipv4.conf.$(x)/7.arp_ignore'=1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_missing),
		cmocka_unit_test(test_everything_is_missing),
		cmocka_unit_test(test_one_family),
		cmocka_unit_test(test_without_an_interface),
		cmocka_unit_test(test_values_of_arp_ignore),
		cmocka_unit_test(test_free_ports),
		cmocka_unit_test(test_ports_that_fill_the_range),
		cmocka_unit_test(test_names_are_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
