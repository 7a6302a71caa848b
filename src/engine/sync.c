/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other nodes: what they are told and what they tell, and what follows from it here. */
#include "drover/clock.h"
#include "drover/log.h"
#include "internal.h"
#include "overrides.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum {
	PACKETS_PER_TURN = 256, /* then the loop's other sources have theirs */
	US_PER_MS = 1000,
};

/* --- when sync has something to do ---------------------------------------------------- */

static int on_tick(sd_event_source *source, uint64_t now, void *user_data)
{
	(void)source;
	(void)now;
	engine_run_sync(user_data);
	return 0;
}

/*
 * Duties are compared, not sent, each time: readiness depends on more than could be followed by
 * event.
 */
void engine_run_sync(struct engine *engine)
{
	uint64_t now = clock_now_ms(), due;

	if (!engine->sync)
		return;
	engine_tell_duties(engine);
	due = sync_tick(engine->sync, now);
	(void)engine_arm_timer(
		engine, &engine->sync_timer, due > now ? (due - now) * US_PER_MS : 0, on_tick);
	engine_continue_takeover(engine);
	if (engine->learn_until_us != 0 && !engine_is_settling(engine))
		engine_request_reconcile(engine);
}

static int on_packets(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct engine *engine = user_data;

	(void)source;
	(void)fd;
	(void)events;
	for (size_t i = 0; i < PACKETS_PER_TURN; i++) {
		uint8_t packet[SYNC_PACKET_MAX + 1];
		struct endpoint from;
		ssize_t n = sync_socket_receive(engine->sync_socket, &from, packet, sizeof(packet));

		if (n == -EAGAIN)
			break;
		if (n < 0)
			return 0;
		sync_receive(engine->sync, &from, packet, (size_t)n, clock_now_ms());
	}
	engine_run_sync(engine);
	return 0;
}

/* --- what this node tells ---------------------------------------------------------------- */

void engine_tell_flow(struct engine *engine, const struct flow *flow, bool began)
{
	if (engine->sync)
		sync_flow_changed(engine->sync, flow, began, clock_now_ms());
}

void engine_tell_complete(struct engine *engine)
{
	if (engine->sync)
		sync_set_complete(engine->sync, true, clock_now_ms());
}

void engine_tell_duties(struct engine *engine)
{
	const struct cluster *cluster = engine->cluster;
	const struct conf *conf = cluster_conf(cluster);
	_cleanup_(free_p) struct sync_duty *duties = calloc(conf->n_groups, sizeof(*duties));
	char reason[REASON_MAX];
	size_t n = 0;

	if (!engine->sync || !duties)
		return;
	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_group *group = &conf->groups[i];

		if (!cluster_is_balancer(cluster, group))
			continue;
		duties[n++] = (struct sync_duty){
			.group = group->name,
			.active = cluster_role(cluster, group) == ROLE_ACTIVE,
			.ready = engine_is_ready(engine, group, reason),
			.epoch = cluster_epoch(cluster, group),
		};
	}
	sync_set_duties(engine->sync, duties, n, clock_now_ms());
}

void engine_tell_overrides(struct engine *engine)
{
	_cleanup_(free_p) char *text = NULL;
	int r;

	if (!engine->sync)
		return;
	text = overrides_format(engine->cluster);
	r = text ? sync_publish(engine->sync, text, strlen(text), clock_now_ms()) : -ENOMEM;
	if (r < 0)
		log_error("cannot tell the other nodes what was said about members: %s",
			strerror(-r));
	engine_run_sync(engine);
}

void engine_tell_change(struct engine *engine)
{
	if (engine->sync)
		sync_announce_change(engine->sync, clock_now_ms());
}

uint64_t engine_next_epoch(const struct engine *engine, const char *group)
{
	uint64_t highest = engine->sync ? sync_highest_epoch(engine->sync, group) : 0, time;
	struct timespec now;

	/* Later than all that is known, and if clocks are right, than all that is not. */
	clock_gettime(CLOCK_REALTIME, &now);
	time = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return time > highest ? time : highest + 1;
}

bool engine_knows_flows(const struct engine *engine, const char **ret_waits_for)
{
	const struct tracker *tracker = engine->flows.tracker;

	*ret_waits_for = NULL;
	if (tracker && !tracker_stats(tracker).complete) {
		*ret_waits_for = cluster_conf(engine->cluster)->node;
		return false;
	}
	return !engine->sync || sync_is_ready(engine->sync, clock_now_ms(), ret_waits_for);
}

/* --- what other nodes tell -------------------------------------------------------------------- */

