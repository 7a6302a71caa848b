/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/flow_set.h"

#include "drover/array.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum {
	KEY_SIZE = crypto_shorthash_siphash24_KEYBYTES,
	CHUNK_RECORDS = 1024,
};

#define NONE UINT32_MAX /* in place of a record's number */

enum { LONG_AGO = 1 }; /* a time before all that clocks have shown */

/* Nodes of all versions compare their digests: neither this nor struct key may change. */
static const unsigned char DIGEST_KEY[KEY_SIZE] = "drover-digest-v1";

/* A flow in the order of bytes that digests are computed from, the same on all machines. */
struct key {
	uint8_t client[16];
	uint8_t vip[16];
	uint8_t client_port[2]; /* the higher byte first */
	uint8_t vip_port[2];
	uint8_t protocol;
	uint8_t ip_version; /* 4 or 6 */
};

enum record_state { RECORD_DEAD, RECORD_LIVE, RECORD_STALE };

struct record {
	struct key key;
	uint8_t state;
	uint8_t unused;
	uint32_t since;
	uint32_t next; /* in its bucket; of a dead one, the next dead one */
};

/*
 * Linear hashing (Litwin, 1980): there are as many buckets as records, so that each new record
 * brings one more bucket, into which one other is split. Nothing ever moves all at once.
 */
struct chunk {
	uint32_t buckets[CHUNK_RECORDS]; /* the number of the first record in each */
	struct record records[CHUNK_RECORDS];
};

struct flow_set {
	unsigned char secret[KEY_SIZE];
	uint64_t digest;
	size_t max, count;

	struct chunk **chunks;
	size_t n_chunks;
	uint32_t n_records; /* that were ever used: live, stale or dead */
	uint32_t mask;      /* the lowest 2^i - 1 that is no less than the last record's number */
	uint32_t first_dead;
	bool has_times;
	bool has_forgotten; /* times, once */
};

/* --- keys ------------------------------------------------------------------------------ */

static uint64_t siphash(const struct key *key, const unsigned char secret[static KEY_SIZE])
{
	unsigned char bytes[crypto_shorthash_siphash24_BYTES];
	uint64_t hash = 0;

	crypto_shorthash_siphash24(bytes, (const unsigned char *)key, sizeof(*key), secret);
	for (size_t i = sizeof(bytes); i-- > 0;)
		hash = hash << 8 | bytes[i];
	return hash;
}

static void put_port(uint8_t bytes[static 2], uint16_t port)
{
	bytes[0] = (uint8_t)(port >> 8);
	bytes[1] = (uint8_t)port;
}

static uint16_t get_port(const uint8_t bytes[static 2])
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Returns false if the addresses are not both of one family. */
static bool make_key(const struct flow *flow, struct key *ret_key)
{
	int family = flow->client.family;
	size_t size = address_size(family);

	if (flow->vip.family != family || (family != AF_INET && family != AF_INET6))
		return false;
	*ret_key = (struct key){
		.protocol = flow->protocol,
		.ip_version = family == AF_INET ? 4 : 6,
	};
	memcpy(ret_key->client, flow->client.bytes, size);
	memcpy(ret_key->vip, flow->vip.bytes, size);
	put_port(ret_key->client_port, flow->client_port);
	put_port(ret_key->vip_port, flow->vip_port);
	return true;
}

static void make_flow(const struct key *key, struct flow *ret_flow)
{
	int family = key->ip_version == 4 ? AF_INET : AF_INET6;

	*ret_flow = (struct flow){
		.protocol = key->protocol,
		.client_port = get_port(key->client_port),
		.vip_port = get_port(key->vip_port),
		.client.family = family,
		.vip.family = family,
	};
	memcpy(ret_flow->client.bytes, key->client, sizeof(key->client));
	memcpy(ret_flow->vip.bytes, key->vip, sizeof(key->vip));
}

/* --- records: chunks that never move --------------------------------------------------- */

static struct record *record_at(const struct flow_set *set, uint32_t number)
{
	return &set->chunks[number / CHUNK_RECORDS]->records[number % CHUNK_RECORDS];
}

