/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "servers.h"

#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static void __attribute__((format(printf, 2, 3)))
explain(char reason[static SERVERS_REASON_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, SERVERS_REASON_MAX, format, arguments);
	va_end(arguments);
}

/* A macro: static analysis looks into no variadic function, and is to see that this is negative. */
#define refuse(...) (explain(__VA_ARGS__), -EINVAL)

/* --- lists ---------------------------------------------------------------------------------- */

void servers_done(struct servers *servers)
{
	for (size_t i = 0; i < servers->n; i++) {
		free(servers->groups[i].group);
		free(servers->groups[i].list);
	}
	free(servers->groups);
	*servers = (struct servers){ 0 };
}

static int append_server(struct conf_servers *group, const struct conf_server *server)
{
	struct conf_server *grown = reallocarray(group->list, group->n + 1, sizeof(*group->list));

	if (!grown)
		return -ENOMEM;
	group->list = grown;
	group->list[group->n++] = *server;
	return 0;
}

static struct conf_servers *append_group(struct servers *servers, const char *name)
{
	struct conf_servers *grown = reallocarray(
		servers->groups, servers->n + 1, sizeof(*servers->groups));
	char *copy = strdup(name);

	if (grown)
		servers->groups = grown;
	if (!grown || !copy) {
		free(copy);
		return NULL;
	}
	grown[servers->n] = (struct conf_servers){ .group = copy };
	return &grown[servers->n++];
}

static struct conf_servers *find_group(struct servers *servers, const char *name)
{
	for (size_t i = 0; i < servers->n; i++)
		if (strcmp(servers->groups[i].group, name) == 0)
			return &servers->groups[i];
	return append_group(servers, name);
}

int servers_copy(const struct servers *servers, struct servers *ret_copy)
{
	struct servers copy = { 0 };

	for (size_t i = 0; i < servers->n; i++) {
		const struct conf_servers *from = &servers->groups[i];
		struct conf_servers *to = append_group(&copy, from->group);

		for (size_t j = 0; to && j < from->n; j++)
			if (append_server(to, &from->list[j]) < 0)
				to = NULL;
		if (to)
			continue;
		servers_done(&copy);
		return -ENOMEM;
	}
	*ret_copy = copy;
	return 0;
}

static struct conf_server *find_server(
	const struct conf_servers *group, const struct address *address)
{
	for (size_t i = 0; i < group->n; i++)
		if (address_equal(&group->list[i].address, address))
			return &group->list[i];
	return NULL;
}

/* --- words ---------------------------------------------------------------------------------- */

static int parse_weight(const char *text, unsigned int *ret_weight)
{
	unsigned int weight = 0;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++)
		weight = weight * 10 + (unsigned int)(*text - '0');
	if (weight > CONF_WEIGHT_MAX)
		return -EINVAL;
	*ret_weight = weight;
	return 0;
}

/* An IPv6 address has colons itself: with a weight it is in brackets, without it may be. */
static int parse_server(char *word, struct conf_server *ret_server, bool *ret_has_weight)
{
	char *end = *word == '[' ? strchr(word, ']') : strrchr(word, ':');
	struct conf_server server = { .weight = CONF_WEIGHT_DEFAULT };
	const char *weight = NULL;

	if (*word == '[') {
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		weight = end[1] ? end + 2 : NULL;
		*end = '\0';
		word++;
	} else if (end && strchr(word, ':') == end) {
		weight = end + 1;
		*end = '\0';
	}
	if (address_parse(word, &server.address) < 0)
		return -EINVAL;
	if (weight && parse_weight(weight, &server.weight) < 0)
		return -EINVAL;
	*ret_server = server;
	*ret_has_weight = weight != NULL;
	return 0;
}

/* The one server that a command is about, in its first word: may that name a weight, too? */
static int take_server(char **words, bool with_weight, struct conf_server *ret_server,
	char reason[static SERVERS_REASON_MAX])
{
	char *word = command_next_word(words);
	_cleanup_(free_p) char *copy = word ? strdup(word) : NULL;
	bool has_weight;

	if (!word)
		return refuse(reason, "no server is named");
	if (!copy)
		return -ENOMEM;
	if (parse_server(word, ret_server, &has_weight) < 0 || (has_weight && !with_weight))
		return refuse(reason, "%.64s is no address", copy);
	return 0;
}

static int take_weight(
	char **words, unsigned int *ret_weight, char reason[static SERVERS_REASON_MAX])
{
	const char *word = command_next_word(words);

	if (!word)
		return refuse(reason, "no weight is named");
	if (parse_weight(word, ret_weight) < 0)
		return refuse(reason, "%.64s is no weight from 0 to %d", word, CONF_WEIGHT_MAX);
	return 0;
}

static int take_end(char **words, char reason[static SERVERS_REASON_MAX])
{
	const char *word = command_next_word(words);

	return word ? refuse(reason, "%.64s is one word too many", word) : 0;
}

static int take_room(const struct conf_servers *group, char reason[static SERVERS_REASON_MAX])
{
	if (group->n < CONF_MEMBERS_MAX)
		return 0;
	return refuse(reason, "more than %d servers", CONF_MEMBERS_MAX);
}

/* --- changes -------------------------------------------------------------------------------- */

