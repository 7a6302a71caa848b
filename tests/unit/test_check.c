/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What outcomes make of a member, and what answers make of outcomes. */
#include "unit.h"

#include "../../src/check/dialogue.h"

#include <stdio.h>

/* --- from outcomes to a verdict ------------------------------------------------------------ */

/* One letter for each outcome, and the verdict behind each: + good, - bad, . not asked. */
struct history {
	unsigned int rise, fall;
	const char *outcomes, *verdicts; /* U: up, D: down, ?: unknown */
};

static const struct history histories[] = {
	/* The first one decides. */
	{ 2, 2, "+", "U" },
	{ 2, 2, "-", "D" },
	{ 2, 2, ".", "?" },
	{ 2, 2, "..-", "??D" },
	/* So many in a row. */
	{ 2, 2, "+--", "UUD" },
	{ 2, 2, "+-+-+--", "UUUUUUD" },
	{ 1, 1, "+-", "UD" },
	{ 2, 3, "+---++", "UUUDDU" },
	{ 3, 1, "-+++", "DDDU" },
	{ 2, 1, "-+-++", "DDDDU" },
	/* What could not be asked is neither good nor bad, and does not end a row. */
	{ 2, 2, "+-.-", "UUUD" },
	{ 2, 2, "-+.+", "DDDU" },
	/* A second fall soon after the first takes twice as much to mend, a third four times. */
	{ 1, 1, "+-+-++", "UDUDDU" },
	{ 1, 1, "+-+-++-++++", "UDUDDUDDDDU" },
	/* Who was never seen up did not fall. */
	{ 1, 1, "-+-+", "DUDU" },
};

static enum check_outcome outcome_of(char letter)
{
	return letter == '+' ? CHECK_GOOD : letter == '-' ? CHECK_REFUSED : CHECK_LOCAL;
}

static void assert_history(const struct history *history)
{
	const struct conf_check check = { .rise = history->rise, .fall = history->fall };
	struct check_state state = { .verdict = CHECK_UNKNOWN };

	for (size_t i = 0; history->outcomes[i]; i++) {
		enum check_verdict before = state.verdict;
		bool changed = check_decide(
			&state, &check, 0, outcome_of(history->outcomes[i]), (i + 1) * 1000000);

		assert_int_equal(changed, before != state.verdict);
		if ("?UD"[state.verdict] != history->verdicts[i])
			fail_msg("%s: at %zu %c, not %c", history->outcomes, i,
				"?UD"[state.verdict], history -> verdicts[i]);
	}
}

static void test_histories(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(histories); i++)
		assert_history(&histories[i]);
}

/* Falls far apart are no flapping; however many there are, it has a limit. */
static void test_flapping(void **test_state)
{
	const struct conf_check check = { .rise = 3, .fall = 1 };
	struct check_state state = { .verdict = CHECK_UP };
	uint64_t now_us = 1;

	(void)test_state;
	for (unsigned int falls = 1; falls < 10; falls++) {
		unsigned int doubled = falls - 1 < CHECK_FLAP_MAX ? falls - 1 : CHECK_FLAP_MAX;

		assert_true(check_decide(&state, &check, 0, CHECK_TIMEOUT, now_us++));
		assert_int_equal(check_rise_needed(&state, &check, 0), 3u << doubled);
		state.verdict = CHECK_UP;
	}
	now_us += UINT64_C(1000000) * CHECK_FLAP_SECONDS;
	assert_true(check_decide(&state, &check, 0, CHECK_TIMEOUT, now_us));
	assert_int_equal(check_rise_needed(&state, &check, 0), 3);
}

/* Who has fallen shows by each of its VIPs that it does well, and then so often as by one. */
static void test_several_vips(void **test_state)
{
	const struct conf_check check = { .rise = 2, .fall = 2 };
	struct check_state state = { .verdict = CHECK_UNKNOWN };

	(void)test_state;
	assert_true(check_decide(&state, &check, 3, CHECK_GOOD, 1));
	assert_false(check_decide(&state, &check, 3, CHECK_TIMEOUT, 2));
	assert_true(check_decide(&state, &check, 3, CHECK_TIMEOUT, 3));
	for (unsigned int i = 0; i < 3; i++)
		assert_false(check_decide(&state, &check, 3, CHECK_GOOD, 4 + i));
	assert_true(check_decide(&state, &check, 3, CHECK_GOOD, 8));
	assert_int_equal(check_rise_needed(&state, &check, 0), 2);
	assert_int_equal(check_rise_needed(&state, &check, 1), 2);
}

