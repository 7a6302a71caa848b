/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Good and bad configurations. The bad ones with one fault each are files in
 * tests/conf-bad, so that the behaviour tests can feed them to droverd -t.
 */
#include "unit.h"

#include "drover/conf.h"
#include "drover/ports.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

DEFINE_CLEANUP(DIR, closedir)

/* --- a folder for the test's own files ------------------------------------ */

static char folder[] = "/tmp/drover-conf-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	_cleanup_(closedir_p) DIR *dir = opendir(folder);

	for (struct dirent *entry; (entry = readdir(dir));)
		unlinkat(dirfd(dir), entry->d_name, 0);
	(void)state;
	return rmdir(folder);
}

/* Returns the path of a file in the folder; the next call with this buffer overwrites it. */
static const char *in_folder(const char *name, char path[static PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", folder, name);
	return path;
}

static void write_bytes(const char *name, const void *bytes, size_t n)
{
	char path[PATH_MAX];
	_cleanup_(fclose_p) FILE *file = fopen(in_folder(name, path), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static char *read_source(const char *name)
{
	const char *source = getenv("DROVER_SOURCE");
	char path[PATH_MAX];
	_cleanup_(fclose_p) FILE *file = NULL;
	char *text = NULL;
	size_t size = 0;

	snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(getdelim(&text, &size, '\0', file) > 0);
	return text;
}

/* --- good ones ----------------------------------------------------------- */

static struct conf *parse_good(const char *path, const char *text)
{
	struct conf_errors errors;
	struct conf *conf = NULL;

	if (conf_parse(path, text, &conf, &errors) < 0)
		fail_msg("%s", errors.messages[0]);
	assert_int_equal(errors.n_messages, 0);
	conf_errors_done(&errors);
	return conf;
}

static void assert_address(const struct address *address, const char *text)
{
	char buffer[ADDRESS_TEXT_MAX];

	assert_string_equal(address_format(address, buffer), text);
}

static void assert_vip(
	const struct conf_vip *vip, const char *text, const char *file, unsigned int line)
{
	char buffer[PREFIX_TEXT_MAX];

	assert_string_equal(prefix_format(&vip->prefix, buffer), text);
	assert_string_equal(vip->location.file, file);
	assert_int_equal(vip->location.line, line);
}

static void assert_ports(const struct port_range *ports, size_t n, const char *expected)
{
	_cleanup_(free_p) char *text = ports_format(ports, n);

	assert_string_equal(text, expected);
}

/* The sample of the design, with a vips_file that exists. */
static const char sample[] =
	"node      = \"fe5\";\n"
	"interface = \"eth0\";\n"
	"election  = \"manual\";                   # \"always\" | \"manual\"\n"
	"buckets   = 8192;\n"
	"seed      = 0xf4726f76;\n"
	"control   = \"/run/drover/other.sock\";\n"
	"\n"
	"groups = ( {\n"
	"  name = \"A\";\n"
	"  vips      = [ \"64.173.55.164\", \"72.20.112.48/29\" ];\n"
	"  vips_file = \"vipaddrs\";\n"
	"  members = (\n"
	"    { name = \"fe5\"; address = \"64.173.55.180\"; weight = 70; balancer = true;\n"
	"      outgoing = \"33000-33999,36000\"; },\n"
	"    { name = \"fe6\"; address = \"64.173.55.181\"; mac = \"02:00:00:00:00:06\"; }\n"
	"  );\n"
	"  services = (\n"
	"    { name = \"smtp\"; protocol = \"tcp\"; ports = \"465,25,587\"; scheduler = \"hash\";\n"
	"      check = \"smtp\"; },\n"
	"    { name = \"sip\";  protocol = \"udp\"; ports = \"5060\"; scheduler = \"rr\";\n"
	"      check = \"sip\"; members = ( \"fe6\", \"fe5\" ); },\n"
	"    { name = \"web\"; protocol = \"tcp\"; ports = \"80\"; scheduler = \"source\";\n"
	"      members = [ \"fe6\" ]; },\n"
	"    { name = \"rest\"; protocol = \"any\"; scheduler = \"random\"; }\n"
	"  );\n"
	"  balancers = ( { name = \"lb1\"; address = \"64.173.55.170\"; } );\n"
	"} );\n"
	"sync = { id = 7; peers = [ \"64.173.55.181\", \"2001:db8::1\" ];\n"
	"  multicast = \"239.192.8.148\"; port = 8849; key_file = \"/etc/drover/sync.key\"; };\n";

static void check_sample_members(const struct conf_group *group, const char *file)
{
	const struct conf_member *fe5 = &group->members[0], *fe6 = &group->members[1];
	const struct conf_member *lb1 = &group->members[2];
	char buffer[MAC_TEXT_MAX];

	assert_int_equal(group->n_members, 3);
	assert_string_equal(fe5->name, "fe5");
	assert_address(&fe5->address, "64.173.55.180");
	assert_false(fe5->has_mac);
	assert_int_equal(fe5->weight, 70);
	assert_true(fe5->balancer);
	assert_false(fe5->balancer_only);
	assert_int_equal(fe5->n_outgoing, 2);
	assert_ports(&fe5->outgoing[0].range, 1, "33000-33999");
	assert_ports(&fe5->outgoing[1].range, 1, "36000");
	assert_int_equal(fe5->outgoing[1].location.line, 14);
	assert_string_equal(fe5->location.file, file);
	assert_int_equal(fe5->location.line, 13);

	assert_string_equal(fe6->name, "fe6");
	assert_true(fe6->has_mac);
	assert_string_equal(mac_format(&fe6->mac, buffer), "02:00:00:00:00:06");
	assert_int_equal(fe6->weight, CONF_WEIGHT_DEFAULT);
	assert_false(fe6->balancer);
	assert_int_equal(fe6->n_outgoing, 0);
	assert_int_equal(fe6->location.line, 15);

	assert_string_equal(lb1->name, "lb1");
	assert_true(lb1->balancer);
	assert_true(lb1->balancer_only);
	assert_int_equal(lb1->weight, 0);
}

static void check_sample_services(const struct conf_group *group)
{
	const struct conf_service *smtp = &group->services[0], *sip = &group->services[1];
	const struct conf_service *web = &group->services[2], *rest = &group->services[3];

	assert_int_equal(group->n_services, 4);
	assert_string_equal(smtp->name, "smtp");
	assert_int_equal(smtp->protocol, CONF_PROTOCOL_TCP);
	assert_ports(smtp->ports, smtp->n_ports, "25,465,587");
	assert_int_equal(smtp->scheduler, CONF_SCHEDULER_HASH);
	assert_string_equal(smtp->check, "smtp");
	assert_true(smtp->all_members);
	assert_int_equal(smtp->n_members, 2);
	assert_int_equal(smtp->members[0], 0);
	assert_int_equal(smtp->members[1], 1);
	assert_int_equal(smtp->location.line, 18);

	assert_int_equal(sip->protocol, CONF_PROTOCOL_UDP);
	assert_int_equal(sip->scheduler, CONF_SCHEDULER_RR);
	assert_false(sip->all_members);
	assert_int_equal(sip->n_members, 2);
	assert_int_equal(sip->members[0], 0);
	assert_int_equal(sip->members[1], 1);

	assert_int_equal(web->scheduler, CONF_SCHEDULER_SOURCE);
	assert_null(web->check);
	assert_int_equal(web->n_members, 1);
	assert_int_equal(web->members[0], 1);

	assert_int_equal(rest->protocol, CONF_PROTOCOL_ANY);
	assert_int_equal(rest->scheduler, CONF_SCHEDULER_RANDOM);
	assert_int_equal(rest->n_ports, 0);
	assert_true(rest->all_members);
	assert_int_equal(rest->n_members, 2);
}

static void test_sample(void **state)
{
	char path[PATH_MAX], vipaddrs[PATH_MAX];
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf_group *group;

	write_text("vipaddrs", "# ours\n\n192.0.2.1\r\n  192.0.2.16/28\t# a range\n198.51.100.9");
	in_folder("vipaddrs", vipaddrs);
	conf = parse_good(in_folder("drover.conf", path), sample);

	assert_string_equal(conf->path, path);
	assert_string_equal(conf->node, "fe5");
	assert_string_equal(conf->interface, "eth0");
	assert_int_equal(conf->election, CONF_ELECTION_MANUAL);
	assert_int_equal(conf->buckets, 8192);
	assert_int_equal(conf->seed, 0xf4726f76);
	assert_string_equal(conf->control, "/run/drover/other.sock");
	assert_int_equal(conf->n_files, 2);

	assert_int_equal(conf->n_groups, 1);
	group = conf_find_group(conf, "A");
	assert_ptr_equal(group, &conf->groups[0]);
	assert_null(conf_find_group(conf, "B"));
	assert_string_equal(group->name, "A");
	assert_int_equal(group->location.line, 8);
	assert_int_equal(group->n_vips, 5);
	assert_vip(&group->vips[0], "64.173.55.164", path, 10);
	assert_vip(&group->vips[1], "72.20.112.48/29", path, 10);
	assert_vip(&group->vips[2], "192.0.2.1", vipaddrs, 3);
	assert_vip(&group->vips[3], "192.0.2.16/28", vipaddrs, 4);
	assert_vip(&group->vips[4], "198.51.100.9", vipaddrs, 5);
	check_sample_members(group, path);
	check_sample_services(group);
	assert_ptr_equal(conf_group_find_member(group, "lb1"), &group->members[2]);
	assert_null(conf_group_find_member(group, "lb2"));

	assert_true(conf->sync.present);
	assert_int_equal(conf->sync.id, 7);
	assert_int_equal(conf->sync.n_peers, 2);
	assert_address(&conf->sync.peers[0], "64.173.55.181");
	assert_address(&conf->sync.peers[1], "2001:db8::1");
	assert_true(conf->sync.has_multicast);
	assert_address(&conf->sync.multicast, "239.192.8.148");
	assert_int_equal(conf->sync.port, 8849);
	assert_string_equal(conf->sync.key_file, "/etc/drover/sync.key");
	(void)state;
}

#define GROUP(name, vip, members, services)                                                        \
	"{ name = \"" name "\"; vips = [ \"" vip "\" ];\n"                                         \
	"members = ( " members " );\n"                                                             \
	"services = ( " services " ); }"
#define FE5 "{ name = \"fe5\"; address = \"192.0.2.5\"; balancer = true; }"
#define FE6 "{ name = \"fe6\"; address = \"192.0.2.6\"; }"
#define ALL "{ name = \"all\"; protocol = \"any\"; }"

/* Line 1 is the caller's, "groups" is line 2. */
#define CONF(settings, groups)                                                                     \
	"node = \"fe5\"; interface = \"eth0\"; " settings "\ngroups = ( " groups " );\n"

static void test_defaults(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = parse_good(
		"t", CONF("sync = { multicast = \"239.1.1.1\"; key_file = \"/k\"; };",
			     GROUP("A", "192.0.2.1", FE5, ALL)));

	assert_int_equal(conf->election, CONF_ELECTION_MANUAL);
	assert_int_equal(conf->buckets, CONF_BUCKETS_DEFAULT);
	assert_int_equal(conf->seed, CONF_DEFAULT_SEED);
	assert_string_equal(conf->control, CONF_DEFAULT_CONTROL);
	assert_int_equal(conf->groups[0].members[0].weight, CONF_WEIGHT_DEFAULT);
	assert_int_equal(conf->groups[0].services[0].scheduler, CONF_SCHEDULER_HASH);
	assert_int_equal(conf->groups[0].services[0].persistence, 0);
	assert_true(conf->counters);
	assert_true(conf->member_guard);
	assert_true(conf->sync.present);
	assert_int_equal(conf->sync.port, 8848);
	assert_int_equal(conf->sync.n_peers, 0);
	assert_true(conf->sync.has_multicast);
	assert_string_equal(conf->sync.key_file, "/k");
	assert_int_equal(conf->pins, 65536);
	assert_int_equal(conf->takeover_wait, 5);
	(void)state;
}

static void test_counters(void **state)
{
	_cleanup_(conf_free_p) struct conf *on = parse_good(
		"t", CONF("counters = true;", GROUP("A", "192.0.2.1", FE5, ALL)));
	_cleanup_(conf_free_p) struct conf *off = parse_good(
		"t", CONF("counters = false;", GROUP("A", "192.0.2.1", FE5, ALL)));

	assert_true(on->counters);
	assert_false(off->counters);
	(void)state;
}

static void test_member_guard(void **state)
{
	_cleanup_(conf_free_p) struct conf *on = parse_good(
		"t", CONF("member_guard = true;", GROUP("A", "192.0.2.1", FE5, ALL)));
	_cleanup_(conf_free_p) struct conf *off = parse_good(
		"t", CONF("member_guard = false;", GROUP("A", "192.0.2.1", FE5, ALL)));

	assert_true(on->member_guard);
	assert_false(off->member_guard);
	(void)state;
}

static void test_persistence(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = parse_good(
		"t", CONF("", GROUP("A", "192.0.2.1", FE5,
				      "{ name = \"a\"; protocol = \"tcp\"; ports = \"1\";\n"
				      "persistence = 86400; },\n"
				      "{ name = \"b\"; protocol = \"tcp\"; ports = \"2\";\n"
				      "scheduler = \"rr\"; persistence = 1; },\n"
				      "{ name = \"c\"; protocol = \"tcp\"; persistence = 0; }")));
	const struct conf_service *services = conf->groups[0].services;

	assert_int_equal(services[0].persistence, CONF_PERSISTENCE_MAX);
	assert_int_equal(services[1].persistence, 1);
	assert_int_equal(services[2].persistence, 0);
	(void)state;
}

/* VIPs of both families in both places, hosts of either. */
static void test_dual_stack(void **state)
{
	char path[PATH_MAX], vipaddrs[PATH_MAX];
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf_group *group;

	write_text("vipaddrs6", "192.0.2.2\n2001:DB8:0::200/120 # a range\n2001:db8::5\n");
	in_folder("vipaddrs6", vipaddrs);
	conf = parse_good(in_folder("drover.conf", path),
		"node = \"fe5\"; interface = \"eth0\"; groups = ( { name = \"A\";\n"
		"vips = [ \"2001:db8::100\", \"192.0.2.1\", \"2001:db8::1f0/124\" ];\n"
		"vips_file = \"vipaddrs6\";\n"
		"members = ( " FE5 ", { name = \"fe6\"; address = \"2001:db8::6\"; } );\n"
		"balancers = ( { name = \"lb1\"; address = \"fd00::1\"; } );\n"
		"services = ( " ALL " ); } );");
	group = &conf->groups[0];
	assert_int_equal(group->n_vips, 6);
	assert_vip(&group->vips[0], "2001:db8::100", path, 2);
	assert_int_equal(group->vips[0].prefix.length, 128);
	assert_vip(&group->vips[1], "192.0.2.1", path, 2);
	assert_vip(&group->vips[2], "2001:db8::1f0/124", path, 2);
	assert_vip(&group->vips[3], "192.0.2.2", vipaddrs, 1);
	assert_vip(&group->vips[4], "2001:db8::200/120", vipaddrs, 2);
	assert_vip(&group->vips[5], "2001:db8::5", vipaddrs, 3);
	assert_address(&group->members[0].address, "192.0.2.5");
	assert_address(&group->members[1].address, "2001:db8::6");
	assert_address(&group->members[2].address, "fd00::1");
	(void)state;
}

static void test_seeds(void **state)
{
	static const struct {
		const char *setting;
		uint32_t seed;
	} cases[] = {
		{ "seed = 0;", 0 },
		{ "seed = 0x7fffffff;", 0x7fffffff },
		{ "seed = 0x80000000;", 0x80000000 },
		{ "seed = 0xFFFFFFFF;", 0xffffffff },
		{ "seed = 0xffffffffL;", 0xffffffff },
		{ "seed = 4294967295;", 0xffffffff },
		{ "seed = 4294967295L;", 0xffffffff },
		{ "seed = 010;", 10 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(conf_free_p) struct conf *conf = NULL;
		char text[512];

		snprintf(text, sizeof(text), "%s%s", cases[i].setting,
			CONF("", GROUP("A", "192.0.2.1", FE5, ALL)));
		conf = parse_good("t", text);
		assert_int_equal(conf->seed, cases[i].seed);
	}
	(void)state;
}

/* What may look like a clash and is none. */
static void test_allowed(void **state)
{
	static const char *const texts[] = {
		/* the same ports on different protocols; the rest beside a service */
		CONF("", GROUP("A", "192.0.2.1", FE5,
				 "{ name = \"a\"; protocol = \"tcp\"; ports = \"53,80-90\"; },\n"
				 "{ name = \"b\"; protocol = \"udp\"; ports = \"53,80-90\"; },\n"
				 "{ name = \"c\"; protocol = \"tcp\"; },\n"
				 "{ name = \"d\"; protocol = \"udp\"; }")),
		/* one host in two groups, known by its mac in one of them */
		CONF("election = \"always\";",
			GROUP("A", "192.0.2.1", FE5, ALL) ",\n" GROUP("B", "192.0.2.2",
				"{ name = \"fe5\"; address = \"192.0.2.5\"; balancer = true;\n"
				"mac = \"02:00:00:00:00:05\"; outgoing = \"1-65535\"; }",
				ALL)),
		/* a node that only balances; VIPs side by side; no peers */
		"interface = \"a234567890bcdef\"; node = \"lb1\"; sync = { peers = ( ); key_file = "
		"\"/k\";\n"
		"multicast = \"ff02::1234\"; };\n"
		"groups = ( { name = \"A\"; vips = [ \"192.0.2.0/25\", \"192.0.2.128/25\" ];\n"
		"members = ( { name = \"m\"; address = \"10.0.0.1\"; weight = 0; } );\n"
		"balancers = ( { name = \"lb1\"; address = \"10.0.0.2\"; } );\n"
		"services = ( " ALL " ); } );",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(conf_free_p) struct conf *conf = parse_good("t", texts[i]);

		assert_true(conf->n_groups > 0);
	}
	(void)state;
}

static void test_default_node(void **state)
{
	static const char format[] =
		"interface = \"eth0\"; groups = ( { name = \"A\"; vips = [ \"192.0.2.1\" ];\n"
		"members = ( { name = \"%s\"; address = \"192.0.2.5\"; balancer = true; } );\n"
		"services = ( " ALL " ); } );";
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	char host[HOST_NAME_MAX + 1] = "", text[1024];

	gethostname(host, sizeof(host) - 1);
	snprintf(text, sizeof(text), format, host);
	conf = parse_good("t", text);
	assert_string_equal(conf->node, host);
	(void)state;
}

static void test_example(void **state)
{
	_cleanup_(free_p) char *example = read_source("contrib/examples/drover.conf"), *text = NULL;
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	assert_true(asprintf(&text, "node = \"fe5\";\n%s", example) > 0);
	conf = parse_good("drover.conf", text);
	assert_int_equal(conf->groups[0].n_members, 3);
	assert_int_equal(conf->groups[0].n_services, 6);
	(void)state;
}

static void test_include(void **state)
{
	char path[PATH_MAX], inner[PATH_MAX];
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	write_text("group.inc", "# the group\n" GROUP("A", "192.0.2.1", FE5, ALL) "\n");
	in_folder("group.inc", inner);
	conf = parse_good(in_folder("drover.conf", path),
		"interface = \"eth0\"; groups = (\n"
		"  @include \"group.inc\" );\n"
		"node = \"fe5\"; /* @include \"nothing\" */ // @include\n");
	assert_string_equal(conf->groups[0].location.file, inner);
	assert_int_equal(conf->groups[0].location.line, 2);
	assert_int_equal(conf->groups[0].members[0].location.line, 3);
	(void)state;
}

static void test_names(void **state)
{
	assert_string_equal(conf_scheduler_name(CONF_SCHEDULER_HASH), "hash");
	assert_string_equal(conf_scheduler_name(CONF_SCHEDULER_SOURCE), "source");
	assert_string_equal(conf_scheduler_name(CONF_SCHEDULER_RR), "rr");
	assert_string_equal(conf_scheduler_name(CONF_SCHEDULER_RANDOM), "random");
	assert_string_equal(conf_election_name(CONF_ELECTION_MANUAL), "manual");
	assert_string_equal(conf_election_name(CONF_ELECTION_ALWAYS), "always");
	assert_string_equal(conf_protocol_name(CONF_PROTOCOL_TCP), "tcp");
	assert_string_equal(conf_protocol_name(CONF_PROTOCOL_UDP), "udp");
	assert_string_equal(conf_protocol_name(CONF_PROTOCOL_ANY), "any");
	(void)state;
}

/* --- bad ones ------------------------------------------------------------ */

static void assert_refused(int result, const struct conf *conf, const struct conf_errors *errors)
{
	assert_int_equal(result, -EINVAL);
	assert_null(conf);
	assert_true(errors->n_messages > 0);
}

/* Parses a text and compares all of its messages, one a line. */
static void assert_faults(const char *path, const char *text, const char *expected)
{
	_cleanup_(free_p) char *messages = NULL;
	struct conf_errors errors;
	struct conf *conf = NULL;
	size_t length;
	FILE *stream;

	assert_refused(conf_parse(path, text, &conf, &errors), conf, &errors);
	stream = open_memstream(&messages, &length);
	for (size_t i = 0; i < errors.n_messages; i++)
		fprintf(stream, "%s\n", errors.messages[i]);
	fclose(stream);
	assert_string_equal(messages, expected);
	conf_errors_done(&errors);
}

static void test_all_faults_in_order(void **state)
{
	assert_faults("t",
		"interface = 5; node = \"fe5\";\n"
		"seed = -7;\n"
		"groups = ( {\n"
		"  name = \"A\";\n"
		"  services = (\n"
		"    { name = \"x\"; protocol = \"tcp\"; ports = \"1-9\"; members = [\n"
		"      \"fe6\",\n"
		"      \"fe7\"\n"
		"    ]; },\n"
		"    { name = \"x\"; protocol = \"any\"; ports = \"9,9x\"; },\n"
		"    { ports = \"9\"; protocol = \"any\"; colour = \"red\"; }\n"
		"  );\n"
		"  members = (\n"
		"    { name = \"fe5\"; address = \"192.0.2.5\"; weight = 99999; outgoing = "
		"\"5,6\"; },\n"
		"    { name = \"fe6\"; address = \"192.0.2.5\"; outgoing = \"70-80,80\"; },\n"
		"  { name = \"..\"; }\n"
		"  );\n"
		"  vips = [ \"192.0.2.0/28\",\n"
		"    \"192.0.2.3\" ];\n"
		"} );\n",
		"t:1: interface must be a string: \"…\"\n"
		"t:2: seed -7 is outside 0..4294967295\n"
		"t:3: group \"A\": there is no balancer: no member has balancer = true\n"
		"t:8: group \"A\": service \"x\": the group has no member \"fe7\"\n"
		"t:10: group \"A\": service \"x\": ports \"9,9x\" is no list like "
		"\"25,465,6000-6999\"\n"
		"t:10: group \"A\": there are two services \"x\"\n"
		"t:11: group \"A\": service 3: unknown setting \"colour\"\n"
		"t:11: group \"A\": service 3: name is missing\n"
		"t:11: group \"A\": ports 9 overlap service \"x\" of line 6\n"
		"t:14: group \"A\": member \"fe5\": weight 99999 is outside 0..65535\n"
		"t:14: group \"A\": outgoing 5 overlaps ports 1-9 of service \"x\"\n"
		"t:14: group \"A\": outgoing 6 overlaps ports 1-9 of service \"x\"\n"
		"t:15: group \"A\": two members have the address 192.0.2.5\n"
		"t:15: group \"A\": outgoing 80 overlaps outgoing 70-80 of line 15\n"
		"t:16: group \"A\": member 3: name \"..\" is no name: 1 to 63 letters, digits, "
		"'.', "
		"'_' or '-', a letter or digit first\n"
		"t:16: group \"A\": member 3: address is missing\n"
		"t:18: group \"A\": VIP 192.0.2.0/28 has the address of member \"fe5\"\n"
		"t:18: group \"A\": VIP 192.0.2.0/28 has the address of member \"fe6\"\n"
		"t:19: VIP 192.0.2.3 overlaps VIP 192.0.2.0/28 of t:18\n");
	(void)state;
}

static void test_vipaddrs_faults(void **state)
{
	static const char bytes[] = "# good\n10.0.0.1\nten\n10.0.0.2 10.0.0.3\n10.0.0.0/16\n"
				    "10.0.0.9/29\n::1\n10.0.\0.4\n10.0.0.1\n\x1b[2J#";
	char path[PATH_MAX], expected[8192];

	write_bytes("vipaddrs.bad", bytes, sizeof(bytes) - 1);
	snprintf(expected, sizeof(expected),
		"%1$s/vipaddrs.bad:3: group \"A\": VIP \"ten\" is neither address nor subnet\n"
		"%1$s/vipaddrs.bad:4: group \"A\": a line has one address or subnet\n"
		"%1$s/vipaddrs.bad:5: group \"A\": VIP 10.0.0.0/16 is wider than /24\n"
		"%1$s/vipaddrs.bad:6: group \"A\": VIP \"10.0.0.9/29\": the address is not the "
		"first of that subnet\n"
		"%1$s/vipaddrs.bad:7: group \"A\": VIP ::1 is not the address of a host\n"
		"%1$s/vipaddrs.bad:8: group \"A\": there is a NUL character\n"
		"%1$s/vipaddrs.bad:9: VIP 10.0.0.1 overlaps VIP 10.0.0.1 of %1$s/vipaddrs.bad:2\n"
		"%1$s/vipaddrs.bad:10: group \"A\": VIP \"?[2J\" is neither address nor subnet\n",
		folder);
	assert_faults(in_folder("t", path),
		"node = \"fe5\"; interface = \"eth0\"; groups = ( { name = \"A\";\n"
		"vips_file = \"vipaddrs.bad\";\n"
		"members = ( " FE5 " ); services = ( " ALL " ); } );",
		expected);
	(void)state;
}

static void test_include_faults(void **state)
{
	char path[PATH_MAX], expected[2 * PATH_MAX];

	write_text("bad.inc", "seed = 1;\nbuckets =\n 5;");
	snprintf(expected, sizeof(expected), "%s/bad.inc:2: buckets 5 is outside 256..65536\n",
		folder);
	assert_faults(in_folder("t", path),
		"@include \"bad.inc\"\n" CONF("", GROUP("A", "192.0.2.1", FE5, ALL)), expected);

	write_bytes("nul.inc", "seed = 1;\n\0", 11);
	snprintf(expected, sizeof(expected), "%s/nul.inc:2: there is a NUL character\n", folder);
	assert_faults(path, "@include \"nul.inc\"\n", expected);
	(void)state;
}

static void test_faults_are_limited(void **state)
{
	_cleanup_(free_p) char *text = calloc(1, 4096);
	struct conf_errors errors;
	struct conf *conf = NULL;

	for (int i = 0; i < 100; i++)
		sprintf(text + strlen(text), "unknown%d = 1;\n", i);
	assert_refused(conf_parse("t", text, &conf, &errors), conf, &errors);
	assert_int_equal(errors.n_messages, 50);
	assert_string_equal(errors.messages[0], "t:1: unknown setting \"unknown0\"");
	assert_string_equal(errors.messages[49], "t: 53 more faults are not shown");
	conf_errors_done(&errors);
	(void)state;
}

static void test_too_many_members(void **state)
{
	_cleanup_(free_p) char *text = NULL;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	fprintf(stream, "node = \"fe5\"; interface = \"eth0\"; groups = (\n"
			"{ name = \"A\"; vips = [ \"192.0.2.1\" ]; members = ( " FE5);
	for (int i = 0; i < CONF_MEMBERS_MAX; i++)
		fprintf(stream, ", { name = \"m%d\"; address = \"10.0.%d.1\"; }", i, i);
	fprintf(stream, " ); services = ( " ALL);
	for (int i = 0; i < CONF_SERVICES_MAX; i++)
		fprintf(stream, ", { name = \"s%d\"; protocol = \"tcp\"; ports = \"%d\"; }", i,
			i + 1);
	fprintf(stream, "); } );");
	fclose(stream);
	assert_faults("t", text,
		"t:2: group \"A\": 257 members and balancers, more than 256\n"
		"t:2: group \"A\": 1025 services, more than 1024\n");
	(void)state;
}

/* --- files that are no configuration at all ------------------------------- */

static void assert_load_fails(const char *path, int result, const char *expected)
{
	struct conf_errors errors;
	struct conf *conf = NULL;

	assert_int_equal(conf_load(path, &conf, &errors), result);
	assert_null(conf);
	assert_int_equal(errors.n_messages, 1);
	assert_string_equal(errors.messages[0] + strlen(path), expected);
	conf_errors_done(&errors);
}

static void test_unreadable(void **state)
{
	char path[PATH_MAX];

	assert_load_fails(folder, -EISDIR, ": cannot open: Is a directory");
	assert_load_fails(
		in_folder("none", path), -ENOENT, ": cannot open: No such file or directory");
	assert_load_fails("/dev/zero", -EFBIG, ": cannot open: File too large");
	(void)state;
}

static void test_garbage(void **state)
{
	_cleanup_(free_p) char *line = malloc(1 << 20);
	char path[PATH_MAX];

	memset(line, 'x', 1 << 20);
	write_bytes("long", line, 1 << 20);
	assert_load_fails(in_folder("long", path), -EINVAL, ":1: syntax error");
	memset(line, '(', 1 << 20);
	memcpy(line, "x=", 2);
	write_bytes("deep", line, 1 << 20);
	assert_load_fails(in_folder("deep", path), -EINVAL, ":1: sections are nested too deeply");
	memcpy(line, "\nx=\"", 4);
	write_bytes("open", line, 1 << 20);
	assert_load_fails(in_folder("open", path), -EINVAL, ":2: this string does not end");
	write_bytes("nul", "interface = \"eth0\";\n\0node = 1;\n", 31);
	assert_load_fails(in_folder("nul", path), -EINVAL, ":2: there is a NUL character");
	write_bytes("elf", "\177ELF\2\1\1\0\0", 9);
	assert_load_fails(in_folder("elf", path), -EINVAL, ":1: there is a NUL character");
	(void)state;
}

/* A value of a megabyte is quoted in part. */
static void test_long_value(void **state)
{
	_cleanup_(free_p) char *text = calloc(1, (1 << 20) + 64);
	struct conf_errors errors;
	struct conf *conf = NULL;

	strcpy(text, "interface = \"");
	memset(text + strlen(text), 'x', 1 << 20);
	strcat(text, "\";");
	assert_refused(conf_parse("t", text, &conf, &errors), conf, &errors);
	for (size_t i = 0; i < errors.n_messages; i++)
		assert_true(strlen(errors.messages[i]) < 256);
	conf_errors_done(&errors);
	(void)state;
}

/* --- tests/conf-bad ------------------------------------------------------- */

/* The first line: "# expect: LINE: a part of the message", LINE is - for none. */
static void read_expectation(const char *path, char line[static 16], char message[static 256])
{
	_cleanup_(fclose_p) FILE *file = fopen(path, "r");

	assert_non_null(file);
	if (fscanf(file, "# expect: %15[0-9-]: %255[^\n]", line, message) != 2)
		fail_msg("%s: the first line does not say what to expect", path);
}

static void check_bad_file(const char *path)
{
	_cleanup_(free_p) char *place = NULL;
	char line[16], message[256];
	struct conf_errors errors;
	struct conf *conf = NULL;

	read_expectation(path, line, message);
	if (strcmp(line, "-") == 0)
		assert_true(asprintf(&place, "%s: ", path) > 0);
	else
		assert_true(asprintf(&place, "%s:%s: ", path, line) > 0);
	if (conf_load(path, &conf, &errors) != -EINVAL)
		fail_msg("%s: was not refused", path);
	assert_null(conf);
	if (strncmp(errors.messages[0], place, strlen(place)) != 0 ||
		!strstr(errors.messages[0] + strlen(place), message))
		fail_msg("expected %s…%s…\nhave     %s", place, message, errors.messages[0]);
	conf_errors_done(&errors);
}

static void test_bad_files(void **state)
{
	const char *source = getenv("DROVER_SOURCE");
	char folder_path[PATH_MAX];
	_cleanup_(closedir_p) DIR *dir = NULL;
	unsigned int n = 0;

	snprintf(folder_path, sizeof(folder_path), "%s/tests/conf-bad", source ? source : ".");
	dir = opendir(folder_path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *suffix = strrchr(entry->d_name, '.');
		_cleanup_(free_p) char *path = NULL;

		if (!suffix || strcmp(suffix, ".conf") != 0)
			continue;
		assert_true(asprintf(&path, "%s/%s", folder_path, entry->d_name) > 0);
		check_bad_file(path);
		n++;
	}
	assert_true(n >= 35);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_member_guard),
		cmocka_unit_test(test_persistence),
		cmocka_unit_test(test_dual_stack),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_default_node),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_all_faults_in_order),
		cmocka_unit_test(test_vipaddrs_faults),
		cmocka_unit_test(test_include_faults),
		cmocka_unit_test(test_faults_are_limited),
		cmocka_unit_test(test_too_many_members),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_long_value),
		cmocka_unit_test(test_bad_files),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
