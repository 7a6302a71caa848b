/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each syntax says that the samples in contrib/examples/sites do not. */
#include "unit.h"

#include "drover/conf.h"
#include "drover/import.h"

#include <errno.h>

struct imported {
	int status;
	char *text;
	struct conf *conf;
	struct import_notes notes;
};

static struct imported import_with(
	const char *syntax, const char *text, const struct import_options *options)
{
	struct imported imported = { 0 };
	struct conf_errors errors = { 0 };

	imported.status = import_convert(
		syntax, "old", text, strlen(text), options, &imported.text, &imported.notes);
	if (imported.status == 0)
		assert_int_equal(conf_parse("new", imported.text, &imported.conf, &errors), 0);
	conf_errors_done(&errors);
	return imported;
}

static struct imported import(const char *syntax, const char *text)
{
	return import_with(syntax, text, &(struct import_options){ 0 });
}

static void imported_done(struct imported *imported)
{
	free(imported->text);
	conf_free(imported->conf);
	import_notes_done(&imported->notes);
}

static bool has_note(const struct imported *imported, const char *text)
{
	for (size_t i = 0; i < imported->notes.n_messages; i++)
		if (strstr(imported->notes.messages[i], text))
			return true;
	return false;
}

static const struct conf_service *find_service(const struct imported *imported, const char *name)
{
	assert_non_null(imported->conf);
	for (size_t i = 0; i < imported->conf->n_groups; i++)
		for (size_t j = 0; j < imported->conf->groups[i].n_services; j++)
			if (strcmp(imported->conf->groups[i].services[j].name, name) == 0)
				return &imported->conf->groups[i].services[j];
	fail_msg("no service %s", name);
	return NULL;
}

/* --- ipvsadm --------------------------------------------------------------- */

static void test_persistence_and_weights(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("ipvsadm",
		"-A -t 192.0.2.100:80 -s wrr -p 60\n"
		"-a -t 192.0.2.100:80 -r 192.0.2.5:80 -g -w 3\n"
		"-a -t 192.0.2.100:80 -r 192.0.2.6:80 -g -w 0\n");
	const struct conf_service *service = find_service(&imported, "tcp-80");

	(void)state;
	assert_int_equal(imported.notes.n_messages, 0);
	assert_int_equal(service->scheduler, CONF_SCHEDULER_RR);
	assert_int_equal(service->persistence, 60);
	assert_int_equal(imported.conf->groups[0].members[0].weight, 3);
	assert_int_equal(imported.conf->groups[0].members[1].weight, 0);
	assert_true(imported.conf->groups[0].members[1].balancer);
}

static void test_udp_in_turn(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("ipvsadm",
		"-A -u 192.0.2.100:53 -s rr\n-a -u 192.0.2.100:53 -r 192.0.2.5:53 -g\n"
		"-A -u 192.0.2.100:5060 -s rr -o\n-a -u 192.0.2.100:5060 -r 192.0.2.5:5060 -g\n");

	(void)state;
	assert_int_equal(find_service(&imported, "udp-53")->scheduler, CONF_SCHEDULER_HASH);
	assert_int_equal(find_service(&imported, "udp-5060")->scheduler, CONF_SCHEDULER_RR);
	assert_int_equal(imported.notes.n_messages, 1);
	assert_true(has_note(&imported, "old:1: service \"udp-53\""));
}

static void test_what_ipvs_has_and_drover_not(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("ipvsadm",
		"-A -t 192.0.2.100:80 -s wlc -M 255.255.255.0 -p\n"
		"-a -t 192.0.2.100:80 -r 192.0.2.5:80 -m -w 1 -x 5 -y 0\n"
		"-a -t 192.0.2.100:80 -r 192.0.2.6:8080 -g -w 1\n"
		"-A -f 7 -s rr\n"
		"-a -t 192.0.2.101:80 -r 192.0.2.6:80 -g\n"
		"-Z --bogus\n"
		"-A -t nonsense -s rr\n");

	(void)state;
	assert_int_equal(imported.status, 0);
	assert_int_equal(find_service(&imported, "tcp-80")->persistence, 300);
	assert_int_equal(imported.conf->groups[0].n_members, 1);
	assert_true(has_note(&imported, "old:1: scheduler \"wlc\""));
	assert_true(has_note(&imported, "old:1: \"-M\""));
	assert_true(has_note(&imported, "old:2: \"-m\""));
	assert_true(has_note(&imported, "old:2: \"-x\""));
	assert_false(has_note(&imported, "\"-y\""));
	assert_true(has_note(&imported, "old:3: server 192.0.2.6"));
	assert_true(has_note(&imported, "old:4: service 7"));
	assert_true(has_note(&imported, "old:5: server"));
	assert_true(has_note(&imported, "old:6: \"-Z\""));
	assert_true(has_note(&imported, "old:6: \"--bogus\""));
	assert_true(has_note(&imported, "old:7: \"nonsense\""));
}