static int parse_list(
	char *words, struct conf_servers *list, char reason[static SERVERS_REASON_MAX])
{
	for (char *word; (word = command_next_word(&words));) {
		_cleanup_(free_p) char *copy = strdup(word);
		struct conf_server server;
		bool has_weight;
		int r;

		if (!copy)
			return -ENOMEM;
		if (parse_server(word, &server, &has_weight) < 0)
			return refuse(reason, "%.64s is no ADDRESS:WEIGHT", copy);
		if (find_server(list, &server.address))
			return refuse(reason, "%.64s is listed twice", copy);
		r = take_room(list, reason);
		if (r == 0)
			r = append_server(list, &server);
		if (r < 0)
			return r;
	}
	return 0;
}

int servers_replace(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX])
{
	struct conf_servers list = { 0 }, *known;
	int r = parse_list(words, &list, ret_reason);

	known = r == 0 ? find_group(servers, group) : NULL;
	if (r == 0 && !known)
		r = -ENOMEM;
	if (r != 0) {
		free(list.list);
		return r;
	}
	free(known->list);
	known->list = list.list;
	known->n = list.n;
	return 0;
}

/* The weight may be a word of its own, too. Of one that is in the list it is changed. */
int servers_add(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX])
{
	struct conf_servers *list = find_group(servers, group);
	struct conf_server server, *known;
	int r = list ? take_server(&words, true, &server, ret_reason) : -ENOMEM;

	if (r == 0 && words[strspn(words, " \t")])
		r = take_weight(&words, &server.weight, ret_reason);
	if (r == 0)
		r = take_end(&words, ret_reason);
	if (r < 0)
		return r;
	known = find_server(list, &server.address);
	if (known) {
		known->weight = server.weight;
		return 0;
	}
	r = take_room(list, ret_reason);
	return r < 0 ? r : append_server(list, &server);
}

static int find_listed(struct servers *servers, const char *group, char **words,
	struct conf_servers **ret_list, struct conf_server **ret_server,
	char reason[static SERVERS_REASON_MAX])
{
	struct conf_servers *list = find_group(servers, group);
	char text[ADDRESS_TEXT_MAX];
	struct conf_server server;
	int r = list ? take_server(words, false, &server, reason) : -ENOMEM;

	if (r < 0)
		return r;
	*ret_server = find_server(list, &server.address);
	if (!*ret_server)
		return refuse(reason, "%s is not among the servers",
			address_format(&server.address, text));
	*ret_list = list;
	return 0;
}

int servers_remove(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX])
{
	struct conf_servers *list;
	struct conf_server *server;
	int r = find_listed(servers, group, &words, &list, &server, ret_reason);

	if (r == 0)
		r = take_end(&words, ret_reason);
	if (r < 0)
		return r;
	memmove(server, server + 1,
		(size_t)(list->list + list->n - (server + 1)) * sizeof(*server));
	list->n--;
	return 0;
}

int servers_set_weight(struct servers *servers, const char *group, char *words,
	char ret_reason[static SERVERS_REASON_MAX])
{
	struct conf_servers *list;
	struct conf_server *server;
	unsigned int weight;
	int r = find_listed(servers, group, &words, &list, &server, ret_reason);

	if (r == 0)
		r = take_weight(&words, &weight, ret_reason);
	if (r == 0)
		r = take_end(&words, ret_reason);
	if (r < 0)
		return r;
	server->weight = weight;
	return 0;
}

/* --- over a restart ------------------------------------------------------------------------- */

static json_t *list_to_json(const struct conf_servers *list)
{
	json_t *entries = json_array();

	for (size_t i = 0; entries && i < list->n; i++) {
		const struct conf_server *server = &list->list[i];
		bool is_ipv6 = server->address.family == AF_INET6;
		char address[ADDRESS_TEXT_MAX];

		json_array_append_new(entries,
			json_sprintf(is_ipv6 ? "[%s]:%u" : "%s:%u",
				address_format(&server->address, address), server->weight));
	}
	return entries;
}

json_t *servers_to_json(const struct servers *servers)
{
	json_t *root = json_object();

	for (size_t i = 0; root && i < servers->n; i++)
		json_object_set_new(
			root, servers->groups[i].group, list_to_json(&servers->groups[i]));
	return root;
}

static int list_from_json(const json_t *entries, struct conf_servers *list)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
	{
		const char *text = json_string_value(entry);
		_cleanup_(free_p) char *word = text ? strdup(text) : NULL;
		struct conf_server server;
		bool has_weight;

		if (!word || parse_server(word, &server, &has_weight) < 0 ||
			append_server(list, &server) < 0)
			return -EBADMSG;
	}
	return 0;
}

int servers_from_json(const json_t *root, struct servers *ret_servers)
{
	struct servers servers = { 0 };
	const json_t *entries;
	const char *group;

	if (!json_is_object(root))
		return -EBADMSG;
	json_object_foreach((json_t *)(uintptr_t)root, group, entries)
	{
		struct conf_servers *list = append_group(&servers, group);

		if (list && json_is_array(entries) && list_from_json(entries, list) == 0)
			continue;
		servers_done(&servers);
		return -EBADMSG;
	}
	*ret_servers = servers;
	return 0;
}
