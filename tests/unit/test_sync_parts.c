/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the sync machine, each for itself. */
#include "../../src/sync/body.h"
#include "../../src/sync/pace.h"
#include "../../src/sync/transit.h"
#include "../../src/sync/window.h"

#include "unit.h"
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>

/* --- the window ------------------------------------------------------------- */

static void test_window(void **state)
{
	struct window window;

	(void)state;
	window_begin(&window, 5000);
	assert_false(window_take(&window, 5000));
	assert_false(window_take(&window, 4999));
	assert_true(window_take(&window, 5001));
	assert_false(window_take(&window, 5001));
	assert_true(window_take(&window, 5010));
	assert_true(window_take(&window, 5002));
	assert_false(window_take(&window, 5002));
	assert_true(window_take(&window, 5001 + WINDOW_SIZE));
	assert_false(window_take(&window, 5001));
	assert_false(window_take(&window, 5002));
	assert_true(window_take(&window, 5003));
	assert_true(window_take(&window, 1000000));
	assert_true(window_take(&window, 1000001 - WINDOW_SIZE));
	assert_false(window_take(&window, 1000000 - WINDOW_SIZE));
	assert_true(window_take(&window, UINT64_MAX));
	assert_false(window_take(&window, UINT64_MAX));
	assert_false(window_take(&window, 0));
}

/* Against a set of all that was seen. */
static void test_window_by_chance(void **state)
{
	static bool seen[100000];
	unsigned short random[3] = { 1, 2, 3 };
	struct window window;
	uint64_t highest = 10;

	(void)state;
	memset(seen, 0, sizeof(seen));
	memset(seen, true, 11);
	window_begin(&window, highest);
	for (int i = 0; i < 200000; i++) {
		uint64_t reach = nrand48(random) % 100 ? 40 : 2500;
		uint64_t number = highest + (uint64_t)nrand48(random) % reach;
		bool fresh;

		number -= number < 1200 ? 0 : (uint64_t)nrand48(random) % 1200;
		if (number >= ARRAY_SIZE(seen))
			break;
		fresh = !seen[number] && number + WINDOW_SIZE > highest;
		assert_int_equal(window_take(&window, number), fresh);
		seen[number] |= fresh;
		highest = number > highest ? number : highest;
	}
}

/* --- time ------------------------------------------------------------------- */

static void test_pace(void **state)
{
	struct pace pace = pace_full(1000, 10, 50);
	int n = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		n += pace_take(&pace, 50);
	assert_int_equal(n, 10);
	assert_true(pace_take(&pace, 51));
	assert_false(pace_take(&pace, 51));
	for (uint64_t now = 52; now < 1052; now++)
		while (pace_take(&pace, now))
			n++;
	assert_int_equal(n, 1010);
	/* However long nothing was taken, no more than the burst is there. */
	for (n = 0; pace_take(&pace, UINT64_MAX / 2);)
		n++;
	assert_int_equal(n, 10);
	/* A clock that goes back gives nothing, and does no harm. */
	assert_false(pace_take(&pace, 0));
}

static void test_transit(void **state)
{
	struct transit transit = {};

	(void)state;
	assert_int_equal(transit_take(&transit, 1000, 5007), 0);
	assert_int_equal(transit_take(&transit, 1010, 5015), 0);
	assert_int_equal(transit_take(&transit, 1020, 5065), 40);
	assert_int_equal(transit_take(&transit, 2000, 6005), 0);
	/* The sender's clock is slow by 0.1 %: that is not taken for a delay. */
	for (uint64_t now = 6005; now < 6005 + 1000000; now += 200)
		assert_true(transit_take(&transit, 2000 + (now - 6005) * 999 / 1000, now) <= 130);
	/* Or ahead of ours by whatever. */
	transit = (struct transit){};
	assert_int_equal(transit_take(&transit, UINT64_MAX, 5), 0);
	assert_int_equal(transit_take(&transit, 3, 12), 3);
}

/* --- the seal --------------------------------------------------------------- */

static const struct sync_keys keys = { .n = 2, .bytes = { { 1 }, { 2 } } };

static struct seal make_seal(uint8_t id, const struct sync_keys *with)
{
	struct seal seal;

	assert_int_equal(seal_init(&seal, id, with), 0);
	return seal;
}

