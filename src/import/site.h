/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A site as any load balancer would describe it: services at VIPs, and the servers behind them.
 * Parsers fill it, the writer makes a drover.conf of it. The first lack of memory stays in error,
 * and what comes after it does nothing, so parsers need not check each step.
 */

#include "drover/conf.h"
#include "drover/import.h"

/* Reasons that several syntaxes have. */
#define SITE_NETWORK "the host's own network is set up by its system"
#define SITE_DIRECT  "the servers now answer clients directly and need the VIP on lo, see drover(7)"

struct site_member {
	char name[CONF_NAME_MAX + 1];
	struct address address;
};

struct site_real {
	size_t member; /* index */
	unsigned int weight;
	unsigned int line;
};

struct site_service {
	char name[CONF_NAME_MAX + 1];
	struct address vip;
	enum conf_protocol protocol;
	uint16_t port; /* 0: every port */
	enum conf_scheduler scheduler;
	bool udp_stateless; /* each datagram on its own; most devices keep a client's for a while */
	unsigned int persistence;
	const char *check;       /* NULL if none */
	struct site_real *reals; /* in the order of the file */
	size_t n_reals;
	unsigned int line;
};

struct site {
	const char *path;
	struct address balancer;
	struct site_member *members;
	size_t n_members;
	struct site_service *services;
	size_t n_services;
	struct import_notes *notes;
	int error; /* 0 or -ENOMEM */
};

/* A port that devices call by a name, and what is usual there. */
struct known_port {
	const char *name;
	uint16_t port;
	enum conf_protocol protocol;
	const char *check;
};

/* A word of the device's and the scheduler that comes closest. */
struct scheduler_word {
	const char *word;
	enum conf_scheduler scheduler;
	const char *lost; /* what drover does not do of it, NULL if nothing */
};

__attribute__((format(printf, 3, 4))) void site_note(
	struct site *site, unsigned int line, const char *format, ...);

/*
 * Adds an entry, which is zero, to an array: *array is a pointer to its entries, of which there
 * are *n. Returns the entry, good until the next one is added, or NULL without memory.
 */
void *site_add_entry(struct site *site, void *array, size_t *n, size_t size);

/*
 * Adds a service that has no servers yet and is balanced in turn. Returns NULL, noted, if
 * there are too many. The pointer is good until the next one is added.
 */
struct site_service *site_add_service(struct site *site, unsigned int line, const char *name,
	const struct address *vip, enum conf_protocol protocol, uint16_t port);

/*
 * Adds a server to a service. name NULL: it is called by its address. What cannot be (another
 * port than the service's, a second time) is noted and left out.
 */
void site_add_real(struct site *site, struct site_service *service, unsigned int line,
	const char *name, const struct address *address, uint16_t port, unsigned int weight);

/* Adopts what the words say that is nearest; an unknown word is noted and leaves it as it was. */
void site_read_scheduler(struct site *site, unsigned int line, const char *word,
	const struct scheduler_word *words, size_t n, enum conf_scheduler *scheduler);

/* Reads a number of seconds; one that drover does not take is noted. */
void site_read_persistence(
	struct site *site, unsigned int line, const char *word, unsigned int *persistence);

/* Reads a weight; one that drover does not take is noted. */
void site_read_weight(struct site *site, unsigned int line, const char *word, unsigned int *weight);

/* Keeps a name with those characters that drover's have; others become '-'. */
void site_set_name(char name[static CONF_NAME_MAX + 1], const char *text);

/* Reads "ADDRESS", noting what is none. */
bool site_read_address(
	struct site *site, unsigned int line, const char *word, struct address *ret_address);

/*
 * Reads a port by its number or a name. A number is of both protocols, a name of those that
 * are usual. Returns false, noted, if it is neither; "any" and 0 are port 0.
 */
bool site_read_port(
	struct site *site, unsigned int line, const char *word, struct known_port *ret_port);

/* What is usual to test at a port: a check's name, "tcp" if nothing better is known. */
const char *site_check_at(uint16_t port);

/* Separates UDP that is not balanced in turn; leaves out what has no servers. */
void site_settle(struct site *site);

void site_done(struct site *site);

/* Returns the text, NULL without memory. */
char *site_write(struct site *site, const struct import_options *options);
