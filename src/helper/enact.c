/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each command of the cluster's does. */
#include "helper.h"

#include "drover/control.h"
#include "drover/log.h"

#include <errno.h>
#include <string.h>

#define INTERFACE_VERSION 1

/* Whoever waits for an answer. */
struct reply {
	struct helper *helper;
	char number[COMMAND_NUMBER_MAX + 1];
	char *group; /* whose duty was to be taken; NULL if it was something else */
};

/* --- answers -------------------------------------------------------------------------------- */

/* A line without a number cannot be answered: what comes of it is for the log. */
static void answer(struct helper *helper, const char *number, const char *result, const char *what)
{
	const char *between = *what ? " " : "";

	if (*number)
		channel_answer(helper->channel, "%s %s%s%s", number, result, between, what);
	else
		channel_inform(helper->channel, "%s%s%s", result, between, what);
}

static void answer_ok(struct helper *helper, const struct command *command)
{
	answer(helper, command->number, "OK", "");
}

static void answer_error(struct helper *helper, const struct command *command, const char *why)
{
	answer(helper, command->number, "ERROR", why);
}

/* NULL if it went well. All faults of a configuration are logged; the first is the answer. */
static const char *error_of(const json_t *reply)
{
	const json_t *fault = json_array_get(json_object_get(reply, "errors"), 0);
	const char *error = json_string_value(json_object_get(reply, "error"));

	if (!reply)
		return "out of memory";
	if (json_is_true(json_object_get(reply, "ok")))
		return NULL;
	if (fault)
		return json_string_value(fault);
	return error ? error : "no reason was given";
}

/* --- what was told -------------------------------------------------------------------------- */

static void ignore(const json_t *reply, void *user_data)
{
	(void)reply;
	(void)user_data;
}

static void note_error(const json_t *reply, void *user_data)
{
	const char *error = error_of(reply);
	char **ret_error = user_data;

	*ret_error = error ? strdup(error) : NULL;
}

static char *rehearse_next(struct helper *helper)
{
	_cleanup_(conf_free_p) struct conf *conf = NULL;
	struct conf_errors errors;
	char *error = NULL;
	int r = compose_conf(helper->options, &helper->next, helper->texts, &conf, &errors);

	if (r == 0)
		r = rehearse_rules(helper);
	if (r < 0)
		error = strdup(errors.n_messages > 0 ? errors.messages[0] : strerror(-r));
	conf_errors_done(&errors);
	if (r < 0)
		return error;
	conf_free(helper->rehearsed);
	helper->conf = helper->rehearsed = take_ptr(conf);
	told_move(&helper->told, &helper->next);
	return NULL;
}

/*
 * Has what is next take effect. Returns NULL, or why not, a new string. What the engine has
 * accepted is what was told from then on, even if the kernel is yet to follow.
 */
static char *try_next(struct helper *helper)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s}", "command", "reload");
	char *error = NULL;

	if (helper->options->rehearse) {
		error = rehearse_next(helper);
	} else {
		helper->trying = true;
		engine_request(helper->engine, request, note_error, &error);
		helper->trying = false;
	}
	told_done(&helper->next);
	return error;
}

/* --- the duty ------------------------------------------------------------------------------- */

/* Rules depend on it only with -r, or where nobody else knows. Returns why not, a new string. */
static char *say_active(struct helper *helper, const char *group, bool active)
{
	if (told_set_active(&helper->told, group, active) < 0)
		return strdup("out of memory");
	if (!helper->options->rehearse && helper->options->share == 100)
		return NULL;
	if (told_copy(&helper->told, &helper->next) < 0)
		return strdup("out of memory");
	return try_next(helper);
}

static void finish_role(const json_t *reply, void *user_data)
{
	struct reply *asked = user_data;
	const char *error = error_of(reply);

	if (error && asked->group)
		free(say_active(asked->helper, asked->group, false));
	answer(asked->helper, asked->number, error ? "ERROR" : "OK", error ? error : "");
	free(asked->group);
	free(asked);
}

static void request_role(
	struct helper *helper, const struct command *command, const char *group, bool active)
{
	_cleanup_(json_decref_p) json_t *request = json_pack(
		"{s:s, s:s}", "command", active ? "activate" : "standby", "group", group);
	struct reply *asked = calloc(1, sizeof(*asked));

	if (!request || !asked) {
		free(asked);
		return answer_error(helper, command, "out of memory");
	}
	asked->helper = helper;
	strcpy(asked->number, command->number);
	asked->group = active ? strdup(group) : NULL;
	engine_request(helper->engine, request, finish_role, asked);
}

/* Without a name the group is A, or the only one. */
static const struct conf_group *find_group(const struct conf *conf, const char *name)
{
	if (name)
		return conf_find_group(conf, name);
	return conf->n_groups == 1 ? &conf->groups[0] : conf_find_group(conf, CONF_HELPER_GROUP);
}

static void enact_role(struct helper *helper, struct command *command, bool active)
{
	const char *name = command_next_word(&command->rest);
	const struct conf_group *group = find_group(helper->conf, name);
	_cleanup_(free_p) char *error = NULL, *copy = group ? strdup(group->name) : NULL;
	char why[128];

	snprintf(why, sizeof(why), "there is no group %.64s", name ? name : CONF_HELPER_GROUP);
	if (!group)
		return answer_error(helper, command, why);
	if (command_next_word(&command->rest))
		return answer_error(helper, command, "one group at most");
	if (!copy)
		return answer_error(helper, command, "out of memory");
	error = say_active(helper, copy, active);
	if (error && active) {
		(void)told_set_active(&helper->told, copy, false);
		return answer_error(helper, command, error);
	}
	if (helper->options->rehearse) {
		rehearse_role(helper, copy, active);
		return answer_ok(helper, command);
	}
	request_role(helper, command, copy, active);
}