static void send_packet(const struct endpoint *to, const void *packet, size_t size, void *user_data)
{
	struct engine *engine = user_data;
	int r = sync_socket_send(engine->sync_socket, to, packet, size);

	/* The stream mends what is lost; only a lasting failure is worth a line. */
	if ((r < 0) == (engine->sync_error < 0))
		return;
	engine->sync_error = r;
	if (r < 0)
		log_warning("cannot send to the other nodes: %s", strerror(-r));
	else
		log_notice("packets to the other nodes leave again");
}

static void on_flow(const char *owner, const struct flow *flow, bool began, void *user_data)
{
	engine_flow_changed(user_data, owner, flow, began);
}

static void log_peer(const struct sync_peer *peer)
{
	char address[ADDRESS_TEXT_MAX];
	const char *name = peer->name ? peer->name
				      : address_format(&peer->endpoint.address, address);

	switch (peer->state) {
	case SYNC_PEER_ABSENT:
		break;
	case SYNC_PEER_SYNCING:
		log_info("node %s: reading its connections", name);
		break;
	case SYNC_PEER_COMPLETE:
		log_notice("node %s: its %zu connections are known", name, peer->n_flows);
		break;
	case SYNC_PEER_SILENT:
		log_warning("node %s: silent; what is known of its connections is kept", name);
		break;
	case SYNC_PEER_FOREIGN:
		log_error("node %s is ignored: %s", name, sync_fault_name(peer->fault));
		break;
	}
	if (peer->state == SYNC_PEER_COMPLETE && peer->other_configuration)
		log_warning("node %s has another configuration: it may send connections elsewhere "
			    "when it has the duty",
			name);
}

/* Of two active balancers the earlier one gives way; the later one makes neighbours follow it. */
static void settle_split(
	struct engine *engine, const struct sync_peer *peer, const struct sync_duty *duty)
{
	struct cluster *cluster = engine->cluster;
	const struct conf *conf = cluster_conf(cluster);
	const struct conf_group *group = conf_find_group(conf, duty->group);
	uint64_t epoch = group ? cluster_epoch(cluster, group) : 0;
	bool later;

	if (!duty->active || epoch == 0 || conf->election == CONF_ELECTION_ALWAYS)
		return;
	later = duty->epoch != epoch ? duty->epoch > epoch : strcmp(peer->name, conf->node) > 0;
	if (!later) {
		log_warning(
			"group %s: node %s is active too; it took the duty before this node and "
			"will give way",
			duty->group, peer->name);
		engine_announce(engine);
		return;
	}
	if (cluster_set_role(cluster, duty->group, ROLE_LEAVING) <= 0)
		return;
	log_warning("group %s: standby; node %s took the duty after this node", duty->group,
		peer->name);
	engine_role_changed(engine);
	engine_request_reconcile(engine);
}

static void on_duties(const struct sync_peer *peer, void *user_data)
{
	for (size_t i = 0; i < peer->n_duties; i++)
		settle_split(user_data, peer, &peer->duties[i]);
}

static void on_peer(const struct sync_peer *peer, void *user_data)
{
	struct engine *engine = user_data;

	log_peer(peer);
	/* One that was silent may have taken a duty meanwhile, or still think that it has it. */
	if (peer->state == SYNC_PEER_SYNCING || peer->state == SYNC_PEER_COMPLETE)
		on_duties(peer, engine);
	/*
	 * What it has drawn may be missing in the kernel's memory here: of one that has become
	 * known, or of one that dies beside this node, both being active.
	 */
	if (peer->state != SYNC_PEER_SYNCING && engine_has_duty(engine)) {
		engine_begin_remembering(engine);
		engine_request_reconcile(engine);
	}
}

static void on_change(const char *node, void *user_data)
{
	(void)node;
	engine_expect_change(user_data);
}

static void on_note(const char *author, const void *note, size_t size, void *user_data)
{
	struct engine *engine = user_data;
	int r = overrides_parse(engine->cluster, note, size);

	if (r < 0) {
		log_error("what node %s says about members is not understood", author);
		return;
	}
	log_notice("node %s: what was said about members is taken over", author);
	(void)overrides_save(engine->cluster);
	engine_request_reconcile(engine);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool knows_node(const char *name, void *user_data)
{
	const struct engine *engine = user_data;

	return conf_find_member(cluster_conf(engine->cluster), name);
}

static const char *name_of(const struct address *address, void *user_data)
{
	const struct engine *engine = user_data;
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++)
			if (address_equal(&conf->groups[g].members[m].address, address))
				return conf->groups[g].members[m].name;
	return NULL;
}

