/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vips.h"

#include "drover/host.h"
#include "drover/shell.h"
#include "drover/sysctl.h"
#include "drover/vipaddrs.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* What the request says, and what files say of it. */
struct job {
	const char *action;
	const char *file;
	const char *interface; /* NULL: all */
	struct prefix *vips;
	size_t n_vips;
	struct conf *conf; /* NULL: there is none */
	struct host_facts facts;
};

static void job_done(struct job *job)
{
	free(job->vips);
	conf_free(job->conf);
	host_facts_done(&job->facts);
}

/* --- refusals ----------------------------------------------------------------------- */

/* Refusals are replies, too. Each of these returns -EINVAL, or -ENOMEM without a reply. */
static int refuse(json_t **ret_reply, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int refuse(json_t **ret_reply, const char *format, ...)
{
	va_list arguments;
	json_t *error, *reply;

	va_start(arguments, format);
	error = json_vsprintf(format, arguments);
	va_end(arguments);
	reply = json_pack("{s:b, s:o}", "ok", 0, "error", error);
	if (!reply)
		return -ENOMEM;
	*ret_reply = reply;
	return -EINVAL;
}

static int refuse_file(json_t **ret_reply, const char *file, const struct conf_errors *errors)
{
	json_t *list = json_array();
	int r = refuse(ret_reply, "%s is refused as a whole; nothing is changed", file);

	for (size_t i = 0; i < errors->n_messages; i++)
		(void)json_array_append_new(list, json_string(errors->messages[i]));
	if (r == -ENOMEM)
		json_decref(list);
	else
		(void)json_object_set_new(*ret_reply, "errors", list);
	return r;
}

/* --- reading ------------------------------------------------------------------------ */

static int read_vips(struct job *job, json_t **ret_refusal)
{
	struct conf_errors errors;
	int r = vipaddrs_load(job->file, &job->vips, &job->n_vips, &errors);

	if (r < 0 && r != -ENOMEM)
		r = refuse_file(ret_refusal, job->file, &errors);
	conf_errors_done(&errors);
	return r;
}

/* A configuration that nobody named need not exist. */
static int read_conf(struct job *job, const char *named, json_t **ret_refusal)
{
	const char *path = named ? named : CONF_DEFAULT_PATH;
	struct conf_errors errors;
	int r = conf_load(path, &job->conf, &errors);

	if (r == -ENOENT && !named)
		r = 0;
	else if (r < 0 && r != -ENOMEM)
		r = refuse_file(ret_refusal, path, &errors);
	conf_errors_done(&errors);
	if (job->conf && !job->interface)
		job->interface = job->conf->interface;
	return r;
}

static int read_host(struct job *job, json_t **ret_refusal)
{
	int r = host_facts_read(job->interface, job->vips, job->n_vips, &job->facts);

	if (r == -ENODEV)
		return refuse(ret_refusal, "there is no interface %s", job->interface);
	if (r < 0 && r != -ENOMEM)
		return refuse(ret_refusal, "cannot look at this host: %s", strerror(-r));
	return r;
}

/* --- up and down --------------------------------------------------------------------- */

static json_t *list_writes(const struct host_outcome *outcome)
{
	json_t *list = json_array();

	for (size_t i = 0; i < outcome->n_writes; i++) {
		const struct host_write *write = &outcome->writes[i];
		_cleanup_(free_p) char *key = sysctl_key(AF_INET, write->interface, write->name);

		(void)json_array_append_new(
			list, key ? json_sprintf("%s=%d", key, write->value) : NULL);
	}
	return list;
}

static int refuse_write(const struct host_write *write, int error, json_t **ret_reply)
{
	_cleanup_(free_p) char *key = sysctl_key(AF_INET, write->interface, write->name);

	return refuse(ret_reply, "cannot set %s to %d: %s; no VIP is put on lo",
		key ? key : write->name, write->value, strerror(-error));
}

static int refuse_address(
	const struct job *job, const struct host_outcome *outcome, json_t **ret_reply)
{
	bool is_up = strcmp(job->action, "up") == 0;
	bool is_off = is_up && outcome->refused.family == AF_INET6 && job->facts.ipv6_off_lo;
	char text[ADDRESS_TEXT_MAX];

	return refuse(ret_reply, "%zu of %zu addresses cannot be %s lo, first %s: %s",
		outcome->n_refused, outcome->n_addresses, is_up ? "put on" : "taken from",
		address_format(&outcome->refused, text),
		is_off ? "IPv6 is disabled there" : strerror(-outcome->error));
}

static int change(const struct job *job, json_t **ret_reply)
{
	bool is_up = strcmp(job->action, "up") == 0;
	struct host_write wanted[HOST_WRITES_MAX];
	size_t n_wanted = is_up ? host_arp_writes(&job->facts, wanted) : 0;
	struct host_outcome outcome;
	int r = is_up ? host_vips_up(&job->facts, &outcome) : host_vips_down(&job->facts, &outcome);

	if (r < 0 && outcome.n_writes < n_wanted)
		return refuse_write(&wanted[outcome.n_writes], r, ret_reply);
	if (r < 0)
		return refuse(ret_reply, "cannot change lo: %s", strerror(-r));
	if (outcome.n_refused > 0)
		return refuse_address(job, &outcome, ret_reply);
	*ret_reply = json_pack("{s:b, s:b, s:s, s:s, s:I, s:I, s:I, s:o}", "ok", 1, "complete", 1,
		"action", job->action, "file", job->file, "addresses",
		(json_int_t)outcome.n_addresses, "changed", (json_int_t)outcome.n_changed, "on_lo",
		(json_int_t)outcome.n_on_lo, "settings", list_writes(&outcome));
	return *ret_reply ? 0 : -ENOMEM;
}

/* --- show ----------------------------------------------------------------------------- */

static json_t *list_vips(const struct host_facts *facts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < facts->n_vips; i++) {
		const struct host_vip *vip = &facts->vips[i];
		char text[PREFIX_TEXT_MAX];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:I, s:I}", "vip", prefix_format(&vip->prefix, text),
				      "addresses", (json_int_t)prefix_count(&vip->prefix), "on_lo",
				      (json_int_t)vip->n_on_lo));
	}
	return list;
}

