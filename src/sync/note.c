/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The note. Its revision is a counter and a digest of author and text: two nodes that publish at
 * once, or one that has forgotten what it published before, make two revisions that all order
 * alike.
 */

#include "internal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum {
	ASK_MS = 100,
	STALLED_MS = 2000, /* a note that does not come on: whoever had it may be gone */
};

static int compare(const struct note_revision *a, const struct note_revision *b)
{
	if (a->counter != b->counter)
		return a->counter < b->counter ? -1 : 1;
	return a->digest < b->digest ? -1 : a->digest > b->digest;
}

static uint64_t make_digest(const char *author, const uint8_t *bytes, size_t size)
{
	uint8_t hash[crypto_generichash_BYTES_MIN] = {};
	struct wire_reader reader = wire_reader(hash, sizeof(hash));
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(hash));
	crypto_generichash_update(&state, (const uint8_t *)author, strlen(author) + 1);
	crypto_generichash_update(&state, bytes, size);
	crypto_generichash_final(&state, hash, sizeof(hash));
	return wire_get(&reader, 8);
}

static void note_clear(struct note *note)
{
	free(note->bytes);
	*note = (struct note){};
}

/* --- sending ---------------------------------------------------------------- */

static void send_fragment(struct sync *sync, const struct endpoint *to, uint32_t i)
{
	const struct note *note = &sync->note;
	uint32_t offset = i * BODY_FRAGMENT_SIZE, left = note->size - offset;
	struct body body = {
		.type = BODY_NOTE,
		.note = {
			.revision = note->revision,
			.size = note->size,
			.fragment = (uint8_t)i,
			.fragment_size =
				(uint16_t)(left < BODY_FRAGMENT_SIZE ? left : BODY_FRAGMENT_SIZE),
			.bytes = note->bytes + offset,
		},
	};

	strcpy(body.note.author, note->author);
	sync_emit(sync, to, &body);
}

int sync_publish(struct sync *sync, const void *bytes, size_t size, uint64_t now_ms)
{
	struct note note = { .size = (uint32_t)size };

	if (size > SYNC_NOTE_MAX)
		return -E2BIG;
	note.bytes = malloc(size + 1);
	if (!note.bytes)
		return -ENOMEM;
	sync_advance(sync, now_ms);
	if (size > 0)
		memcpy(note.bytes, bytes, size);
	strcpy(note.author, sync->node);
	if (sync->note_counter < UINT64_MAX)
		sync->note_counter++;
	note.revision.counter = sync->note_counter;
	note.revision.digest = make_digest(note.author, note.bytes, size);
	note_clear(&sync->note);
	sync->note = note;
	for (uint32_t i = 0; i < body_note_fragments(note.size); i++)
		send_fragment(sync, NULL, i);
	return 0;
}

void note_resend(
	struct sync *sync, const struct endpoint *to, const struct body_note_request *request)
{
	if (request->session != sync->session || request->revision.counter == 0 ||
		compare(&request->revision, &sync->note.revision) != 0)
		return;
	for (uint32_t i = 0; i < body_note_fragments(sync->note.size); i++) {
		if (request->have & UINT32_C(1) << i)
			continue;
		if (!pace_take(&sync->stream.resends, sync->now))
			return;
		send_fragment(sync, to, i);
	}
}

/* --- receiving -------------------------------------------------------------- */

void note_heard(struct sync *sync, struct peer *peer, const struct note_revision *revision)
{
	struct body body = { .type = BODY_NOTE_REQUEST };

	if (revision->counter > sync->note_counter)
		sync->note_counter = revision->counter;
	if (compare(revision, &sync->note.revision) <= 0 || sync->now < peer->note_request_at)
		return;
	body.note_request.session = peer->session;
	body.note_request.revision = *revision;
	if (compare(revision, &sync->coming.revision) == 0)
		body.note_request.have = sync->coming.have;
	peer->note_request_at = sync->now + ASK_MS;
	sync_emit(sync, &peer->shown.endpoint, &body);
}

/* Is the fragment one of the note that is coming, or of one that comes instead? */
static bool begin(struct sync *sync, const struct body_note *fragment)
{
	struct note *coming = &sync->coming;
	int order = compare(&fragment->revision, &coming->revision);

	if (order == 0 && fragment->size == coming->size)
		return true;
	if (order < 0 && sync->now < coming->since + STALLED_MS)
		return false;
	note_clear(coming);
	coming->bytes = malloc((size_t)fragment->size + 1);
	if (!coming->bytes)
		return false;
	coming->revision = fragment->revision;
	coming->size = fragment->size;
	coming->since = sync->now;
	strcpy(coming->author, fragment->author);
	return true;
}

static bool is_whole(const struct note *note)
{
	uint32_t n = body_note_fragments(note->size);

	return note->have == (n < 32 ? (UINT32_C(1) << n) - 1 : UINT32_MAX);
}

void note_take(struct sync *sync, const struct body_note *fragment)
{
	struct note *coming = &sync->coming;

	if (fragment->revision.counter > sync->note_counter)
		sync->note_counter = fragment->revision.counter;
	if (compare(&fragment->revision, &sync->note.revision) <= 0 || !begin(sync, fragment))
		return;
	if (!(coming->have & UINT32_C(1) << fragment->fragment))
		coming->since = sync->now;
	memcpy(coming->bytes + fragment->fragment * BODY_FRAGMENT_SIZE, fragment->bytes,
		fragment->fragment_size);
	coming->have |= UINT32_C(1) << fragment->fragment;
	if (!is_whole(coming))
		return;
	note_clear(&sync->note);
	sync->note = *coming;
	*coming = (struct note){};
	if (sync->setup.ops.note_received)
		sync->setup.ops.note_received(sync->note.author, sync->note.bytes, sync->note.size,
			sync->setup.ops.user_data);
}
