/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include <errno.h>
#include <string.h>

DEFINE_CLEANUP(config_t, config_destroy)

static struct conf *conf_new(const char *path)
{
	_cleanup_(conf_free_p) struct conf *conf = calloc(1, sizeof(*conf));

	if (!conf)
		return NULL;
	conf->buckets = CONF_BUCKETS_DEFAULT;
	conf->pins = CONF_PINS_DEFAULT;
	conf->takeover_wait = CONF_TAKEOVER_WAIT_DEFAULT;
	conf->counters = true;
	conf->member_guard = true;
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
	if (reader->helper)
		helper_complete(reader);
	conf_check(reader);
	if (reader->n_faults > 0 || reader->no_memory)
		return;
	kinds_find(reader);
	checks_note_probed(reader->conf);
}

/* The reader tells what there is besides the text. */
static int parse(struct reader *reader, const char *path, const char *text, size_t length,
	struct conf **ret_conf, struct conf_errors *errors)
{
	_cleanup_(conf_free_p) struct conf *conf = reader->conf = conf_new(path);
	int r;

	if (!conf)
		return -ENOMEM;
	read_conf(reader, text, length);
	r = faults_finish(reader, errors);
	source_done(&reader->source);
	if (r < 0)
		return r;
	*ret_conf = take_ptr(conf);
	return 0;
}

int conf_parse(
	const char *path, const char *text, struct conf **ret_conf, struct conf_errors *errors)
{
	struct reader reader = { 0 };

	*errors = (struct conf_errors){ 0 };
	return parse(&reader, path, text, strlen(text), ret_conf, errors);
}

int conf_load(const char *path, struct conf **ret_conf, struct conf_errors *errors)
{
	_cleanup_(free_p) char *text = NULL;
	struct reader reader = { 0 };
	size_t length;
	int r;

	r = file_load(path, &text, &length, errors);
	if (r < 0)
		return r;
	return parse(&reader, path, text, length, ret_conf, errors);
}

int conf_load_for_helper(const char *path, const struct conf_helper *helper,
	struct conf_texts *texts, struct conf **ret_conf, struct conf_errors *errors)
{
	struct reader reader = { .helper = helper, .texts = texts };
	_cleanup_(free_p) char *text = NULL;
	size_t length = 0;
	int r;

	*errors = (struct conf_errors){ 0 };
	if (!path)
		return parse(&reader, CONF_HELPER_NAME, "", 0, ret_conf, errors);
	r = texts_read(texts, path, &text, &length);
	if (r < 0) {
		fault_add_open(path, -r, errors);
		return r;
	}
	return parse(&reader, path, text, length, ret_conf, errors);
}
