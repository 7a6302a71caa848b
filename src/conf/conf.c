/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(config_t, config_destroy)

static void member_done(struct conf_member *member)
{
	free(member->name);
	free(member->outgoing);
}

static void service_done(struct conf_service *service)
{
	free(service->name);
	free(service->ports);
	free(service->check);
	free(service->members);
}

static void group_done(struct conf_group *group)
{
	for (size_t i = 0; i < group->n_members; i++)
		member_done(&group->members[i]);
	for (size_t i = 0; i < group->n_services; i++)
		service_done(&group->services[i]);
	free(group->name);
	free(group->vips);
	free(group->members);
	free(group->services);
}

void conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->n_groups; i++)
		group_done(&conf->groups[i]);
	for (size_t i = 0; i < conf->n_files; i++)
		free(conf->files[i]);
	free(conf->path);
	free(conf->node);
	free(conf->interface);
	free(conf->groups);
	free(conf->control);
	free(conf->sync.peers);
	free(conf->sync.key_file);
	free(conf->files);
	free(conf);
}

static struct conf *conf_new(const char *path)
{
	_cleanup_(conf_free_p) struct conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	conf->buckets = CONF_BUCKETS_DEFAULT;
	conf->seed = CONF_DEFAULT_SEED;
	conf->path = strdup(path);
	conf->control = strdup(CONF_DEFAULT_CONTROL);
	if (!conf->path || !conf->control)
		return NULL;
	return take_ptr(conf);
}

static void add_syntax_fault(struct reader *reader, const config_t *config)
{
	const struct source *source = &reader->source;
	size_t line = config_error_line(config) > 0 ? (size_t)config_error_line(config) : 1;

	if (line > source->n_lines)
		line = source->n_lines;
	fault_add(reader, source->lines[line - 1], "%s", config_error_text(config));
}

/* Reads the text into reader->conf; what is wrong is in reader->faults. */
static void read_conf(struct reader *reader, const char *text, size_t length)
{
	config_t config;
	_cleanup_(config_destroy_p) config_t *owned = &config;
	const char *file = file_note(reader, reader->conf->path);

	config_init(&config);
	if (!file)
		return fault_no_memory(reader);
	if (!source_read(reader, file, text, length))
		return;
	if (!config_read_string(owned, reader->source.text))
		return add_syntax_fault(reader, owned);
	settings_read(reader, config_root_setting(owned));
	conf_check(reader);
}

static int parse(const char *path, const char *text, size_t length, struct conf **ret_conf,
	struct conf_errors *errors)
{
	_cleanup_(conf_free_p) struct conf *conf = conf_new(path);
	struct reader reader = { .conf = conf };
	int r;

	if (!conf)
		return -ENOMEM;
	read_conf(&reader, text, length);
	r = faults_finish(&reader, errors);
	source_done(&reader.source);
	if (r < 0)
		return r;
	*ret_conf = take_ptr(conf);
	return 0;
}

int conf_parse(
	const char *path, const char *text, struct conf **ret_conf, struct conf_errors *errors)
{
	*errors = (struct conf_errors){ 0 };
	return parse(path, text, strlen(text), ret_conf, errors);
}

static void add_open_error(const char *path, int error, struct conf_errors *errors)
{
	char **message = array_append(errors->messages, errors->n_messages);

	if (message && asprintf(message, "%s: cannot open: %s", path, strerror(error)) < 0)
		errors->n_messages--;
}

int conf_load(const char *path, struct conf **ret_conf, struct conf_errors *errors)
{
	_cleanup_(free_p) char *text = NULL;
	size_t length;
	int r;

	*errors = (struct conf_errors){ 0 };
	r = file_read(path, &text, &length);
	if (r < 0) {
		add_open_error(path, -r, errors);
		return r;
	}
	return parse(path, text, length, ret_conf, errors);
}

const char *conf_scheduler_name(enum conf_scheduler scheduler)
{
	switch (scheduler) {
	case CONF_SCHEDULER_HASH:
		return "hash";
	case CONF_SCHEDULER_SOURCE:
		return "source";
	case CONF_SCHEDULER_RR:
		return "rr";
	case CONF_SCHEDULER_RANDOM:
		return "random";
	}
	return "?";
}

const char *conf_election_name(enum conf_election election)
{
	switch (election) {
	case CONF_ELECTION_MANUAL:
		return "manual";
	case CONF_ELECTION_ALWAYS:
		return "always";
	}
	return "?";
}

const char *conf_protocol_name(enum conf_protocol protocol)
{
	switch (protocol) {
	case CONF_PROTOCOL_TCP:
		return "tcp";
	case CONF_PROTOCOL_UDP:
		return "udp";
	case CONF_PROTOCOL_ANY:
		return "any";
	}
	return "?";
}

const struct conf_group *conf_find_group(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n_groups; i++)
		if (conf->groups[i].name && strcmp(conf->groups[i].name, name) == 0)
			return &conf->groups[i];
	return NULL;
}

const struct conf_member *conf_group_find_member(const struct conf_group *group, const char *name)
{
	for (size_t i = 0; i < group->n_members; i++) {
		const struct conf_member *member = &group->members[i];

		if (member->name && strcmp(member->name, name) == 0)
			return member;
	}
	return NULL;
}