static int load_keys(const struct conf_sync *sync, struct sync_keys *ret_keys)
{
	unsigned int line = 0;
	int r = sync_keys_load(sync->key_file, ret_keys, &line);

	if (r == -EINVAL && line > 0)
		log_error("%s:%u: this is no key: 64 hexadecimal digits", sync->key_file, line);
	else if (r == -EINVAL)
		log_error("%s: there is no key in it; droverctl keygen makes one", sync->key_file);
	else if (r == -EPERM)
		log_error("%s: others than its owner may read it; chmod 600", sync->key_file);
	else if (r < 0)
		log_error("%s:%u: sync: key_file %s: %s", sync->location.file, sync->location.line,
			sync->key_file, strerror(-r));
	return r;
}

static int open_socket(struct engine *engine, const struct conf *conf)
{
	const struct conf_sync *sync = &conf->sync;
	/* A checked configuration names its own node. */
	const struct conf_member *self = conf_find_member(conf, conf->node);
	const struct sync_socket_setup setup = {
		.interface = conf->interface,
		.own = self ? self->address : (struct address){ 0 },
		.multicast = sync->has_multicast ? sync->multicast : (struct address){ 0 },
		.peers = sync->peers,
		.n_peers = sync->n_peers,
		.port = sync->port,
	};
	int r = sync_socket_open(&setup, &engine->sync_socket);

	if (r < 0) {
		log_error("%s:%u: sync: cannot open its socket, port %u: %s", sync->location.file,
			sync->location.line, sync->port, strerror(-r));
		return r;
	}
	return sd_event_add_io(engine->event, NULL, sync_socket_fd(engine->sync_socket), EPOLLIN,
		on_packets, engine);
}

static int begin_session(
	struct engine *engine, const struct conf *conf, const struct sync_keys *keys)
{
	const struct sync_setup setup = {
		.node = conf->node,
		.id = (uint8_t)conf->sync.id,
		.seed = conf->seed,
		.n_buckets = conf->buckets,
		.fingerprint = conf_fingerprint(conf),
		.keys = keys,
		.ledger = engine->flows.ledger,
		.knows = knows_node,
		.name_of = name_of,
		.ops = {
			.send = send_packet,
			.flow_changed = on_flow,
			.peer_changed = on_peer,
			.duties_changed = on_duties,
			.change_announced = on_change,
			.note_received = on_note,
			.user_data = engine,
		},
	};
	int r = sync_new(&setup, clock_now_ms(), &engine->sync);

	if (r < 0)
		log_error("cannot begin sync: %s", strerror(-r));
	return r;
}

int engine_open_sync(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(sync_keys_done) struct sync_keys keys = { .n = 0 };
	int r;

	if (!conf->sync.present)
		return 0;
	r = load_keys(&conf->sync, &keys);
	if (r < 0)
		return r;
	r = open_socket(engine, conf);
	if (r < 0)
		return r;
	r = begin_session(engine, conf, &keys);
	if (r < 0)
		return r;
	/* Without a tracker this host owns no flows, and that is all there is to know. */
	if (!engine->flows.tracker)
		engine_tell_complete(engine);
	engine_run_sync(engine);
	return 0;
}

static bool same_addresses(const struct address *a, const struct address *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!address_equal(&a[i], &b[i]))
			return false;
	return true;
}

bool engine_sync_differs(const struct conf *a, const struct conf *b)
{
	const struct conf_sync *x = &a->sync, *y = &b->sync;

	if (!x->present || !y->present)
		return x->present != y->present;
	/* With another seed or table this node would be another one to all others. */
	return x->id != y->id || x->port != y->port || a->seed != b->seed ||
	       a->buckets != b->buckets || strcmp(x->key_file, y->key_file) != 0 ||
	       x->n_peers != y->n_peers || !same_addresses(x->peers, y->peers, x->n_peers) ||
	       !address_equal(&x->multicast, &y->multicast);
}

void engine_reload_sync(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);
	_cleanup_(sync_keys_done) struct sync_keys keys = { .n = 0 };

	if (!engine->sync)
		return;
	sync_set_fingerprint(engine->sync, conf_fingerprint(conf));
	if (load_keys(&conf->sync, &keys) < 0 || sync_set_keys(engine->sync, &keys) < 0)
		log_error("the earlier keys of sync stay in force");
}

void engine_close_sync(struct engine *engine)
{
	sd_event_source_disable_unref(engine->sync_timer);
	sync_free(engine->sync);
	sync_socket_close(engine->sync_socket);
}