static uint32_t *bucket_at(const struct flow_set *set, uint32_t number)
{
	return &set->chunks[number / CHUNK_RECORDS]->buckets[number % CHUNK_RECORDS];
}

static int add_chunk(struct flow_set *set)
{
	struct chunk **chunks = array_grow(set->chunks, set->n_chunks, sizeof(*chunks));

	if (!chunks)
		return -ENOMEM;
	set->chunks = chunks;
	chunks[set->n_chunks] = malloc(sizeof(struct chunk));
	if (!chunks[set->n_chunks])
		return -ENOMEM;
	set->n_chunks++;
	return 0;
}

/* The key's bucket: of two that are not split yet, the lower one. */
static uint32_t *bucket_of(const struct flow_set *set, const struct key *key)
{
	uint32_t hash = (uint32_t)siphash(key, set->secret), bucket = hash & set->mask;

	return bucket_at(set, bucket < set->n_records ? bucket : hash & set->mask >> 1);
}

/* Moves to the last bucket what is in it by one more bit of the hash. */
static void split_bucket(struct flow_set *set)
{
	uint32_t last = set->n_records - 1;
	uint32_t *bucket = bucket_at(set, last);
	uint32_t *link = bucket_at(set, last & set->mask >> 1);

	while (*link != NONE) {
		struct record *record = record_at(set, *link);
		uint32_t number = *link;

		if (bucket_of(set, &record->key) != bucket) {
			link = &record->next;
			continue;
		}
		*link = record->next;
		record->next = *bucket;
		*bucket = number;
	}
}

/* Makes one more record, a dead one, and one more bucket. */
static int add_record(struct flow_set *set)
{
	uint32_t number = set->n_records;
	struct record *record;

	if (number == set->n_chunks * CHUNK_RECORDS && add_chunk(set) < 0)
		return -ENOMEM;
	record = record_at(set, number);
	record->state = RECORD_DEAD;
	record->next = set->first_dead;
	*bucket_at(set, number) = NONE;
	set->first_dead = number;
	set->n_records++;
	if (number > set->mask)
		set->mask = set->mask << 1 | 1;
	if (number > 0)
		split_bucket(set);
	return 0;
}

/*
 * What leads to the key's record: its bucket, or the record before it. NULL if the key is not in
 * the set.
 */
static uint32_t *find_link(const struct flow_set *set, const struct key *key)
{
	uint32_t *link;

	if (set->n_records == 0)
		return NULL;
	for (link = bucket_of(set, key); *link != NONE; link = &record_at(set, *link)->next)
		if (memcmp(&record_at(set, *link)->key, key, sizeof(*key)) == 0)
			return link;
	return NULL;
}

/* --- the set --------------------------------------------------------------------------- */

struct flow_set *flow_set_new(size_t max)
{
	struct flow_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->max = max < NONE ? max : NONE;
	set->first_dead = NONE;
	randombytes_buf(set->secret, sizeof(set->secret));
	return set;
}

void flow_set_clear(struct flow_set *set)
{
	for (size_t i = 0; i < set->n_chunks; i++)
		free(set->chunks[i]);
	free(set->chunks);
	set->chunks = NULL;
	set->n_chunks = set->count = 0;
	set->n_records = set->mask = 0;
	set->first_dead = NONE;
	set->digest = 0;
}

void flow_set_free(struct flow_set *set)
{
	if (!set)
		return;
	flow_set_clear(set);
	free(set);
}

static void refresh(struct flow_set *set, struct record *record, uint32_t since)
{
	if (record->state == RECORD_STALE && since != 0) {
		record->since = since;
		set->has_times = true;
	}
	record->state = RECORD_LIVE;
}

