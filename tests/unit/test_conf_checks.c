/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks in a configuration: their settings, their defaults, and how services come by them. */
#include "cluster_fixture.h"

#define SERVICES(services) TOP CHECKS GROUP(BALANCER(5), services)
#define CHECKS                                                                                     \
	"checks = ( { name = \"web\"; type = \"http\"; path = \"/health\"; interval = 0.5;"        \
	" timeout = 0.25; rise = 3; fall = 4; jitter = 0; port = 8080; status = \"200,204-299\"; " \
	"},"                                                                                       \
	" { name = \"quick\"; type = \"dns\"; interval = 0.5; },"                                  \
	" { name = \"stream\"; type = \"sip\"; transport = \"tcp\"; probe = \"address\"; "         \
	"tls = true; verify = true; server_name = \"sip.example.com\"; },"                         \
	" { name = \"echo\"; type = \"icmp\"; },"                                                  \
	" { name = \"mail\"; type = \"imap\"; starttls = true; verify = true; "                    \
	"server_name = \"mail.example.com\"; } ); "
#define SERVICE(name, port, more)                                                                  \
	"{ name = \"" name "\"; protocol = \"tcp\"; ports = \"" port "\"; " more " }"

static const struct conf_check *check_of(const struct conf *conf, size_t service)
{
	return conf_service_check(conf, &conf->groups[0].services[service]);
}

static void test_settings(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = conf_of(SERVICES(SERVICE("a", "80",
		"check = \"web\"; fail = \"closed\"; min_up = 1; "
		"slow_start = 30;") ", " SERVICE("b", "81", "")));
	const struct conf_service *service = &conf->groups[0].services[0];
	const struct conf_check *check = check_of(conf, 0);

	(void)state;
	assert_int_equal(conf->n_checks, 5);
	assert_string_equal(check->name, "web");
	assert_int_equal(check->type, CONF_CHECK_HTTP);
	assert_string_equal(check->path, "/health");
	assert_null(check->method);
	assert_int_equal(check->interval_ms, 500);
	assert_int_equal(check->timeout_ms, 250);
	assert_int_equal(check->rise, 3);
	assert_int_equal(check->fall, 4);
	assert_int_equal(check->jitter, 0);
	assert_int_equal(check->port, 8080);
	assert_int_equal(check->n_statuses, 2);
	assert_int_equal(service->fail, CONF_FAIL_CLOSED);
	assert_int_equal(service->min_up, 1);
	assert_int_equal(service->slow_start, 30);
	assert_null(check_of(conf, 1));
	assert_int_equal(conf->groups[0].services[1].fail, CONF_FAIL_OPEN);
}

/* A timeout that is not given is no longer than the interval. */
static void test_defaults(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = conf_of(SERVICES(WEB));

	(void)state;
	assert_int_equal(conf->checks[1].interval_ms, 500);
	assert_int_equal(conf->checks[1].timeout_ms, 500);
	assert_true(conf->checks[1].udp);
	assert_false(conf->checks[2].udp);
	assert_int_equal(conf->checks[2].interval_ms, CONF_CHECK_INTERVAL_DEFAULT);
	assert_int_equal(conf->checks[2].timeout_ms, CONF_CHECK_TIMEOUT_DEFAULT);
	assert_int_equal(conf->checks[2].rise, CONF_CHECK_RISE_DEFAULT);
	assert_int_equal(conf->checks[2].fall, CONF_CHECK_FALL_DEFAULT);
	assert_int_equal(conf->checks[2].port, 0);
	assert_false(conf->checks[1].tls);
}

/* By VIPs, unless that cannot be, or the file says otherwise. */
static void test_ways(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = conf_of(SERVICES(WEB));

	(void)state;
	assert_false(conf->checks[0].by_address);
	assert_false(conf->checks[1].by_address);
	assert_true(conf->checks[2].by_address);
	assert_false(conf->checks[3].by_address);
	assert_true(conf->checks[2].tls && conf->checks[2].verify);
	assert_string_equal(conf->checks[2].server_name, "sip.example.com");
	assert_false(conf->checks[2].starttls);
	assert_true(conf->checks[4].starttls && conf->checks[4].verify && !conf->checks[4].tls);
	assert_string_equal(conf->checks[4].server_name, "mail.example.com");
}

/* A type's name is a check of its own, one for all services; a check of this name comes first. */
static void test_by_type(void **state)
{
	_cleanup_(conf_free_p) struct conf *conf = conf_of(
		SERVICES(SERVICE("a", "25", "check = \"smtp\";") ", " SERVICE("b", "587",
			"check = \"smtp\";") ", " SERVICE("c", "80", "check = \"web\";")));

	(void)state;
	assert_int_equal(conf->n_checks, 6);
	assert_ptr_equal(check_of(conf, 0), check_of(conf, 1));
	assert_int_equal(check_of(conf, 0)->type, CONF_CHECK_SMTP);
	assert_string_equal(conf->groups[0].services[0].check, "smtp");
	assert_int_equal(check_of(conf, 2)->type, CONF_CHECK_HTTP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_by_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
