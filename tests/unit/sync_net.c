/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sync_net.h"

#include "drover/array.h"
#include <netinet/in.h>

/* SplitMix64: a test that fails must fail again. */
uint64_t net_random(struct net *net, uint64_t below)
{
	uint64_t z = net->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

/* --- what the machines say -------------------------------------------------- */

static bool knows(const char *name, void *user_data)
{
	const struct node *node = user_data;

	return name[0] >= 'a' && (size_t)(name[0] - 'a') < node->net->n && !name[1];
}

static const char *name_of(const struct address *address, void *user_data)
{
	const struct node *node = user_data;

	for (size_t i = 0; i < node->net->n; i++)
		if (address_equal(&node->net->nodes[i].endpoint.address, address))
			return node->net->nodes[i].name;
	return NULL;
}

static void *append(void *array, size_t *n, size_t size)
{
	char *grown = array_grow(array, *n, size);

	assert_non_null(grown);
	(*n)++;
	return grown;
}

static void fly(struct net *net, const struct packet *packet)
{
	struct packet *flying;

	if (net_random(net, 1000) < net->loss)
		return;
	net->flying = append(net->flying, &net->n_flying, sizeof(*net->flying));
	flying = &net->flying[net->n_flying - 1];
	*flying = *packet;
	flying->at = net->now + net_random(net, net->delay + 1);
}

static void send_to(struct node *node, size_t to, const void *bytes, size_t size)
{
	struct net *net = node->net;
	struct packet packet = { .from = node->endpoint, .to = to, .size = size };

	memcpy(packet.bytes, bytes, size);
	net->n_sent++;
	if (net->recording) {
		net->recorded = append(net->recorded, &net->n_recorded, sizeof(packet));
		net->recorded[net->n_recorded - 1] = packet;
	}
	if (net->cut[node - net->nodes][to])
		return;
	fly(net, &packet);
	if (net_random(net, 1000) < net->doubled)
		fly(net, &packet);
}

static void on_send(const struct endpoint *to, const void *packet, size_t size, void *user_data)
{
	struct node *node = user_data;

	if (to && !name_of(&to->address, node))
		node->net->n_astray++;
	for (size_t i = 0; i < node->net->n; i++) {
		struct node *other = &node->net->nodes[i];

		if (to ? address_equal(&to->address, &other->endpoint.address) : other != node)
			send_to(node, i, packet, size);
	}
}

static void on_flow(const char *owner, const struct flow *flow, bool began, void *user_data)
{
	struct node *node = user_data;
	struct flow_set *set = ledger_open(node->told, owner);

	assert_non_null(set);
	assert_string_not_equal(owner, node->name);
	node->n_flow_changes++;
	if (began)
		assert_int_equal(flow_set_add(set, flow), 1);
	else
		assert_true(flow_set_remove(set, flow));
}

static void on_peer(const struct sync_peer *peer, void *user_data)
{
	(void)peer;
	((struct node *)user_data)->n_peer_changes++;
}

static void on_announced(const char *name, void *user_data)
{
	assert_true(knows(name, user_data));
	((struct node *)user_data)->n_announced++;
}

static void on_note(const char *author, const void *note, size_t size, void *user_data)
{
	struct node *node = user_data;

	assert_true(size <= sizeof(node->note));
	memcpy(node->note, note, size);
	node->note_size = size;
	snprintf(node->note_author, sizeof(node->note_author), "%s", author);
	node->n_notes++;
}

/* --- life ------------------------------------------------------------------- */

static void node_init(struct net *net, size_t i)
{
	struct node *node = &net->nodes[i];

	node->net = net;
	node->name[0] = (char)('a' + i);
	node->endpoint = (struct endpoint){
		.address = { .family = AF_INET, .bytes = { 192, 0, 2, (uint8_t)(i + 1) } },
		.port = 8848,
	};
	node->ledger = ledger_new(1 << 22);
	node->told = ledger_new(1 << 22);
	assert_non_null(node->ledger);
	assert_non_null(node->told);
	node->setup = (struct sync_setup){
		.node = node->name,
		.id = 7,
		.seed = 0x64726f76,
		.n_buckets = 4096,
		.fingerprint = 1,
		.keys = &net->keys,
		.ledger = node->ledger,
		.knows = knows,
		.name_of = name_of,
		.ops = { on_send, on_flow, on_peer, on_peer, on_announced, on_note, node },
	};
}

void net_init(struct net *net, size_t n, uint64_t seed)
{
	*net = (struct net){ .n = n, .random = seed, .now = 1000000, .keys.n = 1 };
	memset(net->keys.bytes[0], 0x5a, SYNC_KEY_SIZE);
	for (size_t i = 0; i < n; i++)
		node_init(net, i);
}

void net_done(struct net *net)
{
	for (size_t i = 0; i < net->n; i++) {
		sync_free(net->nodes[i].sync);
		ledger_free(net->nodes[i].ledger);
		ledger_free(net->nodes[i].told);
	}
	free(net->flying);
	free(net->recorded);
}

static void tick(struct net *net, size_t i)
{
	struct node *node = &net->nodes[i];

	node->next = sync_tick(node->sync, net->now);
	assert_true(node->next > net->now);
}

void net_start(struct net *net, size_t i, bool complete)
{
	struct node *node = &net->nodes[i];

	assert_null(node->sync);
	assert_int_equal(sync_new(&node->setup, net->now, &node->sync), 0);
	if (complete)
		sync_set_complete(node->sync, true, net->now);
	tick(net, i);
}

void net_start_all(struct net *net)
{
	for (size_t i = 0; i < net->n; i++)
		net_start(net, i, true);
}

void net_stop(struct net *net, size_t i, bool empty)
{
	struct node *node = &net->nodes[i];

	sync_free(node->sync);
	node->sync = NULL;
	for (size_t other = 0; empty && other < net->n; other++) {
		ledger_forget(node->ledger, net->nodes[other].name);
		ledger_forget(node->told, net->nodes[other].name);
	}
}

/* --- the network ------------------------------------------------------------ */

void net_deliver(struct net *net, size_t to, const struct packet *packet)
{
	struct node *node = &net->nodes[to];
	/* Of the exact size, so that no byte more is read. */
	uint8_t *bytes = malloc(packet->size ? packet->size : 1);

	assert_non_null(bytes);
	memcpy(bytes, packet->bytes, packet->size);
	if (node->sync) {
		sync_receive(node->sync, &packet->from, bytes, packet->size, net->now);
		tick(net, to);
	}
	free(bytes);
}

static void deliver_due(struct net *net)
{
	for (size_t i = 0; i < net->n_flying;) {
		struct packet packet = net->flying[i];

		if (packet.at > net->now) {
			i++;
			continue;
		}
		net->n_flying--;
		memmove(&net->flying[i], &net->flying[i + 1],
			(net->n_flying - i) * sizeof(*net->flying));
		net_deliver(net, packet.to, &packet);
	}
}

static void watch_lag(struct node *node)
{
	const struct sync_peer *peer;

	for (size_t i = 0; (peer = sync_peer_at(node->sync, i)); i++)
		if (peer->lag_ms > node->lag_max)
			node->lag_max = peer->lag_ms;
}

void net_run(struct net *net, uint64_t ms)
{
	for (uint64_t end = net->now + ms; net->now < end;) {
		net->now++;
		deliver_due(net);
		for (size_t i = 0; i < net->n; i++) {
			if (!net->nodes[i].sync)
				continue;
			if (net->now >= net->nodes[i].next)
				tick(net, i);
			watch_lag(&net->nodes[i]);
		}
	}
}

/* --- flows ------------------------------------------------------------------ */

struct flow net_flow(size_t which)
{
	bool ipv6 = which % 3 == 0;
	struct flow flow = {
		.protocol = which % 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.client_port = (uint16_t)which,
		.vip_port = 80,
		.client.family = ipv6 ? AF_INET6 : AF_INET,
		.vip.family = ipv6 ? AF_INET6 : AF_INET,
	};

	flow.client.bytes[ipv6 ? 15 : 3] = (uint8_t)(which >> 16);
	flow.vip.bytes[ipv6 ? 15 : 3] = 100;
	return flow;
}

static void change(struct net *net, size_t i, const struct flow *flow, bool began)
{
	struct node *node = &net->nodes[i];

	if (!node->sync)
		return;
	sync_flow_changed(node->sync, flow, began, net->now);
	tick(net, i);
}

void net_begin(struct net *net, size_t i, size_t which)
{
	struct flow_set *own = ledger_open(net->nodes[i].ledger, net->nodes[i].name);
	struct flow flow = net_flow(which);

	assert_non_null(own);
	if (flow_set_add_since(own, &flow, flow_time(net->now, 0)) == 1)
		change(net, i, &flow, true);
}

void net_end(struct net *net, size_t i, size_t which)
{
	struct flow_set *own = ledger_open(net->nodes[i].ledger, net->nodes[i].name);
	struct flow flow = net_flow(which);

	assert_non_null(own);
	if (flow_set_remove(own, &flow))
		change(net, i, &flow, false);
}

void net_churn(struct net *net, size_t i, size_t n_flows)
{
	size_t which = net_random(net, n_flows);

	if (net_random(net, 2))
		net_begin(net, i, which);
	else
		net_end(net, i, which);
}

/* --- what is known ---------------------------------------------------------- */

static bool has_part(const struct ledger *ledger, const char *owner, const struct flow_set *part)
{
	const struct flow_set *set = ledger_find(ledger, owner);
	size_t count = part ? flow_set_count(part) : 0;

	return count == (set ? flow_set_count(set) : 0) &&
	       (count == 0 || flow_set_digest(set) == flow_set_digest(part));
}

bool net_is_equal(struct net *net)
{
	for (size_t i = 0; i < net->n; i++)
		for (size_t j = 0; j < net->n; j++) {
			const struct node *node = &net->nodes[i], *owner = &net->nodes[j];
			const struct flow_set *own = ledger_find(owner->ledger, owner->name);

			if (i == j || !node->sync || !owner->sync)
				continue;
			if (!has_part(node->ledger, owner->name, own) ||
				!has_part(node->told, owner->name, own))
				return false;
		}
	return true;
}

const struct sync_peer *net_peer(struct net *net, size_t at, size_t of)
{
	const struct sync_peer *peer;

	for (size_t i = 0; (peer = sync_peer_at(net->nodes[at].sync, i)); i++)
		if (peer->name && strcmp(peer->name, net->nodes[of].name) == 0)
			return peer;
	return NULL;
}

enum sync_peer_state net_state(struct net *net, size_t at, size_t of)
{
	const struct sync_peer *peer = net_peer(net, at, of);

	return peer ? peer->state : SYNC_PEER_ABSENT;
}

bool net_is_complete(struct net *net)
{
	for (size_t i = 0; i < net->n; i++)
		for (size_t j = 0; j < net->n; j++)
			if (i != j && net->nodes[i].sync && net->nodes[j].sync &&
				net_state(net, i, j) != SYNC_PEER_COMPLETE)
				return false;
	return true;
}

size_t net_known(struct net *net, size_t at, size_t of)
{
	const struct flow_set *set = ledger_find(net->nodes[at].ledger, net->nodes[of].name);

	return set ? flow_set_count(set) : 0;
}