/* --- the servers ---------------------------------------------------------------------------- */

/* A first word that is a group's name says whose servers these are. */
static const struct conf_group *take_group(struct helper *helper, struct command *command)
{
	_cleanup_(free_p) char *copy = strdup(command->rest);
	char *at = copy, *name = at ? command_next_word(&at) : NULL;
	const struct conf_group *group = name ? conf_find_group(helper->conf, name) : NULL;

	if (group)
		(void)command_next_word(&command->rest);
	return group ? group : find_group(helper->conf, NULL);
}

static int change_servers(struct helper *helper, struct command *command, const char *group,
	char reason[static SERVERS_REASON_MAX])
{
	struct servers *servers = &helper->next.servers;

	switch ((int)command->verb) {
	case VERB_SERVERS:
		return servers_replace(servers, group, command->rest, reason);
	case VERB_ADD:
		return servers_add(servers, group, command->rest, reason);
	case VERB_REMOVE:
		return servers_remove(servers, group, command->rest, reason);
	case VERB_WEIGHT:
		return servers_set_weight(servers, group, command->rest, reason);
	default:
		return -EINVAL;
	}
}

static void enact_servers(struct helper *helper, struct command *command)
{
	const struct conf_group *group = take_group(helper, command);
	char reason[SERVERS_REASON_MAX] = "out of memory";
	_cleanup_(free_p) char *error = NULL;
	int r;

	if (!group)
		return answer_error(helper, command, "which group's servers are these?");
	r = told_copy(&helper->told, &helper->next);
	if (r == 0)
		r = change_servers(helper, command, group->name, reason);
	if (r < 0) {
		told_done(&helper->next);
		return answer_error(helper, command, reason);
	}
	error = try_next(helper);
	if (error)
		return answer_error(helper, command, error);
	if (!helper->options->rehearse)
		told_save(&helper->told);
	answer_ok(helper, command);
}

/* --- all of them ---------------------------------------------------------------------------- */

static void enact_interface(struct helper *helper, struct command *command)
{
	char what[32];

	if (!*command->number) {
		channel_inform(helper->channel, "INTF %d", INTERFACE_VERSION);
		return;
	}
	snprintf(what, sizeof(what), "%d", INTERFACE_VERSION);
	answer(helper, command->number, "INTF", what);
}

/* A line may fill one of the log's already, and is told in two then. */
static void log_whole(struct helper *helper, const char *line)
{
	const char *prefix = helper->options->rehearse ? "# " : "";
	int half = COMMAND_LINE_MAX / 2;

	channel_inform(helper->channel, "%swarning: unknown command: %.*s", prefix, half, line);
	if (strlen(line) > (size_t)half)
		channel_inform(helper->channel, "%s%s", prefix, line + half);
}

static void enact_unknown(struct helper *helper, const struct command *command, const char *line)
{
	char why[128];

	snprintf(why, sizeof(why), "unknown command %.64s", command->word ? command->word : "");
	log_whole(helper, line);
	if (*command->number)
		answer_error(helper, command, why);
}

static void enact(struct helper *helper, struct command *command, const char *line)
{
	switch (command->verb) {
	case VERB_INTERFACE:
		return enact_interface(helper, command);
	case VERB_ACTIVATE:
		return enact_role(helper, command, true);
	case VERB_STANDBY:
		return enact_role(helper, command, false);
	case VERB_SERVERS:
	case VERB_ADD:
	case VERB_REMOVE:
	case VERB_WEIGHT:
		return enact_servers(helper, command);
	case VERB_NOTHING:
		return answer_ok(helper, command);
	case VERB_QUIT:
		answer_ok(helper, command);
		return enact_end(helper, "told to quit");
	case VERB_UNKNOWN:
		return enact_unknown(helper, command, line);
	}
}

void enact_line(struct helper *helper, char *line, size_t length, bool too_long)
{
	_cleanup_(free_p) char *copy = strdup(line);
	struct command command;
	int r = command_parse(line, length, helper->conf, &command);

	if (too_long)
		return answer_error(helper, &command, "the line is longer than 4096 bytes");
	if (r < 0)
		return answer_error(helper, &command, "the line is no text");
	if (command.word || *command.number)
		enact(helper, &command, copy ? copy : "");
}

void enact_leave(struct helper *helper, const char *why)
{
	if (helper->told.n_active == 0)
		return;
	log_notice("%s: giving the duty up", why);
	while (helper->told.n_active > 0) {
		_cleanup_(free_p) char *group = helper->told.active[--helper->told.n_active];
		_cleanup_(json_decref_p) json_t *request = json_pack(
			"{s:s, s:s}", "command", "standby", "group", group);

		free(say_active(helper, group, false));
		if (helper->engine)
			engine_request(helper->engine, request, ignore, NULL);
		else
			rehearse_role(helper, group, false);
	}
}

/* What forwards stays in the kernel: a rehearsal has no more to show than the addresses. */
static void rehearse_end(struct helper *helper, const char *why)
{
	channel_inform(helper->channel, "# %s", why);
	for (size_t i = 0; i < helper->told.n_active; i++)
		rehearse_role(helper, helper->told.active[i], false);
	(void)sd_event_exit(helper->event, 0);
}

void enact_end(struct helper *helper, const char *why)
{
	if (!helper->engine)
		return rehearse_end(helper, why);
	enact_leave(helper, why);
	engine_exit(helper->engine);
}
