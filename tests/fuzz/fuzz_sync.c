/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of sync. The first byte says how the rest is given: as one packet, raw; or as messages
 * of a node that has the key and has proved itself, each a length of two bytes, and a message from
 * its type on.
 */
#include "../../src/sync/body.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW, SEALED, MODES };

struct harness {
	struct sync *sync;
	struct ledger *ledger;
	struct seal seal;
	uint64_t now, number;
	struct body_challenge challenge; /* the last that was sent */
};

static const struct sync_keys keys = { .n = 1, .bytes = { { 7 } } };
static const struct endpoint there = { { AF_INET, { 192, 0, 2, 2 } }, 8848 };

/* Whatever the machine sends can be read. */
static void on_send(const struct endpoint *to, const void *packet, size_t size, void *user_data)
{
	struct harness *harness = user_data;
	uint8_t plain[SEAL_PLAIN_MAX];
	struct body body;
	size_t plain_size;

	(void)to;
	if (seal_open(&harness->seal, packet, size, plain, &plain_size) != SEAL_OPENED ||
		!body_decode(plain, plain_size, &body))
		abort();
	if (body.type == BODY_CHALLENGE)
		harness->challenge = body.challenge;
}

static void on_flow(const char *owner, const struct flow *flow, bool began, void *user_data)
{
	(void)user_data;
	(void)began;
	if (strcmp(owner, "b") != 0 || flow->client.family != flow->vip.family)
		abort();
}

static bool knows(const char *name, void *user_data)
{
	(void)user_data;
	return strcmp(name, "b") == 0;
}

static const char *name_of(const struct address *address, void *user_data)
{
	(void)user_data;
	return address->bytes[3] == 2 ? "b" : NULL;
}

/* As b: bytes are a message from its type on. */
static void send_sealed(struct harness *harness, const uint8_t *bytes, size_t size)
{
	uint8_t plain[SEAL_PLAIN_MAX], packet[SYNC_PACKET_MAX];
	struct wire_writer writer = wire_writer(plain, sizeof(plain));

	wire_put(&writer, 1, 8);
	wire_put(&writer, ++harness->number, 8);
	wire_put(&writer, harness->now, 8);
	wire_put_name(&writer, "b");
	wire_put_bytes(&writer, bytes, size);
	if (writer.failed)
		return;
	size = seal_close(&harness->seal, plain, sizeof(plain) - writer.left, packet);
	sync_receive(harness->sync, &there, packet, size, harness->now);
}

/* Says something, is challenged, and answers. */
static void prove(struct harness *harness)
{
	static const uint8_t anything[] = { BODY_CHANGE, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t answer[100];
	struct wire_writer writer = wire_writer(answer, sizeof(answer));

	send_sealed(harness, anything, sizeof(anything));
	wire_put(&writer, BODY_ANSWER, 1);
	wire_put_name(&writer, "a");
	wire_put_bytes(&writer, harness->challenge.challenge, BODY_CHALLENGE_SIZE);
	wire_put(&writer, 1, 4);
	wire_put(&writer, 256, 4);
	send_sealed(harness, answer, sizeof(answer) - writer.left);
	if (sync_peer_at(harness->sync, 0)->state != SYNC_PEER_SYNCING)
		abort();
}

static void send_messages(struct harness *harness, const uint8_t *data, size_t size)
{
	prove(harness);
	while (size >= 2) {
		size_t length = (size_t)data[0] << 8 | data[1];

		data += 2, size -= 2;
		length = length < size ? length : size;
		send_sealed(harness, data, length);
		data += length, size -= length;
		harness->now += 50;
		sync_tick(harness->sync, harness->now);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct harness harness = { .ledger = ledger_new(1000), .now = 1000 };
	const struct sync_setup setup = {
		.node = "a",
		.seed = 1,
		.n_buckets = 256,
		.keys = &keys,
		.ledger = harness.ledger,
		.knows = knows,
		.name_of = name_of,
		.ops = { .send = on_send, .flow_changed = on_flow, .user_data = &harness },
	};

	if (size == 0) {
		ledger_free(harness.ledger);
		return 0;
	}
	if (sodium_init() < 0 || seal_init(&harness.seal, 0, &keys) < 0 ||
		sync_new(&setup, harness.now, &harness.sync) < 0)
		abort();
	if (data[0] % MODES == RAW)
		sync_receive(harness.sync, &there, data + 1, size - 1, harness.now);
	else
		send_messages(&harness, data + 1, size - 1);
	sync_tick(harness.sync, harness.now + 1000);
	sync_free(harness.sync);
	ledger_free(harness.ledger);
	return 0;
}
