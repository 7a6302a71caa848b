/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The daemon: one event loop that carries news from the kernel and the
 * operator to the cluster, and what follows from it back to the kernel.
 */

#include "drover/cluster.h"
#include "drover/control.h"
#include "drover/link.h"
#include "drover/plan.h"
#include "drover/sync.h"
#include "drover/sync_socket.h"
#include "duty.h"
#include "flows.h"
#include "keeper.h"
#include "takeover.h"

#include <systemd/sd-event.h>

struct daemon {
	sd_event *event;
	sd_event_source *reconcile_source; /* runs once when something has changed */
	sd_event_source *address_source;   /* the same for the VIPs on the interface */
	sd_event_source *announce_timer;
	sd_event_source *leave_timer;
	sd_event_source *retry_timer;
	sd_event_source *resolve_timer;
	sd_event_source *learn_timer;
	struct cluster *cluster;
	struct link_watch *watch;
	struct keeper keeper;
	struct duty duty;
	struct flows flows;
	struct sync *sync; /* NULL: the configuration has none */
	struct sync_socket *sync_socket;
	sd_event_source *sync_timer;
	int sync_error; /* of the last packet that was sent: 0 or -errno */
	struct takeover takeover;
	struct table_cache *tables; /* of the last plan, for the next */
	struct plan *plan; /* what the kernel was last told; borrows from the configuration */
	struct control_server *control;
	struct conf_errors conf_errors; /* of the last reload, if it was refused */
	bool foreign_change;
	uint64_t last_reconcile_us; /* how long it took */
	bool stopping;              /* as soon as no group is being left */
	bool ready;                 /* the service manager has been told */
	/*
	 * The interface is new here, and its neighbours are being resolved, or this daemon is, and
	 * flows are being learned: until when (us, monotonic clock) the kernel keeps what it has.
	 */
	uint64_t resolve_until_us, learn_until_us;
};

/* Runs until SIGTERM. Takes ownership of conf. Returns 0 or -errno (logged). */
int daemon_run(struct conf *conf);

/* --- reconcile.c ---------------------------------------------------------------- */

int daemon_open_reconcile(struct daemon *daemon);

/*
 * Makes the kernel have what the cluster says, now. While members are being resolved for the first
 * time it waits, for at most two seconds. Returns 0 or -errno.
 */
int daemon_reconcile(struct daemon *daemon);

/* The same before the loop waits again: many changes at once cost one commit. */
void daemon_request_reconcile(struct daemon *daemon);

/* Begins to wait, because the interface is new, or because flows are still unknown; ends it. */
void daemon_begin_settling(struct daemon *daemon);
void daemon_begin_learning(struct daemon *daemon);
void daemon_settle(struct daemon *daemon);
bool daemon_is_settling(const struct daemon *daemon);

/* Arms a one-shot timer, whether it was made before or not. Returns 0 or -errno. */
int daemon_arm_timer(struct daemon *daemon, sd_event_source **source, uint64_t delay_us,
	sd_event_time_handler_t handler);

/*
 * Packets are about to go to other members: arms the member guard of this host, if it has one, and
 * has its half-open connections known as well.
 */
void daemon_expect_change(struct daemon *daemon);

/* Notes that the role in some group has changed: VIPs, announcements and timers follow. */
void daemon_role_changed(struct daemon *daemon);
bool daemon_is_leaving(const struct daemon *daemon);
bool daemon_has_duty(const struct daemon *daemon); /* of any group */

/* Puts VIPs on the interface or takes them away (see duty_place_vips()), and announces new ones. */
void daemon_place_vips(struct daemon *daemon, const struct conf *previous);
void daemon_announce(struct daemon *daemon);
void daemon_announce_in(struct daemon *daemon, uint64_t delay_us);

/* --- network.c ------------------------------------------------------------------ */

int daemon_open_network(struct daemon *daemon);

/* Asks for the Ethernet addresses of all members that this host must know. */
void daemon_resolve_members(struct daemon *daemon);

/* --- ready.c -------------------------------------------------------------------- */

enum { REASON_MAX = 512 };

/* True if this host could do the duty of the group well now; else ret_reason says why not. */
bool daemon_is_ready(const struct daemon *daemon, const struct conf_group *group,
	char ret_reason[static REASON_MAX]);

/* --- flows.c -------------------------------------------------------------------- */

int daemon_open_flows(struct daemon *daemon);
void daemon_close_flows(struct daemon *daemon);

/* The configuration is another: forgets who left, and looks for flows anew. */
void daemon_reload_flows(struct daemon *daemon);

/* Pins what has to be pinned for live flows to stay where they are. Returns 0 or -ENOMEM. */
int daemon_keep_flows(struct daemon *daemon, struct plan *plan);

/* The kernel's memories are to begin, for this host takes the duty. */
void daemon_begin_remembering(struct daemon *daemon);

/* A flow began or ended somewhere: has pins looked over, if that concerns any. */
void daemon_flow_changed(
	struct daemon *daemon, const char *owner, const struct flow *flow, bool began);

/* --- sync.c ---------------------------------------------------------------------- */

/* All of these do nothing without sync. */
int daemon_open_sync(struct daemon *daemon);
void daemon_close_sync(struct daemon *daemon);
void daemon_reload_sync(struct daemon *daemon);

/* True if sync could not go on from one configuration to the other. */
bool daemon_sync_differs(const struct conf *a, const struct conf *b);

/* Has sync do what is due, and asks to be called again when something will be. */
void daemon_run_sync(struct daemon *daemon);

/* Tells the other nodes: a flow of this host's, that all of these are known, its duties, … */
void daemon_tell_flow(struct daemon *daemon, const struct flow *flow, bool began);
void daemon_tell_complete(struct daemon *daemon);
void daemon_tell_duties(struct daemon *daemon);
void daemon_tell_overrides(struct daemon *daemon);

/* … and that flows are about to go elsewhere. */
void daemon_tell_change(struct daemon *daemon);

/* An epoch later than all that this node has heard of. */
uint64_t daemon_next_epoch(const struct daemon *daemon, const char *group);

/*
 * True if the flows of all nodes that can be heard are known here; with false, *ret_waits_for
 * is one whose are not, or NULL if it is too early to tell.
 */
bool daemon_knows_flows(const struct daemon *daemon, const char **ret_waits_for);

/* --- reload.c -------------------------------------------------------------------- */

/*
 * Reads the configuration file anew. A file with faults, or one that changes
 * what only a restart can, is refused: it stays as it was, the faults are logged and
 * kept in conf_errors. Returns 0 or -errno.
 */
int daemon_reload(struct daemon *daemon, bool reset_overrides);
