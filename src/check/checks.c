/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

enum {
	MS = 1000, /* microseconds */
	RETRY_MS = 50,
	RETRY_PART = 10, /* of the interval */
	EVENTS_MAX = 64,
	/* Many that are due one shortly after the other are worth one look at all. */
	BATCH_US = 5 * MS,
};

struct checks {
	struct checks_ops ops;
	int epoll_fd;
	struct tls_trust *trust; /* NULL: no probe has needed it */
	struct probe *first;
	uint64_t next_us; /* nothing is due before */
	bool released;    /* VIPs are asked */
	uint64_t random;
	uint16_t last_number;
};

int checks_new(const struct checks_ops *ops, struct checks **ret_checks)
{
	struct checks *checks = calloc(1, sizeof(*checks));

	if (!checks)
		return -ENOMEM;
	checks->ops = *ops;
	checks->random = (uint64_t)getpid() * UINT64_C(0x9e3779b97f4a7c15) + 1;
	checks->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (checks->epoll_fd < 0) {
		free(checks);
		return -errno;
	}
	*ret_checks = checks;
	return 0;
}

/* A command that is killed ends before long, and is reaped here, or by whoever inherits it. */
static void probe_free(struct probe *probe)
{
	if (probe->report.target.check)
		probe_end(probe);
	if (probe->fd >= 0)
		close(probe->fd);
	if (probe->pid > 0)
		(void)waitpid(probe->pid, NULL, WNOHANG);
	free(probe->key);
	free(probe);
}

void checks_free(struct checks *checks)
{
	if (!checks)
		return;
	checks_begin(checks);
	checks_end(checks);
	tls_trust_free(checks->trust);
	close(checks->epoll_fd);
	free(checks);
}

int checks_fd(const struct checks *checks)
{
	return checks->epoll_fd;
}

const struct check_report *check_report(const struct probe *probe)
{
	return &probe->report;
}

/* --- what is wanted ----------------------------------------------------------------- */

static void write_text(FILE *file, const char *text)
{
	fprintf(file, "%s%c", text ? text : "", text ? '.' : '-');
	fputc('\0', file);
}

/* All that makes it another probe, or another verdict about the same answers. */
static void write_check(FILE *file, const struct conf_check *check)
{
	fprintf(file, "%d %d %d %d %d %u %u %u %u %u ", (int)check->type, check->udp, check->tls,
		check->starttls, check->verify, check->interval_ms, check->timeout_ms, check->rise,
		check->fall, check->jitter);
	for (size_t i = 0; i < check->n_statuses; i++)
		fprintf(file, "%u-%u ", check->statuses[i].first, check->statuses[i].last);
	write_text(file, check->server_name);
	write_text(file, check->method);
	write_text(file, check->path);
	write_text(file, check->host);
	write_text(file, check->body);
	write_text(file, check->query);
	write_text(file, check->send);
	write_text(file, check->expect);
	write_text(file, check->command);
}

static bool asks_vip(const struct check_target *target)
{
	return target->n_vips > 0;
}

struct key {
	char *text;
	size_t size;
};

static bool make_key(const struct check_target *target, struct key *ret_key)
{
	char address[ADDRESS_TEXT_MAX];
	FILE *file = open_memstream(&ret_key->text, &ret_key->size);

	if (!file)
		return false;
	fprintf(file, "%s %u %d ", address_format(&target->address, address), target->port,
		target->local);
	write_text(file, asks_vip(target) ? target->group : NULL);
	if (target->check->type == CONF_CHECK_EXEC)
		write_text(file, target->member);
	write_check(file, target->check);
	if (fclose(file) == 0)
		return true;
	free(ret_key->text);
	return false;
}

/* The size of a key is part of it: it is told by its last text. */
static struct probe *find_probe(const struct checks *checks, const struct key *key)
{
	for (struct probe *probe = checks->first; probe; probe = probe->next)
		if (memcmp(probe->key, &key->size, sizeof(key->size)) == 0 &&
			memcmp(probe->key + sizeof(key->size), key->text, key->size) == 0)
			return probe;
	return NULL;
}

static struct probe *add_probe(struct checks *checks, const struct key *key, uint64_t now_us)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	char *copy = malloc(sizeof(key->size) + key->size);

	if (!probe || !copy) {
		free(probe);
		free(copy);
		return NULL;
	}
	memcpy(copy, &key->size, sizeof(key->size));
	memcpy(copy + sizeof(key->size), key->text, key->size);
	*probe = (struct probe){
		.next = checks->first,
		.key = copy,
		.due_us = now_us,
		.epoll_fd = checks->epoll_fd,
		.fd = -1,
	};
	checks->first = probe;
	checks->next_us = now_us;
	return probe;
}

