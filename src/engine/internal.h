/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the engine is made of. Each part is a file; what they all share is struct engine, and each
 * of them asks for what follows from its news by engine_request_reconcile().
 */

#include "deferred.h"
#include "drover/cluster.h"
#include "drover/control.h"
#include "drover/engine.h"
#include "drover/http.h"
#include "drover/link.h"
#include "drover/plan.h"
#include "drover/sync.h"
#include "drover/sync_socket.h"
#include "duty.h"
#include "flows.h"
#include "health.h"
#include "keeper.h"
#include "takeover.h"

#include <systemd/sd-event.h>

struct engine {
	const struct engine_front *front;
	int claim; /* see engine_claim() */
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
	struct health health;
	struct sync *sync; /* NULL: the configuration has none */
	struct sync_socket *sync_socket;
	sd_event_source *sync_timer;
	int sync_error; /* of the last packet that was sent: 0 or -errno */
	struct takeover takeover;
	struct asking *asking;      /* the front, at this moment; else NULL */
	struct table_cache *tables; /* of the last plan, for the next */
	struct plan *plan; /* what the kernel was last told; borrows from the configuration */
	struct control_server *control;
	struct http_server *listener;   /* NULL: nobody can ask for metrics over HTTP */
	uint64_t started_us;            /* since the epoch */
	struct conf_errors conf_errors; /* of the last reload, if it was refused */
	bool foreign_change;
	uint64_t last_reconcile_us; /* how long it took */
	bool stopping;              /* as soon as no group is being left */
	bool ready;                 /* the service manager has been told */
	/*
	 * The interface is new here, and its neighbours are being resolved, or this engine is, and
	 * flows are being learned: until when (us, monotonic clock) the kernel keeps what it has.
	 */
	uint64_t resolve_until_us, learn_until_us;
};

/* --- claim.c --------------------------------------------------------------------- */

/*
 * Claims this network namespace for the engine: a listening socket, to be kept open, whose name
 * only one process can have. Returns it, or -EADDRINUSE (logged, with who has it), or -errno.
 */
int engine_claim(const char *program);

/* --- reconcile.c ---------------------------------------------------------------- */

int engine_open_reconcile(struct engine *engine);

/*
 * Makes the kernel have what the cluster says, now. While members are being resolved for the first
 * time it waits, for at most two seconds. Returns 0 or -errno.
 */
int engine_reconcile(struct engine *engine);

/* The same before the loop waits again: many changes at once cost one commit. */
void engine_request_reconcile(struct engine *engine);

/* Begins to wait, because the interface is new, or because flows are still unknown; ends it. */
void engine_begin_settling(struct engine *engine);
void engine_begin_learning(struct engine *engine);
void engine_settle(struct engine *engine);
bool engine_is_settling(const struct engine *engine);

/* Arms a one-shot timer, whether it was made before or not. Returns 0 or -errno. */
int engine_arm_timer(struct engine *engine, sd_event_source **source, uint64_t delay_us,
	sd_event_time_handler_t handler);

/*
 * Packets are about to go to other members: arms the member guard of this host, if it has one, and
 * has its half-open connections known as well.
 */
void engine_expect_change(struct engine *engine);

/* Notes that the role in some group has changed: VIPs, announcements and timers follow. */
void engine_role_changed(struct engine *engine);
bool engine_is_leaving(const struct engine *engine);
bool engine_has_duty(const struct engine *engine); /* of any group */

/* Puts VIPs on the interface or takes them away (see duty_place_vips()), and announces new ones. */
void engine_place_vips(struct engine *engine, const struct conf *previous);
void engine_announce(struct engine *engine);
void engine_announce_in(struct engine *engine, uint64_t delay_us);

/* --- network.c ------------------------------------------------------------------ */

int engine_open_network(struct engine *engine);

/* Asks for the Ethernet addresses of all members that this host must know. */
void engine_resolve_members(struct engine *engine);

/* --- ready.c -------------------------------------------------------------------- */

enum { REASON_MAX = 512 };

/* True if this host could do the duty of the group well now; else ret_reason says why not. */
bool engine_is_ready(const struct engine *engine, const struct conf_group *group,
	char ret_reason[static REASON_MAX]);

/* --- flows.c -------------------------------------------------------------------- */

int engine_open_flows(struct engine *engine);
void engine_close_flows(struct engine *engine);

/* The configuration is another: forgets who left, and looks for flows anew. */
void engine_reload_flows(struct engine *engine);

/* Pins what has to be pinned for live flows to stay where they are. Returns 0 or -ENOMEM. */
int engine_keep_flows(struct engine *engine, struct plan *plan);

/* The kernel's memories are to begin, for this host takes the duty. */
void engine_begin_remembering(struct engine *engine);

/* A flow began or ended somewhere: has pins looked over, if that concerns any. */
void engine_flow_changed(
	struct engine *engine, const char *owner, const struct flow *flow, bool began);

/* --- health.c --------------------------------------------------------------------- */

int engine_open_health(struct engine *engine);
void engine_close_health(struct engine *engine);

/* The configuration is another; the one before it must still be there. */
void engine_reload_health(struct engine *engine);

/* The kernel has the rules by which VIPs are asked. */
void engine_release_health(struct engine *engine);

/* Just started: checks have not said yet who is up. */
bool engine_waits_for_health(const struct engine *engine);

/* --- sync.c ---------------------------------------------------------------------- */

/* All of these do nothing without sync. */
int engine_open_sync(struct engine *engine);
void engine_close_sync(struct engine *engine);
void engine_reload_sync(struct engine *engine);

/* True if sync could not go on from one configuration to the other. */
bool engine_sync_differs(const struct conf *a, const struct conf *b);

/* Has sync do what is due, and asks to be called again when something will be. */
void engine_run_sync(struct engine *engine);

/* Tells the other nodes: a flow of this host's, that all of these are known, its duties, … */
void engine_tell_flow(struct engine *engine, const struct flow *flow, bool began);
void engine_tell_complete(struct engine *engine);
void engine_tell_duties(struct engine *engine);
void engine_tell_overrides(struct engine *engine);

/* … and that flows are about to go elsewhere. */
void engine_tell_change(struct engine *engine);

/* An epoch later than all that this node has heard of. */
uint64_t engine_next_epoch(const struct engine *engine, const char *group);

/*
 * True if the flows of all nodes that can be heard are known here; with false, *ret_waits_for
 * is one whose are not, or NULL if it is too early to tell.
 */
bool engine_knows_flows(const struct engine *engine, const char **ret_waits_for);

/* --- listener.c ------------------------------------------------------------------- */

/* Has metrics answered over HTTP, if the configuration says so. A failure is logged, and no more.
 */
void engine_open_listener(struct engine *engine);
void engine_close_listener(struct engine *engine);

/* The same after a reload; old is the configuration before it. */
void engine_reload_listener(struct engine *engine, const struct conf *old);

/* What there is to measure, as metrics.h has it: a new string, NULL without memory. */
char *engine_metrics(struct engine *engine);

/* --- reload.c -------------------------------------------------------------------- */

/*
 * Reads the configuration file anew. A file with faults, or one that changes
 * what only a restart can, is refused: it stays as it was, the faults are logged and
 * kept in conf_errors. Returns 0 or -errno.
 */
int engine_reload(struct engine *engine, bool reset_overrides);
