/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configurations for drover-helper: what is told, with and without a file. */
#include "drover/conf_helper.h"

#include "unit.h"

#include <errno.h>
#include <sys/stat.h>

static char vips_path[] = "/tmp/drover-vips-XXXXXX", conf_path[] = "/tmp/drover-conf-XXXXXX";

static void write_file(const char *path, const char *text)
{
	_cleanup_(fclose_p) FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) < 0, 0);
}

static int make_files(void **state)
{
	int vips = mkstemp(vips_path), conf = mkstemp(conf_path);

	(void)state;
	if (vips < 0 || conf < 0)
		return -1;
	close(vips);
	close(conf);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	return unlink(vips_path) < 0 || unlink(conf_path) < 0 ? -1 : 0;
}

static struct address address(const char *text)
{
	struct address parsed;

	assert_int_equal(address_parse(text, &parsed), 0);
	return parsed;
}

/* A host with the VIP on its interface as well, as when it is active, and an address elsewhere. */
static struct conf_helper host(struct conf_own own[static 3], const char *self)
{
	own[0] = (struct conf_own){ .interface = "eth0", .address = address("192.0.2.100") };
	own[1] = (struct conf_own){ .interface = "eth0", .address = address(self) };
	own[2] = (struct conf_own){ .interface = "eth1", .address = address("198.51.100.1") };
	return (struct conf_helper){
		.vips_file = vips_path,
		.persistence = -1,
		.sync_id = -1,
		.own = own,
		.n_own = 3,
	};
}

static struct conf *load(
	const char *path, const struct conf_helper *helper, struct conf_texts *texts)
{
	struct conf_errors errors;
	struct conf *conf = NULL;
	int r = conf_load_for_helper(path, helper, texts, &conf, &errors);

	for (size_t i = 0; i < errors.n_messages; i++)
		print_message("%s\n", errors.messages[i]);
	conf_errors_done(&errors);
	assert_int_equal(r, 0);
	return conf;
}

static void assert_refused(const char *path, const struct conf_helper *helper, const char *words)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_errors errors;
	struct conf *conf = NULL;

	assert_true(conf_load_for_helper(path, helper, texts, &conf, &errors) < 0);
	assert_null(conf);
	assert_true(errors.n_messages > 0);
	if (!strstr(errors.messages[0], words))
		fail_msg("%s instead of %s", errors.messages[0], words);
	conf_errors_done(&errors);
}

static void assert_member(const struct conf_group *group, const char *name, const char *text,
	unsigned int weight, bool balancer)
{
	const struct conf_member *member = conf_group_find_member(group, name);
	const struct address expected = address(text);

	assert_non_null(member);
	assert_true(address_equal(&member->address, &expected));
	assert_int_equal(member->weight, weight);
	assert_int_equal(member->balancer, balancer);
}

/* --- without a file -------------------------------------------------------------------------- */

static void test_nothing_is_known_yet(void **state)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.5");
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf_service *service;

	write_file(vips_path, "192.0.2.100\n");
	conf = load(NULL, &helper, texts);
	assert_string_equal(conf->interface, "eth0");
	assert_string_equal(conf->node, "192.0.2.5");
	assert_true(conf->told && !conf->sync.present);
	assert_int_equal(conf->n_groups, 1);
	assert_string_equal(conf->groups[0].name, "A");
	assert_int_equal(conf->groups[0].n_members, 1);
	assert_member(&conf->groups[0], "192.0.2.5", "192.0.2.5", CONF_WEIGHT_DEFAULT, true);
	service = &conf->groups[0].services[0];
	assert_int_equal(service->protocol, CONF_PROTOCOL_ANY);
	assert_int_equal(service->persistence, CONF_HELPER_PERSISTENCE);
	assert_int_equal(service->n_members, 1);
	(void)state;
}

static void test_a_list_without_a_file(void **state)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_server list[] = { { address("192.0.2.6"), 100 },
		{ address("2001:db8::7"), 5 } };
	struct conf_servers servers = { (char *)(uintptr_t) "A", list, ARRAY_SIZE(list) };
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.5");
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	write_file(vips_path, "192.0.2.100\n");
	helper.servers = &servers;
	helper.n_servers = 1;
	helper.persistence = 0;
	conf = load(NULL, &helper, texts);
	assert_int_equal(conf->groups[0].n_members, 3);
	assert_member(&conf->groups[0], "192.0.2.6", "192.0.2.6", 100, true);
	assert_member(&conf->groups[0], "2001-db8--7", "2001:db8::7", 5, true);
	/* This host balances, and serves nobody. */
	assert_member(&conf->groups[0], "192.0.2.5", "192.0.2.5", 0, true);
	assert_true(conf_group_find_member(&conf->groups[0], "192.0.2.5")->balancer_only);
	assert_int_equal(conf->groups[0].services[0].persistence, 0);
	assert_int_equal(conf->groups[0].services[0].n_members, 2);
	list[0].address = address("192.0.2.100");
	assert_refused(NULL, &helper, "VIP 192.0.2.100 has the address of member");
	list[0].address = address("127.0.0.1");
	assert_refused(NULL, &helper, "server 127.0.0.1 is not the address of a host");
	(void)state;
}