static void test_seal(void **state)
{
	const struct sync_keys second = { .n = 1, .bytes = { { 2 } } };
	const struct sync_keys third = { .n = 1, .bytes = { { 3 } } };
	struct seal seal = make_seal(1, &keys), of_second = make_seal(1, &second);
	struct seal of_third = make_seal(1, &third), other_id = make_seal(2, &keys);
	uint8_t plain[SEAL_PLAIN_MAX] = "text", opened[SEAL_PLAIN_MAX], packet[SYNC_PACKET_MAX];
	size_t size, opened_size;

	(void)state;
	size = seal_close(&of_second, plain, 4, packet);
	assert_int_equal(size, SEAL_HEADER_SIZE + 4 + SEAL_TAG_SIZE);
	assert_int_equal(seal_open(&seal, packet, size, opened, &opened_size), SEAL_OPENED);
	assert_int_equal(opened_size, 4);
	assert_memory_equal(opened, "text", 4);
	assert_int_equal(seal_open(&of_third, packet, size, opened, &opened_size), SEAL_OTHER_KEY);
	assert_int_equal(seal_open(&other_id, packet, size, opened, &opened_size), SEAL_OTHER_ID);
	packet[size - 1]++;
	assert_int_equal(seal_open(&seal, packet, size, opened, &opened_size), SEAL_FORGED);
	assert_int_equal(seal_close(&seal, plain, sizeof(plain), packet), SYNC_PACKET_MAX);
	assert_int_equal(
		seal_open(&seal, packet, SYNC_PACKET_MAX, opened, &opened_size), SEAL_OPENED);
	assert_memory_equal(opened, plain, sizeof(plain));
	assert_int_equal(seal_init(&seal, 1, &(struct sync_keys){}), -EINVAL);
}

/* The bytes that drover-sync(7) promises. */
static void test_clear_header(void **state)
{
	static const uint8_t header[] = { 'd', 'r', 'v', 'r', 1, 9, 0, 0 };
	struct seal seal = make_seal(9, &keys);
	uint8_t first[SYNC_PACKET_MAX], second[SYNC_PACKET_MAX];

	(void)state;
	seal_close(&seal, NULL, 0, first);
	seal_close(&seal, NULL, 0, second);
	assert_memory_equal(first, header, sizeof(header));
	assert_memory_equal(first + 8, second + 8, 4);
	assert_memory_not_equal(first + 12, second + 12, 24);
}

/* --- bodies ----------------------------------------------------------------- */

static struct body decode(const uint8_t *plain, size_t size)
{
	struct body body;

	assert_true(size > 0);
	assert_true(body_decode(plain, size, &body));
	/* Neither less nor more than all of it. */
	for (size_t less = 0; less < size; less++) {
		struct body other;
		bool whole_flows = body.type == BODY_STREAM &&
				   less >= size - body.stream.flows_size;

		if (!whole_flows)
			assert_false(body_decode(plain, less, &other));
	}
	return body;
}

static struct body example(enum body_type type)
{
	return (struct body){
		.head = { .session = 1, .number = 2, .clock = 3, .node = "fe5" },
		.type = type,
	};
}

static void test_heartbeat(void **state)
{
	/* The bytes that drover-sync(7) promises. */
	static const uint8_t bytes[] = {
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, /* head */
		3, 'f', 'e', '5', BODY_HEARTBEAT,                                       /* node */
		0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, /* stream */
		1, 0, 0, 0, 0, 0, 0, 0, 7,                      /* complete, fingerprint */
		0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, /* note */
	};
	uint8_t plain[SEAL_PLAIN_MAX];
	struct body body = example(BODY_HEARTBEAT);

	(void)state;
	body.heartbeat = (struct body_heartbeat){ 4, 5, 6, true, 7, { 8, 9 } };
	assert_int_equal(body_encode(&body, plain), sizeof(bytes));
	assert_memory_equal(plain, bytes, sizeof(bytes));
	body = decode(bytes, sizeof(bytes));
	assert_int_equal(body.type, BODY_HEARTBEAT);
	assert_string_equal(body.head.node, "fe5");
	assert_int_equal(body.head.number, 2);
	assert_int_equal(body.heartbeat.n_flows, 5);
	assert_true(body.heartbeat.complete);
	assert_int_equal(body.heartbeat.note.digest, 9);
	memcpy(plain, bytes, sizeof(bytes));
	plain[29 + 24] = 2;
	assert_false(body_decode(plain, sizeof(bytes), &body));
	assert_false(body_decode(plain, sizeof(bytes) + 1, &body));
}