static void test_names(void **state)
{
	(void)state;
	for (int i = CHECK_PENDING; i <= CHECK_LOCAL; i++)
		assert_non_null(check_outcome_name((enum check_outcome)i));
	for (int i = CHECK_UNKNOWN; i <= CHECK_DOWN; i++)
		assert_non_null(check_verdict_name((enum check_verdict)i));
}

/* --- from answers to an outcome ----------------------------------------------------------------
 */

struct answer {
	struct conf_check check;
	const char *text;
	bool end;
	enum check_outcome outcome;
	const char *detail; /* NULL: whatever */
};

#define SMTP .check = { .type = CONF_CHECK_SMTP }
#define POP3 .check = { .type = CONF_CHECK_POP3 }
#define IMAP .check = { .type = CONF_CHECK_IMAP }
#define HTTP .check = { .type = CONF_CHECK_HTTP }
#define WORD .check = { .type = CONF_CHECK_HTTP, .body = word }
#define SIP  .check = { .type = CONF_CHECK_SIP, .udp = true }
#define SIPT .check = { .type = CONF_CHECK_SIP }
#define PONG .check = { .type = CONF_CHECK_SEND, .send = word, .expect = word }
#define ANY  .check = { .type = CONF_CHECK_SEND, .send = word }

static char word[] = "pong";
static struct port_range unauthorised[] = { { 401, 401 } };

#define W401 .check = { .type = CONF_CHECK_HTTP, .statuses = unauthorised, .n_statuses = 1 }