static const char *state_name(enum host_state state)
{
	switch (state) {
	case HOST_OK:
		return "ok";
	case HOST_MISSING:
		return "missing";
	case HOST_SKIPPED:
		return "skipped";
	}
	return "?";
}

static json_t *list_checks(const struct host_check checks[static HOST_CHECKS], bool *ret_complete)
{
	json_t *list = json_array();

	*ret_complete = true;
	for (size_t i = 0; i < HOST_CHECKS; i++) {
		const struct host_check *check = &checks[i];

		if (check->state == HOST_MISSING)
			*ret_complete = false;
		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s?}", "name", check->name, "state",
				      state_name(check->state), "found", check->found, "mend",
				      check->mend));
	}
	return list;
}

static size_t count_outgoing(const struct conf *conf)
{
	size_t n = 0;

	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_member *self = conf_group_find_member(
			&conf->groups[g], conf->node);

		n += self ? self->n_outgoing : 0;
	}
	return n;
}

/* The ports of this host's connections, in all groups; the caller frees them. */
static int list_outgoing(const struct conf *conf, struct port_range **ret_ranges, size_t *ret_n)
{
	struct port_range *ranges = calloc(count_outgoing(conf) + 1, sizeof(*ranges));
	size_t n = 0;

	if (!ranges)
		return -ENOMEM;
	for (size_t g = 0; g < conf->n_groups; g++) {
		const struct conf_member *self = conf_group_find_member(
			&conf->groups[g], conf->node);

		for (size_t i = 0; self && i < self->n_outgoing; i++)
			ranges[n++] = self->outgoing[i].range;
	}
	*ret_ranges = ranges;
	*ret_n = n;
	return 0;
}

/* The command that puts VIPs on lo: this program's own, with what it was told. */
static char *up_command(const struct job *job)
{
	_cleanup_(free_p) char *file = shell_word(job->file);
	_cleanup_(free_p) char *interface = shell_word(job->facts.interface);
	bool is_all = strcmp(job->facts.interface, HOST_ALL_INTERFACES) == 0;
	char *command;

	if (!file || !interface ||
		asprintf(&command, "droverctl vips up -f %s%s%s", file, is_all ? "" : " -i ",
			is_all ? "" : interface) < 0)
		return NULL;
	return command;
}

static json_t *report(const struct job *job, const struct host_check checks[static HOST_CHECKS])
{
	bool complete;
	json_t *listed = list_checks(checks, &complete);

	return json_pack("{s:b, s:b, s:s, s:s, s:s, s:o, s:o}", "ok", 1, "complete", complete,
		"action", job->action, "file", job->file, "interface", job->facts.interface, "vips",
		list_vips(&job->facts), "checks", listed);
}

static int show(const struct job *job, json_t **ret_reply)
{
	_cleanup_(free_p) struct port_range *outgoing = NULL;
	_cleanup_(free_p) char *up = up_command(job);
	struct host_check checks[HOST_CHECKS];
	size_t n = 0;
	int r = up ? 0 : -ENOMEM;

	if (r == 0 && job->conf)
		r = list_outgoing(job->conf, &outgoing, &n);
	if (r < 0)
		return r;
	r = host_check(&job->facts, outgoing, n, up, checks);
	if (r == 0)
		*ret_reply = report(job, checks);
	host_checks_done(checks);
	return r;
}

/* --- all of it ------------------------------------------------------------------------ */

int vips_answer(const json_t *request, json_t **ret_reply)
{
	_cleanup_(job_done) struct job job = {
		.action = json_string_value(json_object_get(request, "action")),
		.file = json_string_value(json_object_get(request, "file")),
		.interface = json_string_value(json_object_get(request, "interface")),
	};
	const char *conf = json_string_value(json_object_get(request, "conf"));
	bool is_show = strcmp(job.action, "show") == 0;
	json_t *reply = NULL;
	int r;

	if (!job.file)
		job.file = VIPADDRS_DEFAULT_PATH;
	r = read_vips(&job, &reply);
	if (r >= 0 && is_show)
		r = read_conf(&job, conf, &reply);
	if (r >= 0)
		r = read_host(&job, &reply);
	if (r >= 0)
		(void)(is_show ? show(&job, &reply) : change(&job, &reply));
	if (!reply)
		return -ENOMEM;
	*ret_reply = reply;
	return 0;
}
