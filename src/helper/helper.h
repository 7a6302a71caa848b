/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * drover-helper: the engine, steered by the cluster's pipe. The cluster elects, and says who
 * serves; what it says is composed with the file to a configuration (compose.c), and the engine is
 * asked to take it, or to take or leave the duty (enact.c). With -m there is no engine, and what
 * would be done is printed instead (rehearse.c).
 */

#include "channel.h"
#include "command.h"
#include "drover/engine.h"
#include "run.h"
#include "told.h"

struct helper {
	const struct options *options;
	sd_event *event;
	struct channel *channel;
	sd_event_source *timer;    /* fires when no command came for so long */
	struct engine *engine;     /* NULL with -m */
	const struct conf *conf;   /* in force; the engine's, or with -m rehearsed */
	struct conf *rehearsed;    /* NULL without -m */
	struct told told;          /* what the cluster said, and is in force */
	struct told next;          /* the same while a change of it is tried */
	struct conf_texts *texts;  /* files as of the last reload that was accepted */
	struct conf_texts *reread; /* the same while a reload is tried */
	struct conf *loaded;       /* borrowed: what was composed last */
	bool trying;               /* what is loaded is next, not the files anew */
	char *last_error;          /* that was logged */
};

/* --- compose.c ----------------------------------------------------------------------------- */

/* Makes a configuration of what was told and the files. Results are those of conf_load(). */
int compose_conf(const struct options *options, const struct told *told, struct conf_texts *texts,
	struct conf **ret_conf, struct conf_errors *errors);

/* --- enact.c -------------------------------------------------------------------------------- */

/* Enacts a line of the cluster's, and answers it, now or later. */
void enact_line(struct helper *helper, char *line, size_t length, bool too_long);

/* Gives up all duties; why is for the log. */
void enact_leave(struct helper *helper, const char *why);

/* The same, and ends. Connections go on through what is left in the kernel. */
void enact_end(struct helper *helper, const char *why);

/* --- rehearse.c ----------------------------------------------------------------------------- */

/*
 * Prints, as lines for the log, what a shell would run to bring the host's rules to what is next.
 * Returns 0 or -errno.
 */
int rehearse_rules(struct helper *helper);

/* The same for the addresses of a group, and what announces them. */
void rehearse_role(struct helper *helper, const char *group, bool active);

/* The same for a host's settings, once. */
void rehearse_settings(struct helper *helper);
