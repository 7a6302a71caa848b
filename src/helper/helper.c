/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include "drover/control.h"
#include "drover/log.h"
#include "drover/state.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the log -------------------------------------------------------------------------------- */

/* stderr is for the reason why the program quits, and nothing else. */
static void on_log(int priority, const char *line, void *user_data)
{
	struct helper *helper = user_data;
	const char *level = priority <= LOG_ERR       ? "error: "
			    : priority == LOG_WARNING ? "warning: "
						      : "";

	channel_inform(
		helper->channel, "%s%s%s", helper->options->rehearse ? "# " : "", level, line);
	if (priority > LOG_ERR)
		return;
	free(helper->last_error);
	helper->last_error = strdup(line);
}

static int complain(const struct conf_errors *errors, int error)
{
	for (size_t i = 0; i < errors->n_messages; i++)
		fprintf(stderr, "drover-helper: %s\n", errors->messages[i]);
	if (errors->n_messages == 0)
		fprintf(stderr, "drover-helper: %s\n", strerror(-error));
	return error;
}

/* --- the engine's front --------------------------------------------------------------------- */

/* For a list of servers the files are what they were; who asks for a reload has them read anew. */
static int load(void *user_data, struct conf **ret_conf, struct conf_errors *errors)
{
	struct helper *helper = user_data;
	struct conf *conf = NULL;
	int r;

	if (!helper->trying) {
		if (helper->reread)
			conf_texts_free(helper->reread);
		helper->reread = conf_texts_new();
		if (!helper->reread)
			return -ENOMEM;
	}
	r = compose_conf(helper->options, helper->trying ? &helper->next : &helper->told,
		helper->trying ? helper->texts : helper->reread, &conf, errors);
	if (r < 0)
		return r;
	*ret_conf = helper->loaded = conf;
	return 0;
}

static void on_accepted(void *user_data)
{
	struct helper *helper = user_data;

	helper->conf = helper->loaded;
	if (helper->trying) {
		told_move(&helper->told, &helper->next);
		return;
	}
	conf_texts_free(helper->texts);
	helper->texts = take_ptr(helper->reread);
}

/* A duty outlives its helper: the engine finds it, and this is told. */
static void note_roles(const json_t *reply, void *user_data)
{
	struct helper *helper = user_data;
	const json_t *group;
	size_t i;

	json_array_foreach(json_object_get(reply, "groups"), i, group)
	{
		const char *name = json_string_value(json_object_get(group, "name"));
		const char *role = json_string_value(json_object_get(group, "role"));

		if (name && role && strcmp(role, "active") == 0)
			(void)told_set_active(&helper->told, name, true);
	}
}

static int on_start(struct engine *engine, sd_event *event, void *user_data)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s}", "command", "status");
	struct helper *helper = user_data;

	(void)event;
	helper->engine = engine;
	engine_request(engine, request, note_roles, helper);
	return 0;
}

static void on_stop(struct engine *engine, void *user_data)
{
	(void)engine;
	enact_end(user_data, "told to stop");
}

/* --- the pipe ------------------------------------------------------------------------------- */

static uint64_t deadline(const struct helper *helper)
{
	uint64_t now = 0;

	(void)sd_event_now(helper->event, CLOCK_MONOTONIC, &now);
	return now + UINT64_C(1000000) * helper->options->timeout;
}

static int on_silence(sd_event_source *source, uint64_t now, void *user_data)
{
	struct helper *helper = user_data;
	char why[64];

	(void)source;
	(void)now;
	snprintf(why, sizeof(why), "no command came for %u s", helper->options->timeout);
	enact_leave(helper, why);
	return 0;
}

static void on_line(char *line, size_t length, bool too_long, void *user_data)
{
	struct helper *helper = user_data;

	if (helper->timer) {
		(void)sd_event_source_set_time(helper->timer, deadline(helper));
		(void)sd_event_source_set_enabled(helper->timer, SD_EVENT_ONESHOT);
	}
	enact_line(helper, line, length, too_long);
}

static void on_end(void *user_data)
{
	enact_end(user_data, "the server has closed the pipe");
}

static int open_pipe(struct helper *helper)
{
	static const struct channel_callbacks callbacks = { .line = on_line, .end = on_end };
	int r = sd_event_default(&helper->event);

	if (r >= 0)
		r = channel_new(helper->event, STDIN_FILENO, STDOUT_FILENO, &callbacks, helper,
			&helper->channel);
	if (r >= 0 && helper->options->timeout > 0)
		r = sd_event_add_time(helper->event, &helper->timer, CLOCK_MONOTONIC,
			deadline(helper), 0, on_silence, helper);
	if (r >= 0)
		log_set_sink(on_log, helper);
	return r;
}

/* --- from start to end ---------------------------------------------------------------------- */

/* A service manager would have made them; a server starts helpers without one. */
static void make_directory_of(const char *path)
{
	_cleanup_(free_p) char *directory = path ? strdup(path) : NULL;
	char *slash = directory ? strrchr(directory, '/') : NULL;

	if (!slash || slash == directory)
		return;
	*slash = '\0';
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		log_warning("cannot make %s: %s", directory, strerror(errno));
}

static void make_directories(const struct conf *conf)
{
	_cleanup_(free_p) char *state = state_path("servers.json", "");

	make_directory_of(conf->control);
	make_directory_of(state);
}

static int run_engine(struct helper *helper, struct conf *conf)
{
	const struct engine_front front = {
		.program = "drover-helper",
		.load = load,
		.accepted = on_accepted,
		.start = on_start,
		.stop = on_stop,
		.user_data = helper,
	};
	int r;

	helper->conf = conf;
	make_directories(conf);
	r = engine_run(conf, &front);
	helper->engine = NULL;
	if (r < 0)
		fprintf(stderr, "drover-helper: %s\n",
			helper->last_error ? helper->last_error : strerror(-r));
	return r;
}

static int rehearse(struct helper *helper, struct conf *conf)
{
	helper->conf = helper->rehearsed = conf;
	/* A script with gaps is worse than none. */
	channel_set_patient(helper->channel);
	channel_inform(helper->channel, "# drover-helper " DROVER_VERSION
					": nothing is changed here; these commands would be run");
	rehearse_settings(helper);
	return sd_event_loop(helper->event);
}

static void helper_done(struct helper *helper)
{
	log_set_sink(NULL, NULL);
	channel_free(helper->channel);
	sd_event_source_disable_unref(helper->timer);
	sd_event_unref(helper->event);
	conf_free(helper->rehearsed);
	told_done(&helper->told);
	told_done(&helper->next);
	if (helper->texts)
		conf_texts_free(helper->texts);
	if (helper->reread)
		conf_texts_free(helper->reread);
	free(helper->last_error);
}

int helper_run(const struct options *options)
{
	_cleanup_(helper_done) struct helper helper = {
		.options = options,
		.texts = conf_texts_new(),
	};
	struct conf_errors errors = { 0 };
	struct conf *conf = NULL;
	int r = helper.texts ? open_pipe(&helper) : -ENOMEM;

	if (r >= 0 && !options->rehearse)
		told_load(&helper.told);
	if (r >= 0)
		r = compose_conf(options, &helper.told, helper.texts, &conf, &errors);
	if (r < 0)
		r = complain(&errors, r);
	conf_errors_done(&errors);
	if (r < 0)
		return r;
	return options->rehearse ? rehearse(&helper, conf) : run_engine(&helper, conf);
}
