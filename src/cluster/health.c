/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "health.h"

#include "drover/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 3 * (CONF_NAME_MAX + 1) };

static void write_key(
	char key[static KEY_MAX], const char *group, const char *service, const char *member)
{
	snprintf(key, KEY_MAX, "%s/%s/%s", group, service, member);
}

/* --- what is known -------------------------------------------------------------- */

static void forget_verdicts(struct health *health)
{
	for (size_t i = 0; i < health->n_groups; i++) {
		free(health->groups[i].ejected);
		free(health->groups[i].percents);
		free(health->groups[i].failed);
		free(health->groups[i].down);
	}
	free(health->groups);
	health->groups = NULL;
	health->n_groups = 0;
}

void health_done(struct health *health)
{
	forget_verdicts(health);
	for (size_t i = 0; i < health->n_entries; i++)
		free(health->entries[i].key);
	free(health->entries);
}

bool health_is_empty(const struct health *health)
{
	return health->n_entries == 0;
}

/* The place of a key in the order, and whether it is there. */
static size_t find_place(const struct health *health, const char *key, bool *ret_found)
{
	size_t low = 0, high = health->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(health->entries[middle].key, key);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static void remove_entry(struct health *health, size_t place)
{
	struct health_entry *entry = &health->entries[place];

	free(entry->key);
	memmove(entry, entry + 1, (health->n_entries - place - 1) * sizeof(*entry));
	health->n_entries--;
}

static int insert_entry(
	struct health *health, size_t place, const char *key, const struct cluster_health *news)
{
	struct health_entry *grown = array_grow(health->entries, health->n_entries, sizeof(*grown));
	char *copy;

	if (!grown)
		return -ENOMEM;
	health->entries = grown;
	copy = strdup(key);
	if (!copy)
		return -ENOMEM;
	memmove(&grown[place + 1], &grown[place], (health->n_entries - place) * sizeof(*grown));
	grown[place] = (struct health_entry){ .key = copy, .health = *news };
	health->n_entries++;
	return 1;
}

int health_set(struct health *health, const char *group, const char *service, const char *member,
	const struct cluster_health *news)
{
	bool well = !news->down && news->percent >= 100, found;
	char key[KEY_MAX];
	size_t place;

	write_key(key, group, service, member);
	place = find_place(health, key, &found);
	if (!found)
		return well ? 0 : insert_entry(health, place, key, news);
	if (well) {
		remove_entry(health, place);
		return 1;
	}
	if (health->entries[place].health.down == news->down &&
		health->entries[place].health.percent == news->percent)
		return 0;
	health->entries[place].health = *news;
	return 1;
}

static const struct cluster_health *find_health(
	const struct health *health, const char *group, const char *service, const char *member)
{
	char key[KEY_MAX];
	bool found;
	size_t place;

	write_key(key, group, service, member);
	place = find_place(health, key, &found);
	return found ? &health->entries[place].health : NULL;
}

static bool is_configured(const struct conf *conf, const char *key)
{
	char sought[KEY_MAX];

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t s = 0; s < conf->groups[g].n_services; s++) {
			const struct conf_group *group = &conf->groups[g];
			const struct conf_service *service = &group->services[s];

			for (size_t m = 0; service->check && m < service->n_members; m++) {
				write_key(sought, group->name, service->name,
					group->members[service->members[m]].name);
				if (strcmp(sought, key) == 0)
					return true;
			}
		}
	return false;
}

void health_sweep(struct health *health, const struct conf *conf)
{
	for (size_t i = health->n_entries; i-- > 0;)
		if (!is_configured(conf, health->entries[i].key))
			remove_entry(health, i);
}

/* --- who is taken out --------------------------------------------------------------- */

/* A member of a service that is down. */
struct patient {
	size_t member;
	uint64_t since;
};

struct decision {
	const struct health *health;
	const struct conf_group *group;
	struct health_verdicts *verdicts;
	const bool *serves; /* of group->members */
	const bool *lost; /* … who is out of all services that have a check; NULL: not known yet */
	struct patient *patients; /* room for all members */
};

static int compare_patients(const void *a, const void *b)
{
	const struct patient *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->member < y->member ? -1 : x->member > y->member;
}

static const struct cluster_health *find_in_service(
	const struct decision *d, const struct conf_service *service, size_t member)
{
	if (!service->check)
		return NULL;
	return find_health(
		d->health, d->group->name, service->name, d->group->members[member].name);
}

/* How many of a service may be taken out: fail decides where min_up leaves nobody. */
static size_t most_ejected(const struct conf_service *service, size_t n_serving, size_t n_down)
{
	size_t most = n_serving > service->min_up ? n_serving - service->min_up : 0;

	if (n_down == n_serving && service->min_up == 0 &&
		(service->fail == CONF_FAIL_OPEN || !service->check))
		return 0;
	return n_down < most ? n_down : most;
}