static const struct answer answers[] = {
	{ SMTP, "", false, CHECK_PENDING, "" },
	{ SMTP, "", true, CHECK_CLOSED, "" },
	{ SMTP, "220 fe", false, CHECK_PENDING, "" },
	{ SMTP, "220 fe", true, CHECK_CLOSED, "220 fe" },
	{ SMTP, "220 fe\r\n", false, CHECK_GOOD, "" },
	{ SMTP, "220\r\n", false, CHECK_GOOD, "" },
	{ SMTP, "220-a\r\n220-b\r\n", false, CHECK_PENDING, "" },
	{ SMTP, "220-a\r\n220 b\n", false, CHECK_GOOD, "" },
	{ SMTP, "220-a\r\n554 b\r\n", false, CHECK_BANNER, "554 b" },
	{ SMTP, "554 no\x01\xff\r\n", false, CHECK_BANNER, "554 no??" },
	{ SMTP, "2204 x\r\n", false, CHECK_BANNER, NULL },
	{ SMTP, "\n", false, CHECK_BANNER, "" },
	{ POP3, "+OK <1@fe>\r\n", false, CHECK_GOOD, "" },
	{ POP3, "-ERR busy\r\n", false, CHECK_BANNER, "-ERR busy" },
	{ POP3, "+O\n", false, CHECK_BANNER, NULL },
	{ IMAP, "* OK fe\r\n", false, CHECK_GOOD, "" },
	{ IMAP, "* PREAUTH fe\r\n", false, CHECK_GOOD, "" },
	{ IMAP, "* BYE fe\r\n", false, CHECK_BANNER, "* BYE fe" },
	{ HTTP, "HTTP/1.1 200 OK", false, CHECK_PENDING, "" },
	{ HTTP, "HTTP/1.1 200 OK\r\n", false, CHECK_GOOD, "" },
	{ HTTP, "HTTP/1.0 302\n", false, CHECK_GOOD, "" },
	{ HTTP, "HTTP/1.1 404 Not Found\r\n", false, CHECK_STATUS, "HTTP/1.1 404 Not Found" },
	{ HTTP, "HTTP/1.1 2000 OK\r\n", false, CHECK_ANSWER, NULL },
	{ HTTP, "HTTP/1.1 20\r\n", false, CHECK_ANSWER, NULL },
	{ HTTP, "HTTP/1.1\r\n", false, CHECK_ANSWER, NULL },
	{ HTTP, "SSH-2.0-x\r\n", false, CHECK_ANSWER, "SSH-2.0-x" },
	{ W401, "HTTP/1.1 401 No\r\n", false, CHECK_GOOD, "" },
	{ W401, "HTTP/1.1 200 OK\r\n", false, CHECK_STATUS, NULL },
	{ WORD, "HTTP/1.1 200 pong\r\n\r\n", false, CHECK_PENDING, "" },
	{ WORD, "HTTP/1.1 200 pong\r\n\r\nping", true, CHECK_BODY, "ping" },
	{ WORD, "HTTP/1.1 200 OK\r\n\r\nping pong", false, CHECK_GOOD, "" },
	{ WORD, "HTTP/1.1 200 OK\n\npong", false, CHECK_GOOD, "" },
	{ SIP, "SIP/2.0 200 OK\r\n\r\n", false, CHECK_GOOD, "" },
	{ SIP, "SIP/2.0 100 Trying\r\n\r\n", false, CHECK_PENDING, "" },
	{ SIP, "SIP/2.0 404 Not Here\r\n\r\n", false, CHECK_STATUS, "SIP/2.0 404 Not Here" },
	{ SIP, "OPTIONS sip:x SIP/2.0\r\n\r\n", false, CHECK_ANSWER, NULL },
	{ SIP, "x", false, CHECK_ANSWER, "x" },
	{ SIPT, "SIP/2.0 100 Trying\r\n\r\nSIP/2.0 200 OK\r\n", false, CHECK_GOOD, "" },
	{ SIPT, "SIP/2.0 100 Trying\r\n", false, CHECK_PENDING, "" },
	{ SIPT, "SIP/2.0 100 Trying\r\n", true, CHECK_CLOSED, NULL },
	{ PONG, "ping", false, CHECK_PENDING, "" },
	{ PONG, "a pong b", false, CHECK_GOOD, "" },
	{ PONG, "ping\n", true, CHECK_ANSWER, "ping" },
	{ ANY, "x", false, CHECK_GOOD, "" },
	{ ANY, "", true, CHECK_CLOSED, "" },
};

/* The input is the dialogue's last member but one: a copy in the heap finds what reads beyond. */
static enum check_outcome hear(struct dialogue *d, const struct check_target *target,
	const char *text, size_t size, bool end)
{
	memset(d, 0x55, sizeof(*d));
	d->target = target;
	d->number = 0x1234;
	memcpy(d->input, text, size);
	d->n_input = size;
	return dialogue_hear(d, end);
}

static void test_answers(void **state)
{
	static struct dialogue d;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		const struct answer *answer = &answers[i];
		const struct check_target target = { .check = &answer->check, .port = 25 };
		enum check_outcome outcome = hear(
			&d, &target, answer->text, strlen(answer->text), answer->end);

		if (outcome != answer->outcome)
			fail_msg("%zu, \"%s\": %s", i, answer->text, check_outcome_name(outcome));
		if (answer->detail)
			assert_string_equal(d.detail, answer->detail);
	}
}

/* --- STARTTLS --------------------------------------------------------------------------------- */

/*
 * What a server says, piece by piece, and what it is told before each but the first; "TLS" stands
 * for the handshake. Then how it ends, and what it is told at last.
 */
struct securing {
	enum conf_check_type type;
	const char *pieces[12];
	enum check_outcome outcome;
	const char *detail;
};

#define EHLO     "EHLO [192.0.2.5]\r\n"
#define ESMTP    "220-fe\r\n220 ESMTP\r\n", EHLO
#define OFFERED  ESMTP, "250-fe\r\n250-HELP\r\n250 StartTLS\r\n", "STARTTLS\r\n"
#define SECURED  OFFERED, "220 go\r\n", "TLS" EHLO
#define POP_TLS  "+OK fe\r\n", "STLS\r\n"
#define IMAP_TLS "* OK fe\r\n", "a STARTTLS\r\n"
#define IN_CLEAR "text in the clear behind the go-ahead"

