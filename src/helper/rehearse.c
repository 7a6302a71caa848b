/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With -m: lines for the server's log which, without the "* " in front of each, are a shell script.
 * Run on the host, it leaves there what the engine would have.
 */
#include "helper.h"

#include <errno.h>
#include <string.h>

/* Ends the rules in the script; no line of rules is this word. */
#define END_OF_RULES "END_OF_RULES"

/* The engine takes a configuration away; what is kept here must stay. */
static int compose_again(struct helper *helper, struct conf **ret_conf)
{
	struct conf_errors errors;
	int r = compose_conf(helper->options, &helper->next, helper->texts, ret_conf, &errors);

	conf_errors_done(&errors);
	return r;
}

static int format_rules(struct helper *helper, char **ret_text)
{
	const struct told *next = &helper->next;
	_cleanup_(free_p) const char **active = calloc(next->n_active + 1, sizeof(*active));
	_cleanup_(free_p) char *text = NULL;
	struct conf *conf = NULL;
	FILE *stream;
	size_t size;
	int r = active ? compose_again(helper, &conf) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < next->n_active; i++)
		active[i] = next->active[i];
	stream = open_memstream(&text, &size);
	if (!stream) {
		conf_free(conf);
		return -ENOMEM;
	}
	r = engine_print_ruleset(conf, active, stream);
	if (fclose(stream) != 0 && r == 0)
		r = -ENOMEM;
	if (r == 0)
		*ret_text = take_ptr(text);
	return r;
}

/* The rules replace each table that they have; others may be there from before. */
static void remove_tables(struct helper *helper, const char *text)
{
	static const char *const families[] = { "netdev", "arp", "ip6", "inet" };

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		char opening[32];

		snprintf(opening, sizeof(opening), "table %s drover {", families[i]);
		if (strstr(text, opening))
			continue;
		channel_inform(helper->channel, "%s }", opening);
		channel_inform(helper->channel, "delete table %s drover", families[i]);
	}
}

int rehearse_rules(struct helper *helper)
{
	_cleanup_(free_p) char *text = NULL;
	char *at, *line;
	int r = format_rules(helper, &text);

	if (r != 0)
		return r;
	channel_inform(helper->channel, "nft -f - <<'%s'", END_OF_RULES);
	remove_tables(helper, text);
	for (at = text; (line = strsep(&at, "\n"));)
		if (*line)
			channel_inform(helper->channel, "%s", line);
	channel_inform(helper->channel, "%s", END_OF_RULES);
	return 0;
}

static void rehearse_address(
	struct helper *helper, const struct address *vip, const char *interface, bool active)
{
	bool is_ipv6 = vip->family == AF_INET6;
	char text[ADDRESS_TEXT_MAX];

	address_format(vip, text);
	channel_inform(helper->channel, "ip address %s %s/%u dev %s%s", active ? "replace" : "del",
		text, prefix_full_length(vip->family), interface,
		!active   ? ""
		: is_ipv6 ? " noprefixroute nodad preferred_lft 0"
			  : " noprefixroute");
	if (active && !is_ipv6)
		channel_inform(helper->channel, "arping -q -U -c 1 -I %s %s", interface, text);
	else if (active)
		channel_inform(helper->channel,
			"# an unsolicited neighbour advertisement for %s; no tool of Debian's "
			"base sends one",
			text);
}

void rehearse_role(struct helper *helper, const char *name, bool active)
{
	const struct conf_group *group = conf_find_group(helper->conf, name);

	for (size_t v = 0; group && v < group->n_vips; v++) {
		const struct prefix *prefix = &group->vips[v].prefix;

		for (size_t i = 0; i < prefix_count(prefix); i++) {
			struct address vip = prefix_address_at(prefix, i);

			rehearse_address(helper, &vip, helper->conf->interface, active);
		}
	}
}

/* Those of duty_set_arp_sysctls(). */
void rehearse_settings(struct helper *helper)
{
	const char *interface = helper->conf->interface;

	channel_inform(helper->channel, "sysctl -q -w net.ipv4.conf.%s.arp_ignore=1", interface);
	channel_inform(helper->channel, "sysctl -q -w net.ipv4.conf.%s.arp_announce=2", interface);
}
