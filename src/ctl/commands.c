/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"

#include "arguments.h"
#include "drover/cleanup.h"
#include "drover/conf.h"
#include "local.h"
#include "vips.h"
#include "watch.h"

#include <errno.h>
#include <string.h>

enum {
	ANSWER_MS = 5000,
	COMMIT_MS = 30000, /* the answer comes after the kernel's; big rulesets take a while */
	/* … and what other nodes know is waited for, up to CONF_TAKEOVER_WAIT_MAX. */
	ACTIVATE_MS = COMMIT_MS + 1000 * CONF_TAKEOVER_WAIT_MAX,
};

static const struct command commands[] = {
	{ "status", "", "the node, its problems, groups and members", arguments_none, render_status,
		"ok", ANSWER_MS },
	{ "members", "", "the members of all groups", arguments_none, render_members, "ok",
		ANSWER_MS },
	{ "services", "", "the services of all groups", arguments_none, render_services, "ok",
		ANSWER_MS },
	{ "flows", "[MEMBER] [--list]", "live connections by member; --list shows each",
		arguments_flows, render_flows, "ok", ANSWER_MS },
	{ "rules", "", "the ruleset that drover keeps, as an nft script", arguments_none,
		render_rules, "ok", ANSWER_MS },
	{ "metrics", "", "what can be measured, in the text format of Prometheus", arguments_none,
		render_metrics, "ok", ANSWER_MS },
	{ "watch", "[--interval S] [--count N]", "rates of members and services, as they change",
		arguments_watch, NULL, NULL, 0, .follow = watch_follow },
	{ "explain", "PROTO CLIENT:PORT VIP:PORT [--without MEMBER]",
		"which member a flow goes to, and why", arguments_explain, render_explain, "ok",
		ANSWER_MS },
	{ "activate", "[GROUP]", "take the balancing duty of a group, or of all", arguments_group,
		render_duty, "ok", ACTIVATE_MS },
	{ "standby", "[GROUP] [--force]",
		"give the balancing duty up; --force: although election is always",
		arguments_standby, render_duty, "ok", COMMIT_MS },
	{ "drain", "MEMBER [--wait]",
		"give a member no new connections; --wait until those it has are gone",
		arguments_drain, render_member, "ok", COMMIT_MS },
	{ "enable", "MEMBER", "let a member serve again", arguments_member, render_member, "ok",
		COMMIT_MS },
	{ "disable", "MEMBER", "take a member out at once", arguments_member, render_member, "ok",
		COMMIT_MS },
	{ "weight", "MEMBER N", "set a member's weight, 0 to 65535", arguments_weight,
		render_member, "ok", COMMIT_MS },
	{ "reload", "[--reset]", "read the configuration again; --reset forgets run-time changes",
		arguments_reload, render_reload, "ok", COMMIT_MS },
	{ "ready", "", "exit 0 if this host can take the duty, else 1", arguments_none,
		render_ready, "ready", ANSWER_MS },
	{ "vips", "up|down|show [-f FILE] [-i IFACE] [-c FILE]",
		"VIPs on lo of a member, and what it lacks; needs no daemon", arguments_vips,
		render_vips, "complete", 0, vips_answer },
	{ "keygen", "FILE", "make a new key for sync; needs no daemon", NULL, NULL, NULL, 0, NULL,
		ctl_keygen },
	{ "import", "SYNTAX FILE [--interface IF] [--group NAME] [--node NAME] [--address IP]",
		"make a drover.conf of another balancer's file; needs no daemon", NULL, NULL, NULL,
		0, NULL, ctl_import },
};

/* Lists the commands that begin with a text, each after a blank. */
static void list_commands(FILE *out, const char *beginning)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strncmp(commands[i].name, beginning, strlen(beginning)) == 0)
			fprintf(out, " %s", commands[i].name);
}

static int explain_unknown(const char *name, size_t matches, char **reterr_why)
{
	char *why = NULL;
	size_t size;
	FILE *out = open_memstream(&why, &size);

	if (!out)
		return -ENOMEM;
	fprintf(out, "%s command \"%s\"; %s:", matches ? "ambiguous" : "unknown", name,
		matches ? "it could be" : "valid commands");
	list_commands(out, matches ? name : "");
	if (fclose(out) != 0) {
		free(why);
		return -ENOMEM;
	}
	*reterr_why = why;
	return -EINVAL;
}

int command_find(const char *name, const struct command **ret_command, char **reterr_why)
{
	const struct command *found = NULL;
	size_t matches = 0;

	for (size_t i = 0; *name && i < ARRAY_SIZE(commands); i++) {
		if (strncmp(commands[i].name, name, strlen(name)) != 0)
			continue;
		found = &commands[i];
		matches++;
		if (strcmp(found->name, name) == 0) {
			matches = 1;
			break;
		}
	}
	if (matches != 1)
		return explain_unknown(name, matches, reterr_why);
	*ret_command = found;
	return 0;
}

void command_print_usage(FILE *out, const struct command *command)
{
	fprintf(out, "Usage: droverctl [-s SOCKET] [-j] %s%s%s\n", command->name,
		*command->arguments ? " " : "", command->arguments);
}

void command_print_help(FILE *out)
{
	fputs("Usage: droverctl [-s SOCKET] [-j] COMMAND\n"
	      "\n"
	      "Shows and steers the drover daemon of this host.\n"
	      "\n"
	      "  -s, --socket SOCKET  the daemon's control socket (" CONF_DEFAULT_CONTROL ")\n"
	      "  -j, --json           print the daemon's reply as JSON\n"
	      "  -h, --help           print this help\n"
	      "  -V, --version        print the version\n"
	      "\n"
	      "Commands:\n",
		out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		_cleanup_(free_p) char *synopsis = NULL;
		int length = asprintf(&synopsis, "%s %s", commands[i].name, commands[i].arguments);

		if (length < 0) {
			synopsis = NULL;
			continue;
		}
		/* A long synopsis gets a line of its own, as in the help of most tools. */
		if (length > 18)
			fprintf(out, "  %s\n  %-18s  %s\n", synopsis, "", commands[i].help);
		else
			fprintf(out, "  %-18s  %s\n", synopsis, commands[i].help);
	}
	fputs("\nExit status: 0 done, 1 refused or not ready, 2 wrong usage, 3 no daemon,\n"
	      "4 imported, but not all of it.\n",
		out);
}