static const struct securing securings[] = {
	{ CONF_CHECK_SMTP, { SECURED, "250-fe\r\n250 HELP\r\n", "QUIT\r\n" }, CHECK_GOOD, "" },
	{ CONF_CHECK_SMTP, { "554 fe\r\n" }, CHECK_BANNER, "554 fe" },
	{ CONF_CHECK_SMTP, { ESMTP, "502 what?\r\n" }, CHECK_ANSWER, "502 what?" },
	{ CONF_CHECK_SMTP, { ESMTP, "250-fe\r\n250 HELP\r\n" }, CHECK_STARTTLS, "not offered" },
	{ CONF_CHECK_SMTP, { ESMTP, "250 fe\r\n" }, CHECK_STARTTLS, "not offered" },
	{ CONF_CHECK_SMTP, { ESMTP, "250 STARTTLS\r\n" }, CHECK_STARTTLS, "not offered" },
	{ CONF_CHECK_SMTP, { ESMTP, "250-fe\r\n250 STARTTLSX\r\n" }, CHECK_STARTTLS, NULL },
	{ CONF_CHECK_SMTP, { OFFERED, "454 no key\r\n" }, CHECK_STARTTLS, "454 no key" },
	{ CONF_CHECK_SMTP, { SECURED, "421 busy\r\n" }, CHECK_ANSWER, "421 busy" },
	{ CONF_CHECK_POP3, { POP_TLS, "+OK go\r\n", "TLSQUIT\r\n", "+OK\r\n" }, CHECK_GOOD, "" },
	{ CONF_CHECK_POP3, { "-ERR busy\r\n" }, CHECK_BANNER, "-ERR busy" },
	{ CONF_CHECK_POP3, { POP_TLS, "-ERR what?\r\n" }, CHECK_STARTTLS, "-ERR what?" },
	{ CONF_CHECK_POP3, { POP_TLS, "+OK\r\n", "TLSQUIT\r\n", "-ERR\r\n" }, CHECK_ANSWER,
		"-ERR" },
	{ CONF_CHECK_IMAP, { IMAP_TLS, "a OK go\r\n", "TLSb LOGOUT\r\n", "* BYE\r\nb OK\r\n" },
		CHECK_GOOD, "" },
	{ CONF_CHECK_IMAP,
		{ IMAP_TLS, "* NOTE\r\n", "", "a OK\r\n", "TLSb LOGOUT\r\n", "b OK\r\n" },
		CHECK_GOOD, "" },
	{ CONF_CHECK_IMAP, { "* BYE busy\r\n" }, CHECK_BANNER, "* BYE busy" },
	{ CONF_CHECK_IMAP, { IMAP_TLS, "a BAD what?\r\n" }, CHECK_STARTTLS, "a BAD what?" },
	{ CONF_CHECK_IMAP, { "* PREAUTH fe\r\n", "a STARTTLS\r\n", "a BAD no\r\n" }, CHECK_STARTTLS,
		"a BAD no" },
	/* An answer behind the go-ahead is no answer that came secured, nor is the begin of one. */
	{ CONF_CHECK_SMTP, { OFFERED, "220 go\r\n250 fe\r\n" }, CHECK_TLS, IN_CLEAR },
	{ CONF_CHECK_SMTP, { OFFERED, "220 go\r\n2" }, CHECK_TLS, IN_CLEAR },
	{ CONF_CHECK_POP3, { POP_TLS, "+OK go\r\n+OK\r\n" }, CHECK_TLS, IN_CLEAR },
	{ CONF_CHECK_IMAP, { IMAP_TLS, "a OK go\r\n* BYE\r\nb OK\r\n" }, CHECK_TLS, IN_CLEAR },
	/* Nor does anyone answer what was not asked yet. */
	{ CONF_CHECK_SMTP, { "220 fe\r\n250 STARTTLS\r\n" }, CHECK_ANSWER, "250 STARTTLS" },
	{ CONF_CHECK_SMTP, { ESMTP, "250-fe\r\n250 STARTTLS\r\n220 go\r\n" }, CHECK_ANSWER,
		"220 go" },
	{ CONF_CHECK_POP3, { "+OK fe\r\n+OK go\r\n" }, CHECK_ANSWER, "+OK go" },
	{ CONF_CHECK_IMAP, { "* OK fe\r\na OK go\r\n" }, CHECK_ANSWER, "a OK go" },
};

