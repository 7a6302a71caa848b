/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Configurations of other load balancers in, the text of a drover.conf out, with a note of every
 * line that says something which drover does not. What is written is always a configuration that
 * conf_load() takes. The syntaxes are those of the devices' own dumps and of ipvsadm(8), as
 * `ipvsadm -Sn` writes it, and keepalived.conf(5).
 */

#include "drover/address.h"

#define IMPORT_TEXT_MAX 1048576 /* bytes; a dump of 1024 services has a tenth of that */

/* What the device's file cannot know; NULL or AF_UNSPEC where the operator did not say it. */
struct import_options {
	const char *interface; /* default: "eth0" */
	const char *group; /* name of the first group, default "A"; others get a number behind */
	const char *node;  /* name of the balancer, default "lb1" */
	struct address address; /* the balancer's own; default: the file's, else members balance */
};

/* What was not carried over, in the order of the lines. */
struct import_notes {
	char **messages; /* "file:line: what, and why", without a newline */
	size_t n_messages;
};

/* Whether there is a syntax of this name; import_syntaxes() names all, with blanks between. */
bool import_knows(const char *syntax);
const char *import_syntaxes(void);

/*
 * Converts size bytes of text; path only names it in notes. Returns 0 and the caller frees
 * *ret_conf, -ENOENT if there is no such syntax, -E2BIG if the text is longer than
 * IMPORT_TEXT_MAX, -EINVAL if nothing is left that drover could balance, or -ENOMEM; then
 * *ret_conf is untouched. The caller releases the notes in any case: there may be some without
 * a fault, and after -EINVAL they say why.
 */
int import_convert(const char *syntax, const char *path, const char *text, size_t size,
	const struct import_options *options, char **ret_conf, struct import_notes *notes);

void import_notes_done(struct import_notes *notes);