void checks_begin(struct checks *checks)
{
	for (struct probe *probe = checks->first; probe; probe = probe->next)
		probe->wanted = false;
}

struct probe *checks_want(struct checks *checks, const struct check_target *target, uint64_t now_us)
{
	struct key key = { NULL, 0 };
	struct probe *probe;

	if (!make_key(target, &key))
		return NULL;
	probe = find_probe(checks, &key);
	if (!probe)
		probe = add_probe(checks, &key, now_us);
	free(key.text);
	if (!probe)
		return NULL;
	if ((target->check->tls || target->check->starttls) && !checks->trust)
		checks->trust = tls_trust_new();
	probe->trust = checks->trust;
	probe->wanted = true;
	probe->report.target = *target;
	if (probe->turn >= target->n_vips)
		probe->turn = 0;
	return probe;
}

void checks_end(struct checks *checks)
{
	struct probe **link = &checks->first;

	while (*link) {
		struct probe *probe = *link;

		if (probe->wanted) {
			link = &probe->next;
			continue;
		}
		*link = probe->next;
		probe_free(probe);
	}
}

/* Its rules are not there yet. */
static bool is_held(const struct checks *checks, const struct probe *probe)
{
	return !checks->released && asks_vip(&probe->report.target);
}

bool checks_release(struct checks *checks, uint64_t now_us)
{
	if (checks->released)
		return false;
	checks->released = true;
	checks->next_us = now_us;
	for (struct probe *probe = checks->first; probe; probe = probe->next)
		if (probe->due_us < now_us && probe->deadline_us == 0)
			probe->due_us = now_us;
	return true;
}

bool checks_are_known(const struct checks *checks)
{
	for (const struct probe *probe = checks->first; probe; probe = probe->next)
		if (!is_held(checks, probe) && probe->report.state.verdict == CHECK_UNKNOWN)
			return false;
	return true;
}

/* --- when to ask next ------------------------------------------------------------------- */

/* xorshift64 (Marsaglia, 2003): what matters is only that probes do not march in step. */
static uint64_t draw(struct checks *checks)
{
	checks->random ^= checks->random << 13;
	checks->random ^= checks->random >> 7;
	checks->random ^= checks->random << 17;
	return checks->random;
}

/*
 * Who is up and fails is asked again soon: whether it has fallen should not take several intervals
 * to know. Who does well by one VIP, and has not shown yet that it does by all, is asked by the
 * next one somewhat sooner than else.
 */
static uint64_t soon(const struct probe *probe)
{
	const struct conf_check *check = probe->report.target.check;
	const struct check_state *state = &probe->report.state;
	uint64_t interval_us = UINT64_C(1000) * check->interval_ms, soon_us = interval_us;

	if (probe->report.outcome == CHECK_GOOD && probe->n_answered < probe->report.target.n_vips)
		soon_us = interval_us / CHECK_ROUND_PART;
	else if (state->verdict == CHECK_UP && state->run > 0)
		soon_us = interval_us / RETRY_PART;
	return soon_us < RETRY_MS * MS ? RETRY_MS * MS : soon_us;
}

static uint64_t next_due(struct checks *checks, const struct probe *probe, uint64_t now_us)
{
	const struct conf_check *check = probe->report.target.check;
	uint64_t interval_us = UINT64_C(1000) * check->interval_ms, soon_us = soon(probe);
	uint64_t range_us = interval_us / 100 * check->jitter, due_us;

	due_us = probe->began_us + interval_us - range_us + draw(checks) % (2 * range_us + 1);
	if (soon_us < interval_us && now_us + soon_us < due_us)
		due_us = now_us + soon_us;
	return due_us > now_us ? due_us : now_us;
}

/* --- probes --------------------------------------------------------------------------------- */

static void explain(struct checks *checks, struct probe *probe)
{
	struct probe_change change = probe->change;

	probe->change.pending = false;
	if (change.pending)
		checks->ops.explained(
			probe, change.before, change.before_us, checks->ops.user_data);
}

/* Another VIP has its turn when this one has answered; until then it keeps it. */
static void take_turn(struct probe *probe, enum check_outcome outcome)
{
	size_t n_vips = probe->report.target.n_vips;

	if (outcome == CHECK_LOCAL || n_vips == 0)
		return;
	if (outcome != CHECK_GOOD) {
		probe->n_answered = 0;
		return;
	}
	probe->turn = (probe->turn + 1) % n_vips;
	if (probe->n_answered < n_vips)
		probe->n_answered++;
}