static void test_who_this_host_is(void **state)
{
	struct conf_own own[3];
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_helper helper = host(own, "192.0.2.5");
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	write_file(vips_path, "192.0.2.100\n");
	helper.interface = "eth1";
	conf = load(NULL, &helper, texts);
	assert_string_equal(conf->interface, "eth1");
	assert_string_equal(conf->node, "198.51.100.1");
	assert_refused(NULL,
		&(struct conf_helper){ .vips_file = vips_path, .own = own, .n_own = 1 },
		"eth0 has no address");
	helper.vips_file = "/nowhere/vipaddrs";
	assert_refused(NULL, &helper, "cannot read /nowhere/vipaddrs");
	(void)state;
}

/* --- with a file ------------------------------------------------------------------------------ */

static const char site[] =
	"groups = ( { name = \"B\"; members = (\n"
	"  { name = \"fe5\"; address = \"192.0.2.5\"; outgoing = \"33000-33999\"; },\n"
	"  { name = \"fe6\"; address = \"192.0.2.6\"; weight = 30; } );\n"
	"  services = ( { name = \"web\"; protocol = \"tcp\"; ports = \"80\"; },\n"
	"    { name = \"sub\"; protocol = \"tcp\"; ports = \"81\"; members = [ \"fe6\" ]; } );\n"
	"} );\n";

static void test_a_list_and_a_file(void **state)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_server list[] = { { address("192.0.2.7"), 9 }, { address("192.0.2.5"), 7 } };
	struct conf_servers servers = { (char *)(uintptr_t) "B", list, ARRAY_SIZE(list) };
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.5");
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	const struct conf_group *group;

	write_file(vips_path, "192.0.2.100\n");
	write_file(conf_path, site);
	helper.servers = &servers;
	helper.n_servers = 1;
	conf = load(conf_path, &helper, texts);
	group = &conf->groups[0];
	assert_string_equal(conf->node, "fe5");
	assert_int_equal(group->n_members, 3);
	assert_member(group, "fe5", "192.0.2.5", 7, true);
	assert_member(group, "fe6", "192.0.2.6", 0, false);
	assert_member(group, "192.0.2.7", "192.0.2.7", 9, true);
	assert_int_equal(conf_group_find_member(group, "fe5")->n_outgoing, 1);
	assert_int_equal(group->services[0].n_members, 3);
	assert_int_equal(group->services[1].n_members, 1);
	(void)state;
}

/* A list is one group's; this host, which is in none, balances in each. */
static void test_groups(void **state)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_server list[] = { { address("192.0.2.6"), 9 } };
	struct conf_servers servers = { (char *)(uintptr_t) "B", list, ARRAY_SIZE(list) };
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.5");
	_cleanup_(conf_free_p) struct conf *conf = NULL;

	write_file(conf_path,
		"groups = (\n"
		"  { name = \"A\"; vips = [ \"192.0.2.100\" ];\n"
		"    members = ( { name = \"fe7\"; address = \"192.0.2.7\"; weight = 30; } ); },\n"
		"  { name = \"B\"; vips = [ \"192.0.2.101\" ]; },\n"
		"  { name = \"C\"; vips = [ \"192.0.2.102\" ]; } );\n");
	helper.servers = &servers;
	helper.n_servers = 1;
	conf = load(conf_path, &helper, texts);
	assert_int_equal(conf->n_groups, 3);
	assert_member(&conf->groups[0], "fe7", "192.0.2.7", 30, false);
	assert_member(&conf->groups[0], "192.0.2.5", "192.0.2.5", 0, true);
	assert_int_equal(conf->groups[1].n_members, 2);
	assert_member(&conf->groups[1], "192.0.2.6", "192.0.2.6", 9, true);
	assert_member(&conf->groups[1], "192.0.2.5", "192.0.2.5", 0, true);
	/* Of the third nobody is known: one server is better than none. */
	assert_int_equal(conf->groups[2].n_members, 1);
	assert_member(&conf->groups[2], "192.0.2.5", "192.0.2.5", CONF_WEIGHT_DEFAULT, true);
	(void)state;
}

static void test_files_are_read_once(void **state)
{
	_cleanup_(conf_texts_free_p) struct conf_texts *texts = conf_texts_new();
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.6");
	_cleanup_(conf_free_p) struct conf *conf = NULL, *again = NULL;

	write_file(vips_path, "192.0.2.100\n");
	write_file(conf_path, site);
	conf = load(conf_path, &helper, texts);
	assert_member(&conf->groups[0], "fe6", "192.0.2.6", 30, true);
	write_file(vips_path, "nonsense\n");
	write_file(conf_path, "nonsense");
	again = load(conf_path, &helper, texts);
	assert_true(conf_fingerprint(conf) == conf_fingerprint(again));
	assert_refused(conf_path, &helper, conf_path);
	(void)state;
}

static void test_who_elects(void **state)
{
	struct conf_own own[3];
	struct conf_helper helper = host(own, "192.0.2.5");

	write_file(vips_path, "192.0.2.100\n");
	write_file(conf_path, "election = \"always\";\n");
	assert_refused(conf_path, &helper, "does not go with drover-helper");
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_known_yet),
		cmocka_unit_test(test_a_list_without_a_file),
		cmocka_unit_test(test_who_this_host_is),
		cmocka_unit_test(test_a_list_and_a_file),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_files_are_read_once),
		cmocka_unit_test(test_who_elects),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