static void test_stream(void **state)
{
	const struct flow flows[] = {
		{ IPPROTO_TCP, 40000, 80, { AF_INET, { 192, 0, 2, 7 } },
			{ AF_INET, { 192, 0, 2, 100 } } },
		{ IPPROTO_UDP, 5060, 5060, { AF_INET6, { 0x20, 1, [15] = 7 } },
			{ AF_INET6, { 0x20, 1, [15] = 9 } } },
	};
	static const uint8_t first[] = { 1, 0x9c, 0x40, 0, 80, 192, 0, 2, 7, 192, 0, 2, 100, 0x01,
		0x02 };
	uint8_t bytes[BODY_FLOWS_MAX], plain[SEAL_PLAIN_MAX];
	struct wire_writer writer = wire_writer(bytes, sizeof(bytes));
	struct body body = example(BODY_STREAM);
	struct wire_reader reader;
	struct flow flow;
	unsigned int age;
	bool began;

	(void)state;
	wire_put_flow(&writer, &flows[0], true, 0x102);
	wire_put_flow(&writer, &flows[1], false, 7);
	assert_memory_equal(bytes, first, sizeof(first));
	body.stream = (struct body_stream){ 10, 11, STREAM_NEWS, bytes, 15 + 37 };
	body = decode(plain, body_encode(&body, plain));
	assert_int_equal(body.stream.sequence, 10);
	assert_int_equal(body.stream.age, 11);
	reader = wire_reader(body.stream.flows, body.stream.flows_size);
	assert_true(wire_get_flow(&reader, &flow, &began, &age) && began);
	assert_int_equal(age, 0x102);
	assert_true(flow_equal(&flow, &flows[0]));
	assert_true(wire_get_flow(&reader, &flow, &began, &age) && !began);
	assert_int_equal(age, 0);
	assert_true(flow_equal(&flow, &flows[1]));
	assert_int_equal(reader.left, 0);
	/* In a snapshot nothing ends; its end has no flows; flags mean what is known. */
	plain[29 + 12] = STREAM_SNAPSHOT_FLOWS;
	assert_false(body_decode(plain, 29 + 13 + 15 + 37, &body));
	assert_true(body_decode(plain, 29 + 13 + 15, &body));
	plain[29 + 12] = STREAM_SNAPSHOT_END;
	assert_false(body_decode(plain, 29 + 13 + 15, &body));
	assert_true(body_decode(plain, 29 + 13, &body));
	plain[29 + 12] = STREAM_NEWS;
	plain[29 + 13] |= 8;
	assert_false(body_decode(plain, 29 + 13 + 15, &body));
}

static void test_other_messages(void **state)
{
	uint8_t plain[SEAL_PLAIN_MAX];
	struct body body = example(BODY_ANSWER);

	(void)state;
	body.answer = (struct body_answer){ { "fe6", { 1, 2, 3 } }, 4, 5 };
	body = decode(plain, body_encode(&body, plain));
	assert_string_equal(body.answer.to.to, "fe6");
	assert_int_equal(body.answer.n_buckets, 5);
	body = example(BODY_RESEND);
	body.resend = (struct body_resend){ 9, 2, { { 1, 2 }, { 30, 40 } } };
	body = decode(plain, body_encode(&body, plain));
	assert_int_equal(body.resend.ranges[1].n, 40);
	body = example(BODY_NOTE);
	body.note = (struct body_note){ { 1, 2 }, "fe6", 1030, 1, 6, (const uint8_t *)"sixsix" };
	body = decode(plain, body_encode(&body, plain));
	assert_int_equal(body.note.fragment_size, 6);
	assert_memory_equal(body.note.bytes, "sixsix", 6);
	body = example(BODY_NOTE_REQUEST);
	body.note_request = (struct body_note_request){ 1, { 2, 3 }, 4 };
	body = decode(plain, body_encode(&body, plain));
	assert_int_equal(body.note_request.have, 4);
	body = example((enum body_type)99);
	assert_false(body_decode(plain, body_encode(&body, plain), &body));
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", "a b", "a\n", "\x1b[31m", "a/b",
		"0123456789012345678901234567890123456789012345678901234567890123" };

	(void)state;
	assert_true(wire_name_is_valid("fe-5.example_1"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t bytes[80];
		char name[WIRE_NAME_MAX + 1];
		struct wire_writer writer = wire_writer(bytes, sizeof(bytes));
		struct wire_reader reader;

		assert_false(wire_name_is_valid(bad[i]));
		wire_put_name(&writer, bad[i]);
		reader = wire_reader(bytes, sizeof(bytes) - writer.left);
		wire_get_name(&reader, name);
		assert_true(reader.failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_by_chance),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_transit),
		cmocka_unit_test(test_seal),
		cmocka_unit_test(test_clear_header),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_other_messages),
		cmocka_unit_test(test_names),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