static void decide_service(const struct decision *d, size_t index)
{
	const struct conf_service *service = &d->group->services[index];
	bool *ejected = d->verdicts->ejected + index * d->group->n_members;
	uint8_t *percents = d->verdicts->percents + index * d->group->n_members;
	size_t n_serving = 0, n_down = 0, most;

	for (size_t i = 0; i < service->n_members; i++) {
		size_t member = service->members[i];
		const struct cluster_health *found = find_in_service(d, service, member);
		bool down = service->check ? found && found->down : d->lost[member];

		if (found && !down) {
			percents[member] = (uint8_t)found->percent;
			d->verdicts->well = false;
		}
		if (!d->serves[member])
			continue;
		n_serving++;
		if (down)
			d->patients[n_down++] = (struct patient){ member,
				found ? found->since : 0 };
	}
	qsort(d->patients, n_down, sizeof(*d->patients), compare_patients);
	most = most_ejected(service, n_serving, n_down);
	for (size_t i = 0; i < most; i++)
		ejected[d->patients[i].member] = true;
	d->verdicts->well &= most == 0;
	d->verdicts->failed[index] = n_serving > 0 && n_down == n_serving;
}

/* True if the member is out of all its services, or of all that have a check; not if it has none.
 */
static bool is_out(const struct decision *d, size_t member, bool only_checked)
{
	bool any = false;

	for (size_t i = 0; i < d->group->n_services; i++) {
		const struct conf_service *service = &d->group->services[i];

		if (only_checked && !service->check)
			continue;
		for (size_t j = 0; j < service->n_members; j++)
			if (service->members[j] == member) {
				if (!d->verdicts->ejected[i * d->group->n_members + member])
					return false;
				any = true;
			}
	}
	return any;
}

static void decide_services(const struct decision *d, bool with_check)
{
	for (size_t i = 0; i < d->group->n_services; i++)
		if ((d->group->services[i].check != NULL) == with_check)
			decide_service(d, i);
}

static int decide_group(const struct health *health, const struct conf_group *group,
	struct health_verdicts *verdicts, const bool *serves)
{
	_cleanup_(free_p) bool *lost = calloc(group->n_members + 1, sizeof(*lost));
	_cleanup_(free_p) struct patient *patients = calloc(
		group->n_members + 1, sizeof(*patients));
	struct decision decision = {
		.health = health,
		.group = group,
		.verdicts = verdicts,
		.serves = serves,
		.lost = lost,
		.patients = patients,
	};
	size_t n_pairs = group->n_services * group->n_members;

	verdicts->well = true;
	verdicts->ejected = calloc(n_pairs + 1, sizeof(*verdicts->ejected));
	verdicts->percents = calloc(n_pairs + 1, sizeof(*verdicts->percents));
	verdicts->failed = calloc(group->n_services + 1, sizeof(*verdicts->failed));
	verdicts->down = calloc(group->n_members + 1, sizeof(*verdicts->down));
	if (!lost || !patients || !verdicts->ejected || !verdicts->percents || !verdicts->failed ||
		!verdicts->down)
		return -ENOMEM;
	decide_services(&decision, true);
	for (size_t i = 0; i < group->n_members; i++)
		lost[i] = is_out(&decision, i, true);
	decide_services(&decision, false);
	for (size_t i = 0; i < group->n_members; i++)
		verdicts->down[i] = is_out(&decision, i, false);
	return 0;
}

static int decide_all(struct health *health, const struct conf *conf,
	bool (*serves)(const struct conf_member *member, void *user_data), void *user_data)
{
	bool list[CONF_MEMBERS_MAX];

	health->groups = calloc(conf->n_groups, sizeof(*health->groups));
	if (!health->groups)
		return -ENOMEM;
	health->n_groups = conf->n_groups;
	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_group *group = &conf->groups[g];
		int r;

		for (size_t m = 0; m < group->n_members && m < CONF_MEMBERS_MAX; m++)
			list[m] = serves(&group->members[m], user_data);
		r = decide_group(health, group, &health->groups[g], list);
		if (r < 0)
			return r;
	}
	return 1;
}

int health_decide(struct health *health, const struct conf *conf,
	bool (*serves)(const struct conf_member *member, void *user_data), void *user_data)
{
	int r = 1;

	forget_verdicts(health);
	if (health->n_entries > 0)
		r = decide_all(health, conf, serves, user_data);
	if (r < 0)
		forget_verdicts(health);
	return r;
}

struct cluster_share health_share(const struct health *health, size_t group,
	const struct conf_group *conf, size_t service, size_t member)
{
	size_t pair = service * conf->n_members + member;
	struct cluster_share share = { .percent = 100 };
	const struct health_verdicts *verdicts;

	if (!health->groups)
		return share;
	verdicts = &health->groups[group];
	share.ejected = verdicts->ejected[pair];
	if (verdicts->percents[pair] > 0)
		share.percent = verdicts->percents[pair];
	return share;
}

bool health_is_well(const struct health *health, size_t group)
{
	return !health->groups || health->groups[group].well;
}

bool health_failed(const struct health *health, size_t group, size_t service)
{
	return health->groups && health->groups[group].failed[service];
}

bool health_is_down(const struct health *health, size_t group, size_t member)
{
	return health->groups && health->groups[group].down[member];
}
