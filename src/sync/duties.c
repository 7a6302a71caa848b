/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has which duty. Each node tells its whole list again with each heartbeat, in as many packets
 * as that takes; a list is believed when all of it is there.
 */

#include "internal.h"

#include <string.h>

enum { SLICE_SIZE = SEAL_PLAIN_MAX - BODY_HEAD_MAX - 14 };

void duties_done(struct duties *duties)
{
	free(duties->list);
	*duties = (struct duties){};
}

static bool duty_equal(const struct body_duty *a, const struct body_duty *b)
{
	return strcmp(a->group, b->group) == 0 && a->active == b->active && a->ready == b->ready &&
	       a->epoch == b->epoch;
}

static bool list_equal(const struct duties *a, const struct duties *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!duty_equal(&a->list[i], &b->list[i]))
			return false;
	return true;
}

/* --- our own ---------------------------------------------------------------- */

/* Takes those whose names can be told; returns their number. */
static size_t copy(struct body_duty *list, const struct sync_duty *duties, size_t n_duties)
{
	size_t n = 0;

	for (size_t i = 0; i < n_duties && n < BODY_DUTIES_MAX; i++) {
		if (!wire_name_is_valid(duties[i].group))
			continue;
		strcpy(list[n].group, duties[i].group);
		list[n].active = duties[i].active;
		list[n].ready = duties[i].ready;
		list[n].epoch = duties[i].epoch;
		n++;
	}
	return n;
}

bool duties_set(struct sync *sync, const struct sync_duty *duties, size_t n_duties)
{
	struct duties new = { .list = calloc(BODY_DUTIES_MAX, sizeof(*new.list)) };

	/* Without memory the caller's next call tries again. */
	if (!new.list)
		return false;
	new.n = copy(new.list, duties, n_duties);
	new.revision = sync->duties.revision + 1;
	if (sync->duties.list && list_equal(&sync->duties, &new)) {
		duties_done(&new);
		return false;
	}
	duties_done(&sync->duties);
	sync->duties = new;
	for (size_t i = 0; i < new.n; i++)
		epoch_heard(sync, new.list[i].group, new.list[i].epoch);
	return true;
}

/* Returns the index behind the last duty that went. */
static size_t send_slice(struct sync *sync, const struct endpoint *to, size_t first)
{
	uint8_t bytes[SLICE_SIZE];
	struct wire_writer writer = wire_writer(bytes, sizeof(bytes));
	struct body body = { .type = BODY_DUTIES };
	size_t i = first;

	for (; i < sync->duties.n && writer.left >= BODY_DUTY_MAX; i++)
		body_put_duty(&writer, &sync->duties.list[i]);
	body.duties = (struct body_duties){
		.revision = sync->duties.revision,
		.n_total = (uint16_t)sync->duties.n,
		.first = (uint16_t)first,
		.n = (uint16_t)(i - first),
		.rest = wire_reader(bytes, sizeof(bytes) - writer.left),
	};
	sync_emit(sync, to, &body);
	return i;
}

void duties_send(struct sync *sync, const struct endpoint *to)
{
	size_t i = 0;

	do
		i = send_slice(sync, to, i);
	while (i < sync->duties.n);
}

/* --- a peer's --------------------------------------------------------------- */

void duties_forget(struct peer *peer)
{
	if (peer->duties.n > 0)
		peer->duties_changed = true;
	duties_done(&peer->coming_duties);
	duties_done(&peer->duties);
	peer->shown.n_duties = 0;
}

static bool begin(struct duties *coming, const struct body_duties *slice)
{
	duties_done(coming);
	coming->list = calloc((size_t)slice->n_total + 1, sizeof(*coming->list));
	if (!coming->list)
		return false;
	coming->revision = slice->revision;
	coming->n = coming->n_missing = slice->n_total;
	return true;
}

static void fill(struct duties *coming, const struct body_duties *slice)
{
	struct wire_reader rest = slice->rest;

	for (size_t i = slice->first; i < (size_t)slice->first + slice->n; i++) {
		if (!coming->list[i].group[0])
			coming->n_missing--;
		body_get_duty(&rest, &coming->list[i]);
	}
}

/* Shows the list that has come whole. */
static bool show(struct peer *peer)
{
	struct duties *duties = &peer->coming_duties;
	struct sync_duty *shown = calloc(duties->n + 1, sizeof(*shown));

	if (!shown)
		return false;
	for (size_t i = 0; i < duties->n; i++)
		shown[i] = (struct sync_duty){
			.group = duties->list[i].group,
			.active = duties->list[i].active,
			.ready = duties->list[i].ready,
			.epoch = duties->list[i].epoch,
		};
	free(peer->shown_duties);
	peer->shown_duties = shown;
	peer->shown.duties = shown;
	peer->shown.n_duties = duties->n;
	duties_done(&peer->duties);
	peer->duties = *duties;
	*duties = (struct duties){};
	return true;
}

void duties_take(struct sync *sync, struct peer *peer, const struct body_duties *slice)
{
	struct duties *coming = &peer->coming_duties;

	if (slice->revision <= peer->duties.revision || slice->revision < coming->revision)
		return;
	if (slice->revision != coming->revision || slice->n_total != coming->n)
		if (!begin(coming, slice))
			return;
	fill(coming, slice);
	if (coming->n_missing > 0)
		return;
	for (size_t i = 0; i < coming->n; i++)
		epoch_heard(sync, coming->list[i].group, coming->list[i].epoch);
	if (list_equal(&peer->duties, coming))
		peer->duties.revision = coming->revision;
	else if (show(peer))
		peer->duties_changed = true;
}
