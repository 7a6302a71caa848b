/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ruleset_fixture.h"

#include "drover/compile.h"
#include "drover/diff.h"
#include "drover/message.h"
#include "drover/script.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <sys/uio.h>

static struct ruleset *compiled(const struct plan *plan, const struct ruleset *last)
{
	struct ruleset *ruleset = NULL;

	assert_int_equal(compile_plan(plan, last, &ruleset), 0);
	assert_int_equal(message_sign_ruleset(ruleset), 0);
	return ruleset;
}

struct ruleset *ruleset_of_plan(const struct plan *plan)
{
	return compiled(plan, NULL);
}

struct ruleset *ruleset_after(const struct ruleset *last, const struct cluster *cluster)
{
	_cleanup_(plan_free_p) struct plan *plan = plan_of(cluster, NULL);

	return compiled(plan, last);
}

struct ruleset *ruleset_of(const struct cluster *cluster)
{
	return ruleset_after(NULL, cluster);
}

struct ruleset *active_ruleset_after(const struct ruleset *last, const char *text)
{
	_cleanup_(cluster_free_p) struct cluster *cluster = active_cluster_of(text);

	return ruleset_after(last, cluster);
}

struct ruleset *active_ruleset_of(const char *text)
{
	return active_ruleset_after(NULL, text);
}

const struct ruleset_set *set_of(const struct ruleset *ruleset, const char *name)
{
	const struct ruleset_set *set = ruleset_find_set(&ruleset->tables[0], name);

	assert_non_null(set);
	return set;
}

/* --- scripts ------------------------------------------------------------------ */

char *script_of(const struct ruleset *ruleset)
{
	char *script = script_format(ruleset);

	assert_non_null(script);
	return script;
}

char *body_of(const char *script, const char *object)
{
	char head[128], *text = NULL;
	const char *line;
	size_t size;
	FILE *file;

	snprintf(head, sizeof(head), "\n\t%s {\n", object);
	line = strstr(script, head);
	if (!line)
		return NULL;
	file = open_memstream(&text, &size);
	assert_non_null(file);
	for (line += strlen(head); strncmp(line, "\t}\n", 3) != 0; line = strchr(line, '\n') + 1) {
		const char *begin = line + strspn(line, "\t");

		fprintf(file, "%.*s\n", (int)strcspn(begin, "\n"), begin);
	}
	assert_int_equal(fclose(file), 0);
	return text;
}

static void assert_body(const struct body_case *c)
{
	_cleanup_(ruleset_free_p) struct ruleset *ruleset = active_ruleset_of(c->conf);
	_cleanup_(free_p) char *script = script_of(ruleset);
	_cleanup_(free_p) char *body = body_of(script, c->object);

	if (!c->body && body)
		fail_msg("%s should not be there:\n%s\nof %s", c->object, body, c->conf);
	if (c->body && (!body || strcmp(body, c->body) != 0))
		fail_msg("%s is\n%s\nnot\n%s\nof %s", c->object, body ? body : "missing", c->body,
			c->conf);
}

void assert_bodies(const struct body_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_body(&cases[i]);
}

size_t occurrences(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		n++;
	return n;
}

/* --- batches in words ---------------------------------------------------------- */

/* A message type: its words, and the attributes with the object's name and with its elements. */
struct kind {
	uint16_t type;
	const char *verb, *what;
	uint16_t name, list;
};

static const struct kind kinds[] = {
	{ NFT_MSG_NEWTABLE, "add", "table", NFTA_TABLE_NAME, 0 },
	{ NFT_MSG_DELTABLE, "delete", "table", NFTA_TABLE_NAME, 0 },
	{ NFT_MSG_NEWCHAIN, "add", "chain", NFTA_CHAIN_NAME, 0 },
	{ NFT_MSG_DELCHAIN, "delete", "chain", NFTA_CHAIN_NAME, 0 },
	{ NFT_MSG_NEWRULE, "add", "rule", NFTA_RULE_CHAIN, 0 },
	{ NFT_MSG_DELRULE, "flush", "chain", NFTA_RULE_CHAIN, 0 },
	{ NFT_MSG_NEWSET, "add", "set", NFTA_SET_NAME, 0 },
	{ NFT_MSG_DELSET, "delete", "set", NFTA_SET_NAME, 0 },
	{ NFT_MSG_NEWSETELEM, "add", "elements of", NFTA_SET_ELEM_LIST_SET,
		NFTA_SET_ELEM_LIST_ELEMENTS },
	{ NFT_MSG_DELSETELEM, "delete", "elements of", NFTA_SET_ELEM_LIST_SET,
		NFTA_SET_ELEM_LIST_ELEMENTS },
};

/* The lines so far, and the one that may still grow. */
struct account {
	FILE *file;
	char line[300]; /* with %zu for the count */
	size_t count;
};

static void end_line(struct account *account)
{
	const char *number = strchr(account->line, '#');

	if (account->count == 0)
		return;
	if (account->count == 1 && !strstr(account->line, "elements"))
		fprintf(account->file, "%.*s%s\n", (int)(number - account->line), account->line,
			number + 2);
	else
		fprintf(account->file, "%.*s%zu%s\n", (int)(number - account->line), account->line,
			account->count, number + 1);
	account->count = 0;
}

static size_t count_elements(const struct nlattr *list)
{
	const struct nlattr *element;
	size_t n = 0;

	mnl_attr_for_each_nested(element, list)
	{
		n++;
	}
	return n;
}

static void take_message(struct account *account, const struct nlmsghdr *header)
{
	const struct nlattr *attribute;
	const struct kind *kind = NULL;
	const char *name = "?";
	char line[sizeof(account->line)];
	size_t count = 1;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | kinds[i].type))
			kind = &kinds[i];
	if (!kind)
		return; /* the batch's begin and end */
	mnl_attr_for_each(attribute, header, sizeof(struct nfgenmsg))
	{
		uint16_t type = mnl_attr_get_type(attribute);

		if (type == kind->name)
			name = mnl_attr_get_str(attribute);
		else if (kind->list && type == kind->list)
			count = count_elements(attribute);
	}
	snprintf(line, sizeof(line), "%s # %s %s", kind->verb, kind->what, name);
	if (strcmp(line, account->line) != 0) {
		end_line(account);
		snprintf(account->line, sizeof(account->line), "%s", line);
	}
	account->count += count;
}

char *difference(const struct ruleset *have, const struct ruleset *want)
{
	_cleanup_(batch_free_p) struct batch *batch = NULL;
	_cleanup_(free_p) struct iovec *iovecs = NULL;
	struct account account = { .count = 0 };
	char *text = NULL;
	size_t size;
	int n;

	assert_int_equal(diff_build(have, want, &batch), 0);
	account.file = open_memstream(&text, &size);
	assert_non_null(account.file);
	assert_int_equal(batch_finish(batch), 0);
	n = batch_iovecs(batch, &iovecs);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		const struct nlmsghdr *header = iovecs[i].iov_base;
		int length = (int)iovecs[i].iov_len;

		for (; mnl_nlmsg_ok(header, length); header = mnl_nlmsg_next(header, &length))
			take_message(&account, header);
	}
	end_line(&account);
	assert_int_equal(fclose(account.file), 0);
	assert_int_equal(batch_count(batch) == 0, size == 0);
	return text;
}

void assert_difference(const struct ruleset *have, const struct ruleset *want, const char *expected)
{
	_cleanup_(free_p) char *is = difference(have, want);

	assert_string_equal(is, expected);
}