static void test_ipv6_and_every_port(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("ipvsadm",
		"-A -t [2001:db8::100]:0 -s sh -p 600\n"
		"-a -t [2001:db8::100]:0 -r [2001:db8::5]:0 -g -w 1\n");
	const struct conf_service *service = find_service(&imported, "tcp");

	(void)state;
	assert_int_equal(imported.notes.n_messages, 0);
	assert_int_equal(service->n_ports, 0);
	assert_int_equal(service->scheduler, CONF_SCHEDULER_SOURCE);
}

/* VIPs with the same services are one group, others have their own. */
static void test_groups(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("ipvsadm",
		"-A -t 192.0.2.100:80 -s rr\n-a -t 192.0.2.100:80 -r 192.0.2.5:80 -g\n"
		"-A -t 192.0.2.101:80 -s rr\n-a -t 192.0.2.101:80 -r 192.0.2.5:80 -g\n"
		"-A -t 192.0.2.102:80 -s rr\n-a -t 192.0.2.102:80 -r 192.0.2.6:80 -g\n"
		"-a -t 192.0.2.102:80 -r 192.0.2.5:80 -g\n");

	(void)state;
	assert_int_equal(imported.conf->n_groups, 2);
	assert_int_equal(imported.conf->groups[0].n_vips, 2);
	assert_string_equal(imported.conf->groups[1].name, "A2");
	assert_int_equal(imported.conf->groups[1].n_members, 2);
}

/* --- devices ---------------------------------------------------------------- */

static void test_serveriron_has_no_predictor(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("serveriron",
		"server sticky-age 2\n"
		"server real fe5 192.0.2.5\n port http\n weight 7\n"
		"server virtual v 192.0.2.100\n"
		" port http sticky\n port http url-switch\n"
		" bind http fe5 http nobody http\n"
		"server virtual w elsewhere\n bind http fe5 http\n"
		"banana\n");

	(void)state;
	assert_int_equal(find_service(&imported, "http")->persistence, 120);
	assert_true(has_note(&imported, "old:7: \"port http url-switch\""));
	assert_true(has_note(&imported, "old:8: \"http\" is balanced by least connections"));
	assert_true(has_note(&imported, "old:8: \"http\" had no dsr"));
	assert_true(has_note(&imported, "old:8: there is no \"server real nobody\""));
	assert_true(has_note(&imported, "old:9: \"elsewhere\" is no address"));
	assert_true(has_note(&imported, "old:11: \"banana\" is not known here"));
}

static void test_alteon_settings(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("alteon",
		"/c/slb/real 1\n\tena\n\trip 192.0.2.5\n\tweight 2\n"
		"/c/slb/real 2\n\tdis\n\trip 192.0.2.6\n"
		"/c/slb/group 4\n\tmetric hash\n\thealth smtp\n\tadd 1\n\tadd 2\n\tadd 9\n"
		"/c/slb/virt 1\n\tvip 192.0.2.100\n"
		"/c/slb/virt 1/service smtp\n\tgroup 4\n\tnonat ena\n\tpbind clientip\n\todd 1\n");
	const struct conf_service *service = find_service(&imported, "smtp");

	(void)state;
	assert_int_equal(service->scheduler, CONF_SCHEDULER_SOURCE);
	assert_int_equal(service->persistence, 600);
	assert_string_equal(service->check, "smtp");
	assert_int_equal(imported.conf->groups[0].n_members, 1);
	assert_true(has_note(&imported, "old:5: real 2 of group 4"));
	assert_true(has_note(&imported, "old:8: real 9 of group 4"));
	assert_true(has_note(&imported, "old:20: \"odd 1\""));
	assert_int_equal(imported.notes.n_messages, 3);
}

static void test_bigip_on_few_lines(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("bigip",
		"self allow {\n default\n  tcp ssh\n}\nself 192.0.2.9 {\n}\n"
		"virtual web { destination 192.0.2.100:http ip protocol tcp }\n"
		"virtual web {\n destination 192.0.2.100:http\n ip protocol tcp\n"
		" pool p\n persist source_addr\n}\n"
		"pool p {\n lb method member ratio\n members\n  192.0.2.5:http {\n   ratio 3\n  }\n"
		"  192.0.2.6:80 {}\n}\n");
	const struct conf_service *service = find_service(&imported, "web");

	(void)state;
	assert_int_equal(service->ports[0].first, 80);
	assert_int_equal(service->persistence, 180);
	assert_int_equal(imported.conf->groups[0].members[0].weight, 3);
	assert_int_equal(imported.conf->groups[0].members[1].weight, 1);
	assert_true(imported.conf->groups[0].members[2].balancer_only);
	assert_true(has_note(&imported, "old:1: \"self allow\": the host's own network"));
	assert_true(has_note(&imported, "old:7: virtual \"web\" is left out"));
	assert_true(has_note(&imported, "old:8: virtual \"web\" translated addresses"));
}