/* Returns what the server is told next: with "TLS" before it if the handshake is to be made. */
static const char *told(struct dialogue *d, char text[static 64])
{
	bool shakes = d->stage == DIALOGUE_HANDSHAKE;

	if (shakes) {
		assert_int_equal(d->n_output, 0);
		assert_int_equal(d->n_input, 0);
		assert_int_equal(dialogue_begin(d), CHECK_PENDING);
	}
	snprintf(text, 64, "%s%.*s", shakes ? "TLS" : "", (int)d->n_output, d->output);
	return text;
}

/* Each piece comes byte by byte, or whole: that may not matter. */
static void assert_securing(const struct securing *securing, bool whole)
{
	static struct dialogue d;
	const struct conf_check check = { .type = securing->type, .starttls = true };
	const struct check_target target = { .check = &check };
	enum check_outcome outcome = CHECK_PENDING;
	char text[64];

	d = (struct dialogue){ .target = &target };
	assert_int_equal(address_parse("192.0.2.5", &d.own), 0);
	assert_int_equal(dialogue_begin(&d), CHECK_PENDING);
	assert_int_equal(d.n_output, 0);
	for (size_t i = 0; i < ARRAY_SIZE(securing->pieces) && securing->pieces[i]; i += 2) {
		const char *piece = securing->pieces[i], *next = securing->pieces[i + 1];
		size_t step = whole ? strlen(piece) : 1;

		for (size_t at = 0; piece[at] && outcome == CHECK_PENDING; at += step) {
			memcpy(d.input + d.n_input, piece + at, step);
			d.n_input += step;
			outcome = dialogue_hear(&d, false);
		}
		assert_string_equal(told(&d, text), next ? next : "");
	}
	if (outcome != securing->outcome)
		fail_msg("%zu: %s", (size_t)(securing - securings), check_outcome_name(outcome));
	if (securing->detail)
		assert_string_equal(d.detail, securing->detail);
}

static void test_securing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(securings); i++)
		assert_securing(&securings[i], true);
	/* Those behind must come whole: what comes after the go-ahead is the handshake's. */
	for (size_t i = 0; i < ARRAY_SIZE(securings) && securings[i].outcome != CHECK_TLS; i++)
		assert_securing(&securings[i], false);
}

/* The end of what comes is no answer, wherever it is. */
static void test_securing_closed(void **state)
{
	static struct dialogue d;
	const struct conf_check check = { .type = CONF_CHECK_IMAP, .starttls = true };
	const struct check_target target = { .check = &check };

	(void)state;
	for (int stage = DIALOGUE_GREETING; stage <= DIALOGUE_SECURED; stage++) {
		d = (struct dialogue){ .target = &target, .stage = (enum dialogue_stage)stage };
		assert_int_equal(dialogue_hear(&d, true), CHECK_CLOSED);
	}
}

/* Who never ends a line is not waited for until the timeout. */
static void test_endless_line(void **state)
{
	static struct dialogue d;
	static char text[DIALOGUE_INPUT_MAX];
	const struct conf_check check = { .type = CONF_CHECK_SMTP };
	const struct check_target target = { .check = &check };

	(void)state;
	memset(text, '2', sizeof(text));
	assert_int_equal(hear(&d, &target, text, sizeof(text), false), CHECK_ANSWER);
	assert_int_equal(strlen(d.detail), CHECK_DETAIL_MAX - 1);
}

/* --- octets ------------------------------------------------------------------------------------
 */

