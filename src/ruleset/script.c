/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/script.h"

#include "key.h"
#include "statement.h"

#include <errno.h>

enum { ELEMENTS_PER_LINE = 4 };

static const char *family_name(enum ruleset_family family)
{
	switch (family) {
	case RULESET_NETDEV:
		return "netdev";
	case RULESET_ARP:
		return "arp";
	case RULESET_IP6:
		return "ip6";
	case RULESET_INET:
		return "inet";
	}
	return NULL;
}

static void write_timeout(FILE *file, uint64_t milliseconds)
{
	uint64_t seconds = milliseconds / 1000;

	if (seconds % 60 == 0)
		fprintf(file, "\t\ttimeout %um\n", (unsigned int)(seconds / 60));
	else
		fprintf(file, "\t\ttimeout %us\n", (unsigned int)seconds);
}

static void write_element(
	FILE *file, const struct ruleset_set *set, const struct ruleset_element *element)
{
	const char *comment = ruleset_element_comment(element);

	key_write_value(file, set->key, &element->key);
	if (set->interval &&
		ruleset_compare_keys(set->key, &element->key, &element->extra->last) != 0) {
		fputc('-', file);
		key_write_value(file, set->key, &element->extra->last);
	}
	if (comment)
		fprintf(file, " comment \"%s\"", comment);
	switch (set->data) {
	case DATA_NONE:
		break;
	case DATA_MARK:
		fprintf(file, " : 0x%08x", element->mark);
		break;
	case DATA_VERDICT:
		fputs(" : ", file);
		statement_write_verdict(file, &element->verdict);
		break;
	}
}

static void write_elements(FILE *file, const struct ruleset_set *set)
{
	if (set->n_elements == 0)
		return;
	fputs("\t\telements = {", file);
	for (size_t i = 0; i < set->n_elements; i++) {
		fputs(i % ELEMENTS_PER_LINE ? " " : "\n\t\t\t", file);
		write_element(file, set, &set->elements[i]);
		if (i + 1 < set->n_elements)
			fputc(',', file);
	}
	fputs("\n\t\t}\n", file);
}

static void write_set(FILE *file, const struct ruleset_set *set)
{
	fprintf(file, "\t%s %s {\n\t\t", set->data == DATA_NONE ? "set" : "map", set->name);
	key_write_type(file, set);
	fputc('\n', file);
	if (set->size > 0)
		fprintf(file, "\t\tsize %u\n", set->size);
	if (set->interval)
		fputs("\t\tflags interval\n", file);
	if (set->counter)
		fputs("\t\tcounter\n", file);
	if (set->dynamic)
		fputs("\t\tflags dynamic,timeout\n", file);
	if (set->timed)
		fputs("\t\tflags timeout\n", file);
	if (set->timeout_ms > 0)
		write_timeout(file, set->timeout_ms);
	write_elements(file, set);
	fputs("\t}\n\n", file);
}

static void write_hook(FILE *file, const struct ruleset_chain *chain)
{
	switch (chain->hook) {
	case HOOK_NONE:
		break;
	case HOOK_INGRESS:
		fprintf(file,
			"\t\ttype filter hook ingress device \"%s\" priority 0; policy accept;\n",
			chain->interface);
		break;
	case HOOK_ARP_INPUT:
	case HOOK_IP6_INPUT:
		fputs("\t\ttype filter hook input priority 0; policy accept;\n", file);
		break;
	case HOOK_INET_INPUT:
		fprintf(file, "\t\ttype filter hook input priority filter - %d; policy accept;\n",
			-HOOK_INET_PRIORITY);
		break;
	case HOOK_INET_PREROUTING:
		fputs("\t\ttype filter hook prerouting priority raw; policy accept;\n", file);
		break;
	case HOOK_INET_REROUTE:
		fputs("\t\ttype route hook output priority mangle; policy accept;\n", file);
		break;
	case HOOK_ARP_OUTPUT:
		fputs("\t\ttype filter hook output priority 0; policy accept;\n", file);
		break;
	}
}

static void write_rule(FILE *file, const struct ruleset_rule *rule)
{
	fputs("\t\t", file);
	for (size_t i = 0; i < rule->n_statements; i++) {
		if (i > 0)
			fputc(' ', file);
		statement_write(file, &rule->statements[i]);
	}
	if (rule->comment)
		fprintf(file, " comment \"%s\"", rule->comment);
	fputc('\n', file);
}

static void write_chain(FILE *file, const struct ruleset_chain *chain)
{
	fprintf(file, "\tchain %s {\n", chain->name);
	write_hook(file, chain);
	for (size_t i = 0; i < chain->n_rules; i++)
		write_rule(file, &chain->rules[i]);
	fputs("\t}\n\n", file);
}

static void write_table(FILE *file, const struct ruleset_table *table)
{
	const char *family = family_name(table->family);

	fprintf(file, "table %s %s\n", family, table->name);
	fprintf(file, "delete table %s %s\n", family, table->name);
	fprintf(file, "table %s %s {\n", family, table->name);
	if (table->owned)
		fputs("\tflags owner\n", file);
	if (table->comment)
		fprintf(file, "\tcomment \"%s\"\n\n", table->comment);
	for (size_t i = 0; i < table->n_sets; i++)
		write_set(file, &table->sets[i]);
	for (size_t i = 0; i < table->n_chains; i++)
		write_chain(file, &table->chains[i]);
	fputs("}\n", file);
}

int script_write(const struct ruleset *ruleset, FILE *file)
{
	for (size_t i = 0; i < ruleset->n_tables; i++)
		write_table(file, &ruleset->tables[i]);
	return ferror(file) ? -EIO : 0;
}

char *script_format(const struct ruleset *ruleset)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	int r;

	if (!file)
		return NULL;
	r = script_write(ruleset, file);
	if (fclose(file) != 0 || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}
