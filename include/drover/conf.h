/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The configuration file: libconfig text in, one checked, plain value out.
 *
 * Loading is whole or nothing. A file with any fault gives no struct conf at
 * all, only the list of its faults, each "file:line: what is wrong" ("file:
 * what is wrong" where no line is at fault). Files that a file names by a
 * relative path (@include, vips_file) are looked for beside it. The
 * result never changes after loading: what happens at run time is kept by
 * the cluster module. drover.conf(5) documents the settings.
 */

#include "drover/address.h"
#include "drover/cleanup.h"

#define CONF_DEFAULT_PATH    "/etc/drover/drover.conf"
#define CONF_DEFAULT_CONTROL "/run/drover/control.sock"
#define CONF_DEFAULT_SEED    0x64726f76u /* any will do, if all nodes have the same */

enum {
	CONF_BUCKETS_MIN = 256,
	CONF_BUCKETS_MAX = 65536,
	CONF_BUCKETS_DEFAULT = 4096,
	CONF_WEIGHT_MAX = 65535,
	CONF_WEIGHT_DEFAULT = 100,
	CONF_VIP_LENGTH_MIN = 24,     /* the widest IPv4 VIP subnet: 256 addresses … */
	CONF_VIP_LENGTH_MIN6 = 120,   /* … and the widest of IPv6 */
	CONF_VIP_ADDRESSES_MAX = 256, /* that is so many of either */
	CONF_NAME_MAX = 63,
	CONF_MEMBERS_MAX = 256,       /* per group; the least number of buckets */
	CONF_SERVICES_MAX = 1024,     /* per group */
	CONF_PERSISTENCE_MAX = 86400, /* seconds */
	CONF_PINS_MAX = 262144,
	CONF_PINS_DEFAULT = 65536,
	CONF_TAKEOVER_WAIT_MAX = 300, /* seconds */
	CONF_TAKEOVER_WAIT_DEFAULT = 5,
	CONF_CHECK_INTERVAL_MIN = 100, /* milliseconds */
	CONF_CHECK_INTERVAL_MAX = 3600000,
	CONF_CHECK_INTERVAL_DEFAULT = 2000,
	CONF_CHECK_TIMEOUT_MIN = 50,
	CONF_CHECK_TIMEOUT_DEFAULT = 1000,
	CONF_CHECK_COUNT_MAX = 100, /* rise and fall */
	CONF_CHECK_RISE_DEFAULT = 2,
	CONF_CHECK_FALL_DEFAULT = 2,
	CONF_CHECK_JITTER_MAX = 50, /* percent of the interval */
	CONF_CHECK_JITTER_DEFAULT = 5,
	CONF_SLOW_START_MAX = 3600, /* seconds */
};

/* Where in which file something was written; file is owned by the conf. */
struct conf_location {
	const char *file;
	unsigned int line;
};

/* Ports first..last inclusive, host byte order. */
struct port_range {
	uint16_t first;
	uint16_t last;
};

enum conf_election {
	CONF_ELECTION_MANUAL, /* activate and standby are commands */
	CONF_ELECTION_ALWAYS, /* this balancer is always active */
};

enum conf_scheduler {
	CONF_SCHEDULER_HASH,
	CONF_SCHEDULER_SOURCE,
	CONF_SCHEDULER_RR,
	CONF_SCHEDULER_RANDOM,
};

/* What a service's protocol setting selects; "any" is both bits. */
enum conf_protocol {
	CONF_PROTOCOL_TCP = 1 << 0,
	CONF_PROTOCOL_UDP = 1 << 1,
	CONF_PROTOCOL_ANY = CONF_PROTOCOL_TCP | CONF_PROTOCOL_UDP,
};

/* What a check asks a member; names as the file has them. */
enum conf_check_type {
	CONF_CHECK_ICMP,
	CONF_CHECK_TCP,
	CONF_CHECK_SMTP,
	CONF_CHECK_POP3,
	CONF_CHECK_IMAP,
	CONF_CHECK_HTTP,
	CONF_CHECK_SIP,
	CONF_CHECK_DNS,
	CONF_CHECK_SEND,
	CONF_CHECK_EXEC,
	N_CONF_CHECK_TYPES,
};

/* An entry of "checks", or what a service's check = "smtp" stands for. */
struct conf_check {
	char *name;
	enum conf_check_type type;
	bool by_address;   /* asks the member's own address, not a VIP */
	bool udp;          /* sip, dns, send: by datagrams */
	bool tls;          /* from the first byte on */
	bool starttls;     /* smtp, pop3, imap: after a greeting in the clear; not with tls */
	bool verify;       /* the certificate: by the system's authorities, for server_name */
	char *server_name; /* NULL: none is told */
	uint16_t port;     /* 0: the service's first */
	unsigned int interval_ms, timeout_ms; /* timeout_ms <= interval_ms */
	unsigned int rise, fall;
	unsigned int jitter;         /* percent of the interval */
	char *method, *path, *host;  /* http; NULL: GET, /, the address that is asked */
	struct port_range *statuses; /* http, sip; none: 200 to 299, and 300 to 399 of http */
	size_t n_statuses;
	char *body;    /* http: must be in the answer; NULL: whatever */
	char *query;   /* dns: the name that is asked for; NULL: the root */
	char *send;    /* NULL: nothing */
	char *expect;  /* must be in the answer; NULL: any answer, or none if nothing was sent */
	char *command; /* exec: for the shell */
	struct conf_location location;
};

/* What becomes of a service that has no healthy member. */
enum conf_fail {
	CONF_FAIL_OPEN,   /* all are taken to be healthy */
	CONF_FAIL_CLOSED, /* its packets are dropped */
};

struct conf_vip {
	struct prefix prefix;
	struct conf_location location;
};

struct conf_outgoing {
	struct port_range range;
	struct conf_location location;
};

/* A host of a group: it takes traffic (member), or the duty (balancer), or both. */
struct conf_member {
	char *name;
	struct address address;
	bool has_mac; /* mac was given in the file: it is not resolved */
	struct mac mac;
	unsigned int weight; /* 0..CONF_WEIGHT_MAX */
	bool balancer;
	bool balancer_only; /* listed under "balancers": never takes traffic, weight is 0 */
	bool retired;       /* see conf_retire_member(); weight is 0 */
	bool probed;        /* some check asks it by VIPs */
	struct conf_outgoing *outgoing;
	size_t n_outgoing;
	struct conf_location location;
};

struct conf_service {
	char *name;
	enum conf_protocol protocol;
	struct port_range *ports; /* sorted, disjoint; none means every port */
	size_t n_ports;
	enum conf_scheduler scheduler;
	/*
	 * A client's address stays with its member until nothing came from it for so many
	 * seconds, 1..CONF_PERSISTENCE_MAX; 0: no longer than the scheduler says.
	 */
	unsigned int persistence;
	char *check;        /* NULL if none, else the name of … */
	size_t check_index; /* … the one in conf.checks */
	enum conf_fail fail;
	unsigned int min_up;     /* members that no check takes out, whatever it finds */
	unsigned int slow_start; /* seconds until a member that has come back has its full weight */
	size_t *members;         /* indices into the group's members, ascending; always filled */
	size_t n_members;
	bool all_members; /* the setting was absent: every member (not balancer_only) */
	struct conf_location location;
};

/* A port of a service, or a range of them. */
struct conf_port {
	struct port_range range;
	enum conf_protocol protocols;
	const struct conf_service *service; /* that it belongs to */
};

/*
 * Ports of several services, sorted by number. A list never changes, and may have several owners:
 * two pointers to one list are equal, and need no comparison of what they point to. Its
 * services are those of the configuration, and whoever owns a list for longer must not ask for
 * them.
 */
struct conf_ports {
	size_t n_owners;
	bool has_ranges;
	size_t n; /* 0: every port */
	struct conf_port list[];
};

/*
 * Services that are dealt out alike, by the same scheduler to the same members, as long as checks
 * do not part them. Protocols part where one rule could not serve both, or would be dearer than
 * two: a kind is of both only if nothing is drawn, and has ranges then only if it has one port.
 */
struct conf_kind {
	enum conf_protocol protocols;         /* all that its ports have */
	const struct conf_service **services; /* in the file's order, at least one */
	size_t n_services;
	struct conf_ports *ports;
};

struct conf_group {
	char *name;
	struct conf_vip *vips; /* of the file and of vips_file; never empty, never overlapping */
	size_t n_vips;
	struct conf_member *members; /* in file order, "balancers" after "members" */
	size_t n_members;
	struct conf_service *services;
	size_t n_services;
	struct conf_kind *kinds; /* those with ports before those without */
	size_t n_kinds;
	struct conf_location location;
};

struct conf_sync {
	bool present;
	unsigned int id; /* 0..255 */
	struct address *peers;
	size_t n_peers;
	bool has_multicast;
	struct address multicast;
	uint16_t port;
	char *key_file; /* not read here */
	struct conf_location location;
};

/* Who may ask for metrics over HTTP. */
struct conf_metrics {
	bool present;
	struct address listen;
	uint16_t port;
	struct conf_location location; /* of listen */
};

/* Another word for a command of drover-helper(8). */
struct conf_verb {
	char *meaning; /* "activate", "standby", … as drover.conf(5) has them */
	char *word;
	struct conf_location location;
};

struct conf {
	char *path; /* the file it was read from */
	char *node;
	char *interface;
	enum conf_election election;
	uint32_t buckets; /* power of two */
	uint32_t seed;
	bool counters;              /* count packets and bytes, per member and per service */
	unsigned int pins;          /* the most flows that are pinned */
	unsigned int takeover_wait; /* seconds that activation waits to know all flows */
	bool told;         /* who serves is told at run time (conf_helper.h), to one node alone */
	bool member_guard; /* as a member, drop what conntrack cannot place for some seconds */
	char *control;     /* path of the control socket */
	struct conf_check *checks; /* those of the file, and those that services name by a type */
	size_t n_checks;
	struct conf_group *groups;
	size_t n_groups;
	struct conf_sync sync;
	struct conf_metrics metrics;
	struct conf_verb *verbs;
	size_t n_verbs;
	char **files; /* names of all files read; locations point here */
	size_t n_files;
};

/* Faults found in a configuration, in the order of their lines. */
struct conf_errors {
	char **messages; /* "file:line: what is wrong", without a newline */
	size_t n_messages;
};

/*
 * Reads and checks a configuration file and the vipaddrs files that it names.
 * On success returns 0 and the caller owns *ret_conf. On failure returns
 * -EINVAL (faults in the file), -ENOMEM, or the error of opening it; *ret_conf
 * is untouched and errors names at least one fault.
 */
int conf_load(const char *path, struct conf **ret_conf, struct conf_errors *errors);

/*
 * The same from text in memory, for tests and fuzzing: path only names it in
 * messages. Files named by the text (vips_file, @include) are still opened.
 */
int conf_parse(
	const char *path, const char *text, struct conf **ret_conf, struct conf_errors *errors);

void conf_free(struct conf *conf);
DEFINE_CLEANUP(struct conf, conf_free)

/*
 * Adds a member of an earlier configuration that this one does not have any more, so that its
 * connections may end in peace: with weight 0, in no service, and with those of its outgoing ranges
 * that are nobody else's now. Returns 1, 0 if it cannot be (no such group, or another has its name
 * or address), or -ENOMEM. Only for a configuration that is not in use yet.
 */
int conf_retire_member(struct conf *conf, const char *group_name, const struct conf_member *member);

/*
 * Those ports of services that are of one of the protocols, as a new list with one owner, or NULL
 * without memory.
 */
struct conf_ports *conf_ports_new(const struct conf_service *const *services, size_t n_services,
	enum conf_protocol protocols);
/* One owner more; returns the same list. */
struct conf_ports *conf_ports_ref(struct conf_ports *ports);
/* One owner less; without one the list is freed. NULL: nothing happens. */
void conf_ports_unref(struct conf_ports *ports);

void conf_errors_done(struct conf_errors *errors);

/*
 * A digest of what decides where flows go, as far as the file says it: groups, VIPs, members and
 * their weights, services. Equal on nodes whose files agree in that; order in the file does
 * not matter where it has no meaning. Of members that are told, none counts. 0 without memory.
 */
uint64_t conf_fingerprint(const struct conf *conf);

/* Names as the file writes them: "hash", "manual", "tcp", … */
const char *conf_scheduler_name(enum conf_scheduler scheduler);
const char *conf_election_name(enum conf_election election);
const char *conf_protocol_name(enum conf_protocol protocol);
const char *conf_check_type_name(enum conf_check_type type);
const char *conf_fail_name(enum conf_fail fail);

/*
 * True if the scheduler draws anew for each packet (rr, random): then a TCP flow's member must be
 * remembered, and a UDP flow has none.
 */
bool conf_scheduler_draws(enum conf_scheduler scheduler);

/* True if the member is one of "all members": neither a balancer only nor retired. */
bool conf_counts_as_member(const struct conf_member *member);
bool conf_same_members(const struct conf_service *a, const struct conf_service *b);

/* The check of a service, or NULL. */
const struct conf_check *conf_service_check(
	const struct conf *conf, const struct conf_service *service);

/* Finds by name; returns NULL if there is none. */
const struct conf_group *conf_find_group(const struct conf *conf, const char *name);
const struct conf_member *conf_group_find_member(const struct conf_group *group, const char *name);

/* The first one of this name in any group. */
const struct conf_member *conf_find_member(const struct conf *conf, const char *name);

/*
 * The service that a flow to a port of the VIPs belongs to: those with ports come before the one
 * without, and so do outgoing ranges. NULL if there is none.
 */
const struct conf_service *conf_group_find_service(
	const struct conf_group *group, enum conf_protocol protocol, uint16_t port);
