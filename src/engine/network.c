/* SPDX-License-Identifier: GPL-2.0-or-later */
/* News from the interface and its neighbours. */
#include "drover/log.h"
#include "internal.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/*
 * Behind a cable that was cut another node may have taken the duty: time enough to hear of it, and
 * give way, before anybody is told to come here.
 */
enum { HEAR_US = 500000 };

static void on_address(const struct address *address, bool present, void *user_data)
{
	struct engine *engine = user_data;

	(void)address;
	(void)present;
	if (engine->address_source)
		(void)sd_event_source_set_enabled(engine->address_source, SD_EVENT_ONESHOT);
}

static void on_link(const struct cluster_link *link, void *user_data)
{
	struct engine *engine = user_data;
	struct cluster_link old = *cluster_link(engine->cluster);
	const char *interface = cluster_conf(engine->cluster)->interface;
	bool was_cut_off = old.present && !old.running;

	if (!cluster_set_link(engine->cluster, link))
		return;
	if (link->present && (!old.present || old.index != link->index)) {
		duty_set_arp_sysctls(interface);
		engine_begin_settling(engine);
	}
	if (old.present != link->present)
		log_notice("interface %s is %s", interface, link->present ? "there" : "gone");
	else if (old.running != link->running)
		log_notice("interface %s is %s", interface, link->running ? "up" : "down");
	/* Chains and addresses went with the device, and the kernel does not tell of the chains. */
	if (!link->present || old.index != link->index)
		keeper_invalidate(&engine->keeper);
	if (link->running)
		engine_announce_in(engine, was_cut_off && engine->sync ? HEAR_US : 0);
	engine_request_reconcile(engine);
}

static void on_neighbour(const struct address *address, const struct mac *mac, void *user_data)
{
	char address_text[ADDRESS_TEXT_MAX], mac_text[MAC_TEXT_MAX];
	struct engine *engine = user_data;

	if (cluster_set_neighbour(engine->cluster, address, mac) <= 0)
		return;
	if (mac)
		log_info("%s is at %s", address_format(address, address_text),
			mac_format(mac, mac_text));
	else
		log_warning(
			"%s cannot be resolved any more", address_format(address, address_text));
	engine_request_reconcile(engine);
}

static int on_watch(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct engine *engine = user_data;
	int r = link_dispatch(engine->watch);

	(void)source;
	(void)fd;
	(void)events;
	if (r < 0)
		log_error("cannot read network events: %s", strerror(-r));
	return r;
}

void engine_resolve_members(struct engine *engine)
{
	const struct conf *conf = cluster_conf(engine->cluster);

	for (size_t g = 0; g < conf->n_groups; g++)
		for (size_t m = 0; m < conf->groups[g].n_members; m++) {
			const struct conf_member *member = &conf->groups[g].members[m];
			int r;

			if (!cluster_must_resolve(engine->cluster, &conf->groups[g], member))
				continue;
			r = link_resolve(engine->watch, &member->address);
			if (r < 0 && r != -ENODEV)
				log_error("%s:%u: member %s: cannot be resolved: %s",
					member->location.file, member->location.line, member->name,
					strerror(-r));
		}
}

int engine_open_network(struct engine *engine)
{
	static const struct link_callbacks callbacks = {
		.link = on_link,
		.neighbour = on_neighbour,
		.address = on_address,
	};
	int r = link_watch_new(
		cluster_conf(engine->cluster)->interface, &callbacks, engine, &engine->watch);

	if (r < 0) {
		log_error("cannot watch the network: %s", strerror(-r));
		return r;
	}
	return sd_event_add_io(
		engine->event, NULL, link_watch_fd(engine->watch), EPOLLIN, on_watch, engine);
}
