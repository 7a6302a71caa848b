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
#include "duty.h"
#include "keeper.h"

#include <systemd/sd-event.h>

struct daemon {
	sd_event *event;
	sd_event_source *reconcile_source; /* runs once when something has changed */
	sd_event_source *address_source;   /* the same for the VIPs on the interface */
	sd_event_source *announce_timer;
	sd_event_source *leave_timer;
	sd_event_source *retry_timer;
	sd_event_source *settle_timer;
	struct cluster *cluster;
	struct link_watch *watch;
	struct keeper keeper;
	struct duty duty;
	struct table_cache *tables; /* of the last plan, for the next */
	struct plan *plan; /* what the kernel was last told; borrows from the configuration */
	struct control_server *control;
	struct conf_errors conf_errors; /* of the last reload, if it was refused */
	bool foreign_change;
	bool stopping; /* as soon as no group is being left */
	bool ready;    /* the service manager has been told */
	bool settling; /* the interface is new here, and its neighbours are being resolved */
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

/* Begins that wait, because the interface is new; ends it. */
void daemon_begin_settling(struct daemon *daemon);
void daemon_settle(struct daemon *daemon);

/* Notes that the role in some group has changed: VIPs, announcements and timers follow. */
void daemon_role_changed(struct daemon *daemon);
bool daemon_is_leaving(const struct daemon *daemon);

/* Puts VIPs on the interface or takes them away (see duty_place_vips()), and announces new ones. */
void daemon_place_vips(struct daemon *daemon, const struct conf *previous);
void daemon_announce(struct daemon *daemon);

/* --- network.c ------------------------------------------------------------------ */

int daemon_open_network(struct daemon *daemon);

/* Asks for the Ethernet addresses of all members that this host must know. */
void daemon_resolve_members(struct daemon *daemon);

/* --- reload.c -------------------------------------------------------------------- */

/*
 * Reads the configuration file anew. A file with faults, or one that changes
 * what only a restart can, is refused: it stays as it was, the faults are logged and
 * kept in conf_errors. Returns 0 or -errno.
 */
int daemon_reload(struct daemon *daemon, bool reset_overrides);