static void test_dns(void **state)
{
	static struct dialogue d;
	char query[] = "www.example.com.";
	struct conf_check check = { .type = CONF_CHECK_DNS, .udp = true, .query = query };
	const struct check_target target = { .check = &check, .port = 53 };
	static const char asked[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				    "\x03www\x07"
				    "example\x03"
				    "com\x00\x00\x01\x00\x01";
	static const char good[] = "\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00";
	static const char nobody[] = "\x12\x34\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00";
	static const char failed[] = "\x12\x34\x81\x82\x00\x01\x00\x00\x00\x00\x00\x00";
	static const char other[] = "\x12\x35\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00";

	(void)state;
	d = (struct dialogue){ .target = &target, .number = 0x1234 };
	assert_int_equal(dialogue_begin(&d), CHECK_PENDING);
	assert_int_equal(d.n_output, sizeof(asked) - 1);
	assert_memory_equal(d.output, asked, sizeof(asked) - 1);
	assert_int_equal(hear(&d, &target, good, 12, false), CHECK_GOOD);
	assert_int_equal(hear(&d, &target, nobody, 12, false), CHECK_STATUS);
	assert_string_equal(d.detail, "NXDOMAIN");
	assert_int_equal(hear(&d, &target, other, 12, false), CHECK_ANSWER);
	assert_int_equal(hear(&d, &target, asked, 12, false), CHECK_ANSWER);
	assert_int_equal(hear(&d, &target, good, 11, false), CHECK_ANSWER);
	check.query = NULL;
	assert_int_equal(hear(&d, &target, nobody, 12, false), CHECK_GOOD);
	assert_int_equal(hear(&d, &target, failed, 12, false), CHECK_STATUS);
}

static void test_icmp(void **state)
{
	static struct dialogue d;
	const struct conf_check check = { .type = CONF_CHECK_ICMP };
	struct check_target target = { .check = &check, .address.family = AF_INET };
	char reply[28] = { 0x45 };

	(void)state;
	d = (struct dialogue){ .target = &target, .number = 0x1234 };
	assert_int_equal(dialogue_begin(&d), CHECK_PENDING);
	assert_int_equal(d.n_output, 16);
	assert_int_equal(d.output[0], 8);
	reply[24] = 0x12;
	reply[25] = 0x34;
	assert_int_equal(hear(&d, &target, reply, 28, false), CHECK_GOOD);
	assert_int_equal(hear(&d, &target, reply, 27, false), CHECK_PENDING);
	reply[20] = 8; /* our own request, of a loopback */
	assert_int_equal(hear(&d, &target, reply, 28, false), CHECK_PENDING);
	reply[20] = 0;
	reply[25] = 0x35;
	assert_int_equal(hear(&d, &target, reply, 28, false), CHECK_PENDING);
	reply[0] = 0x4f;
	assert_int_equal(hear(&d, &target, reply, 28, false), CHECK_PENDING);
}

/* --- requests ------------------------------------------------------------------------------------
 */

static void assert_says(const struct check_target *target, const char *part)
{
	static struct dialogue d;

	d = (struct dialogue){
		.target = target, .asked = target->address, .own = target->address, .own_port = 4000
	};
	assert_int_equal(dialogue_begin(&d), CHECK_PENDING);
	if (!memmem(d.output, d.n_output, part, strlen(part)))
		fail_msg("not in the request: %s", part);
}

static void test_requests(void **state)
{
	char method[] = "HEAD", path[] = "/health", host[] = "www.example.com";
	struct conf_check http = { .type = CONF_CHECK_HTTP };
	const struct conf_check sip = { .type = CONF_CHECK_SIP, .udp = true };
	struct check_target target = { .check = &http, .port = 5060 };

	(void)state;
	assert_int_equal(address_parse("192.0.2.6", &target.address), 0);
	assert_says(&target, "GET / HTTP/1.1\r\nHost: 192.0.2.6\r\n");
	http.method = method;
	http.path = path;
	http.host = host;
	assert_says(&target, "HEAD /health HTTP/1.1\r\nHost: www.example.com\r\n");
	target.check = &sip;
	assert_says(&target, "OPTIONS sip:192.0.2.6:5060 SIP/2.0\r\nVia: SIP/2.0/UDP ");
	assert_says(&target, "\r\nRoute: <sip:192.0.2.6:5060;lr>\r\n");
	assert_int_equal(address_parse("2001:db8::6", &target.address), 0);
	assert_says(&target, "\r\nRoute: <sip:[2001:db8::6]:5060;lr>\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_several_vips),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_securing),
		cmocka_unit_test(test_securing_closed),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