/* What the whole of a probe comes to. */
static void note(
	struct checks *checks, struct probe *probe, enum check_outcome outcome, uint64_t now_us)
{
	struct check_report *report = &probe->report;
	const struct probe_change change = {
		.pending = true,
		.before = report->state.verdict,
		.before_us = report->since_us,
	};

	report->outcome = outcome;
	report->asked = probe->asked;
	memcpy(report->detail, probe->detail, sizeof(report->detail));
	report->took_us = now_us - probe->began_us;
	report->n_good += outcome == CHECK_GOOD;
	report->n_bad += outcome != CHECK_GOOD && outcome != CHECK_LOCAL;
	take_turn(probe, outcome);
	if (check_decide(
		    &report->state, report->target.check, report->target.n_vips, outcome, now_us)) {
		report->since_us = now_us;
		probe->change = change;
		checks->ops.changed(probe, change.before, change.before_us, checks->ops.user_data);
	}
	probe->due_us = next_due(checks, probe, now_us);
}

static void finish(
	struct checks *checks, struct probe *probe, enum check_outcome outcome, uint64_t now_us);

static void begin_half(struct checks *checks, struct probe *probe, uint64_t now_us)
{
	enum check_outcome outcome;

	probe->number = ++checks->last_number;
	probe->deadline_us = now_us + UINT64_C(1000) * probe->report.target.check->timeout_ms;
	outcome = probe_begin(probe);
	if (outcome != CHECK_PENDING)
		finish(checks, probe, outcome, now_us);
}

/* The verdict does not wait for what the other half has to say; its explanation does. */
static void finish(
	struct checks *checks, struct probe *probe, enum check_outcome outcome, uint64_t now_us)
{
	struct check_report *report = &probe->report;

	probe_end(probe);
	probe->deadline_us = 0;
	if (probe->half != HALF_OWN)
		note(checks, probe, outcome, now_us);
	if (probe->half == HALF_VIP && outcome != CHECK_GOOD && outcome != CHECK_LOCAL) {
		probe->half = HALF_OWN;
		begin_half(checks, probe, now_us);
		return;
	}
	report->own_outcome = probe->half == HALF_OWN ? outcome : CHECK_PENDING;
	explain(checks, probe);
	if (probe->due_us < now_us)
		probe->due_us = now_us;
	if (probe->due_us < checks->next_us)
		checks->next_us = probe->due_us;
}

static void begin(struct checks *checks, struct probe *probe, uint64_t now_us)
{
	uint64_t late_us = now_us - probe->due_us;

	if (late_us > probe->report.late_us)
		probe->report.late_us = late_us;
	probe->began_us = now_us;
	probe->half = HALF_ONLY;
	probe->asked = (struct check_vip){ .address.family = AF_UNSPEC };
	if (asks_vip(&probe->report.target)) {
		probe->half = HALF_VIP;
		probe->asked = probe->report.target.vips[probe->turn];
	}
	begin_half(checks, probe, now_us);
}

/* Of a command whose time was over, only its end was left to come. */
static void handle_events(struct checks *checks, uint64_t now_us)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(checks->epoll_fd, events, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++) {
		struct probe *probe = events[i].data.ptr;
		enum check_outcome outcome = probe_handle(probe);

		if (outcome != CHECK_PENDING && probe->deadline_us != 0)
			finish(checks, probe, outcome, now_us);
	}
}

static void look_at_all(struct checks *checks, uint64_t now_us)
{
	checks->next_us = UINT64_MAX;
	for (struct probe *probe = checks->first; probe; probe = probe->next) {
		if (is_held(checks, probe))
			continue;
		if (probe->deadline_us != 0 && probe->deadline_us <= now_us)
			finish(checks, probe, CHECK_TIMEOUT, now_us);
		if (probe->deadline_us == 0 && probe->due_us <= now_us)
			begin(checks, probe, now_us);
		if (probe->deadline_us != 0 && probe->deadline_us < checks->next_us)
			checks->next_us = probe->deadline_us;
		if (probe->deadline_us == 0 && probe->due_us < checks->next_us)
			checks->next_us = probe->due_us;
	}
	if (checks->next_us < now_us + BATCH_US)
		checks->next_us = now_us + BATCH_US;
}

uint64_t checks_run(struct checks *checks, uint64_t now_us)
{
	handle_events(checks, now_us);
	if (checks->next_us <= now_us)
		look_at_all(checks, now_us);
	return checks->next_us;
}