static void test_keepalived_says_protocol_late(void **state)
{
	_cleanup_(imported_done) struct imported imported = import("keepalived",
		"vrrp_instance A {\n track {\n }\n}\n"
		"virtual_server 192.0.2.100 53 {\n"
		" real_server 192.0.2.5 53 {\n  DNS_CHECK {\n  }\n  notify_up x\n }\n"
		" protocol UDP\n ops\n lvs_method NAT\n lvs_sched rr\n}\n"
		"virtual_server fwmark 3 {\n real_server 192.0.2.5 1 {\n }\n}\n");
	const struct conf_service *service = find_service(&imported, "udp-53");

	(void)state;
	assert_int_equal(service->protocol, CONF_PROTOCOL_UDP);
	assert_int_equal(service->scheduler, CONF_SCHEDULER_RR);
	assert_string_equal(service->check, "dns");
	assert_true(has_note(&imported, "old:1: \"vrrp_instance A\""));
	assert_true(has_note(&imported, "old:9: \"notify_up x\""));
	assert_true(has_note(&imported, "old:13: \"lvs_method NAT\""));
	assert_true(has_note(&imported, "old:16: this virtual_server is left out"));
}

/* --- all ---------------------------------------------------------------------- */

#define ONE_SERVICE "-A -t 192.0.2.100:80 -s rr\n-a -t 192.0.2.100:80 -r 192.0.2.5:80 -g\n"

static void test_options(void **state)
{
	struct import_options options = { .interface = "bond0", .group = "mail", .node = "lb7" };
	_cleanup_(imported_done) struct imported imported = { 0 };

	(void)state;
	assert_int_equal(address_parse("192.0.2.9", &options.address), 0);
	imported = import_with("ipvsadm", ONE_SERVICE, &options);
	assert_string_equal(imported.conf->interface, "bond0");
	assert_string_equal(imported.conf->node, "lb7");
	assert_string_equal(imported.conf->groups[0].name, "mail");
	assert_int_equal(imported.conf->election, CONF_ELECTION_ALWAYS);
	assert_true(imported.conf->groups[0].members[1].balancer_only);
}

/* What drover refuses is not written, and the reason is told. */
static void test_refused_result(void **state)
{
	struct import_options options = { .group = "no name" };
	_cleanup_(imported_done) struct imported imported = import_with(
		"ipvsadm", ONE_SERVICE, &options);

	(void)state;
	assert_int_equal(imported.status, -EINVAL);
	assert_null(imported.text);
	assert_true(has_note(&imported, "no name: 1 to 63"));
}

static void test_nothing_to_import(void **state)
{
	static const char *const syntaxes[] = { "serveriron", "alteon", "bigip", "ipvsadm",
		"keepalived" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(syntaxes); i++) {
		_cleanup_(imported_done) struct imported imported = import(syntaxes[i], "x {\n}}");

		assert_true(import_knows(syntaxes[i]));
		assert_non_null(strstr(import_syntaxes(), syntaxes[i]));
		assert_int_equal(imported.status, -EINVAL);
		assert_true(has_note(&imported, "no service is left"));
	}
	assert_int_equal(import("cisco", "").status, -ENOENT);
}

/* Whatever a file has in it, no message steers a terminal. */
static void test_control_characters(void **state)
{
	_cleanup_(imported_done) struct imported imported = import(
		"serveriron", "\033[31m\001\xff\n");

	(void)state;
	assert_true(has_note(&imported, "old:1: \"?[31m??\" is not known here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_persistence_and_weights),
		cmocka_unit_test(test_udp_in_turn),
		cmocka_unit_test(test_what_ipvs_has_and_drover_not),
		cmocka_unit_test(test_ipv6_and_every_port),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_serveriron_has_no_predictor),
		cmocka_unit_test(test_alteon_settings),
		cmocka_unit_test(test_bigip_on_few_lines),
		cmocka_unit_test(test_keepalived_says_protocol_late),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_refused_result),
		cmocka_unit_test(test_nothing_to_import),
		cmocka_unit_test(test_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
