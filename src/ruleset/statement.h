/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A statement in both of its forms. The expressions are those that nft itself
 * sends for the text (nft --debug=netlink shows them), or the two would not list alike.
 */

#include "drover/ruleset.h"

struct nftnl_rule;

/* Writes the statement as nft text, without blanks around it. */
void statement_write(FILE *file, const struct ruleset_statement *statement);

void statement_write_verdict(FILE *file, const struct ruleset_verdict *verdict);

/* Appends the kernel expressions of all statements of a rule. Returns 0 or -ENOMEM. */
int statement_add_all(
	struct nftnl_rule *nftnl_rule, const struct ruleset_rule *rule, enum ruleset_family family);