int flow_set_add_since(struct flow_set *set, const struct flow *flow, uint32_t since)
{
	struct record *record;
	uint32_t *link, number;
	struct key key;

	if (!make_key(flow, &key))
		return -EINVAL;
	link = find_link(set, &key);
	if (link) {
		refresh(set, record_at(set, *link), since);
		return 0;
	}
	if (set->count >= set->max)
		return -ENOSPC;
	if (set->first_dead == NONE && add_record(set) < 0)
		return -ENOMEM;
	number = set->first_dead;
	record = record_at(set, number);
	set->first_dead = record->next;
	record->key = key;
	record->state = RECORD_LIVE;
	record->since = since;
	set->has_times |= since != 0;
	link = bucket_of(set, &key);
	record->next = *link;
	*link = number;
	set->digest ^= siphash(&key, DIGEST_KEY);
	set->count++;
	return 1;
}

int flow_set_add(struct flow_set *set, const struct flow *flow)
{
	return flow_set_add_since(set, flow, 0);
}

bool flow_set_remove(struct flow_set *set, const struct flow *flow)
{
	struct record *record;
	uint32_t *link, number;
	struct key key;

	if (!make_key(flow, &key))
		return false;
	link = find_link(set, &key);
	if (!link)
		return false;
	number = *link;
	record = record_at(set, number);
	*link = record->next;
	record->state = RECORD_DEAD;
	record->next = set->first_dead;
	set->first_dead = number;
	set->digest ^= siphash(&key, DIGEST_KEY);
	set->count--;
	return true;
}

bool flow_set_has(const struct flow_set *set, const struct flow *flow)
{
	struct key key;

	return make_key(flow, &key) && find_link(set, &key);
}

uint32_t flow_set_since(const struct flow_set *set, const struct flow *flow)
{
	const uint32_t *link;
	struct key key;

	link = make_key(flow, &key) ? find_link(set, &key) : NULL;
	return link ? record_at(set, *link)->since : 0;
}

void flow_set_forget_times(struct flow_set *set)
{
	for (uint32_t number = 0; set->has_times && number < set->n_records; number++)
		record_at(set, number)->since = 0;
	set->has_times = false;
	set->has_forgotten = true;
}

bool flow_set_has_times(const struct flow_set *set)
{
	return set->has_times;
}

void flow_set_come_after(struct flow_set *set, const struct flow_set *former)
{
	for (uint32_t number = 0; set->has_forgotten && number < former->n_records; number++) {
		const struct record *theirs = record_at(former, number);
		const uint32_t *link = theirs->state == RECORD_DEAD || theirs->since != 0
					       ? NULL
					       : find_link(set, &theirs->key);

		if (link && record_at(set, *link)->since == 0) {
			record_at(set, *link)->since = LONG_AGO;
			set->has_times = true;
		}
	}
}

size_t flow_set_count(const struct flow_set *set)
{
	return set->count;
}

uint64_t flow_set_digest(const struct flow_set *set)
{
	return set->digest;
}

size_t flow_set_memory(const struct flow_set *set)
{
	return sizeof(*set) + set->n_chunks * (sizeof(struct chunk) + sizeof(*set->chunks));
}

/* --- walking --------------------------------------------------------------------------- */

bool flow_set_next_since(
	const struct flow_set *set, size_t *cursor, struct flow *ret_flow, uint32_t *ret_since)
{
	while (*cursor < set->n_records) {
		const struct record *record = record_at(set, (uint32_t)(*cursor)++);

		if (record->state == RECORD_DEAD)
			continue;
		make_flow(&record->key, ret_flow);
		*ret_since = record->since;
		return true;
	}
	return false;
}

bool flow_set_next(const struct flow_set *set, size_t *cursor, struct flow *ret_flow)
{
	uint32_t since;

	return flow_set_next_since(set, cursor, ret_flow, &since);
}

void flow_set_mark_stale(struct flow_set *set)
{
	for (uint32_t number = 0; number < set->n_records; number++) {
		struct record *record = record_at(set, number);

		if (record->state == RECORD_LIVE)
			record->state = RECORD_STALE;
	}
}

bool flow_set_remove_stale(struct flow_set *set, size_t *cursor, struct flow *ret_flow)
{
	while (*cursor < set->n_records) {
		const struct record *record = record_at(set, (uint32_t)(*cursor)++);

		if (record->state != RECORD_STALE)
			continue;
		make_flow(&record->key, ret_flow);
		return flow_set_remove(set, ret_flow);
	}
	return false;
}
