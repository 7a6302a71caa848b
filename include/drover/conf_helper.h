/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A configuration for drover-helper: what the cluster says and the command line give, with a file
 * for the rest, or without one. The result is a struct conf like any other.
 *
 * From the file, if there is one, come services, and what hosts are called, their port ranges,
 * sync. It need not name any host: whoever is in a list of servers and not in the file is called by
 * its address, and may be a balancer. Whoever is in the file and not in the list stays with weight
 * 0: it gets no new connections, those that it has go on.
 */

#include "drover/conf.h"

struct conf_server {
	struct address address;
	unsigned int weight; /* 0..CONF_WEIGHT_MAX */
};

/* The list of a group's servers that the cluster has told. */
struct conf_servers {
	char *group;
	struct conf_server *list;
	size_t n;
};

/* An address of this host, and where it has it. */
struct conf_own {
	char interface[16];
	struct address address;
};

/* What the program knows beyond the file. A setting in the file comes before a default. */
struct conf_helper {
	const char *interface; /* NULL: that of the file, else CONF_HELPER_INTERFACE */
	const char *vips_file; /* for each group without VIPs; NULL: VIPADDRS_DEFAULT_PATH */
	int persistence; /* seconds, if the file has no services; < 0: CONF_HELPER_PERSISTENCE */
	int sync_id;     /* < 0: that of the file */
	const struct conf_own *own; /* all addresses of this host */
	size_t n_own;
	const struct conf_servers *servers; /* groups that are not here: as the file says */
	size_t n_servers;
};

#define CONF_HELPER_INTERFACE "eth0"
#define CONF_HELPER_GROUP     "A"
#define CONF_HELPER_NAME      "drover-helper" /* stands for the file where there is none */

enum { CONF_HELPER_PERSISTENCE = 15 };

/*
 * Files as they were when they were first read, so that a list of servers can be taken in whatever
 * has become of them since.
 */
struct conf_texts;
struct conf_texts *conf_texts_new(void); /* NULL without memory */
void conf_texts_free(struct conf_texts *texts);
DEFINE_CLEANUP(struct conf_texts, conf_texts_free)

/*
 * Makes a configuration; path may be NULL. Which member this host is, unless the file says
 * "node", follows from its own addresses. Results are those of conf_load().
 */
int conf_load_for_helper(const char *path, const struct conf_helper *helper,
	struct conf_texts *texts, struct conf **ret_conf, struct conf_errors *errors);

/* Whether one of this host's addresses is that. */
bool conf_helper_is_own(const struct conf_helper *helper, const struct address *address);

/* A host that the file does not name is called by its address, with '-' for each ':'. */
void conf_helper_name(const struct address *address, char name[static ADDRESS_TEXT_MAX]);
