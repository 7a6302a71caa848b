/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Checks on the engine's loop: what they find about members, service by service. */

#include "drover/check.h"

#include <systemd/sd-event.h>

/* A member in a service, and the probe that tells how it does; names are the configuration's. */
struct health_link {
	const struct conf_group *group;
	const struct conf_service *service;
	const struct conf_member *member;
	const struct probe *probe;
	uint64_t rose_us; /* its weight grows since then; 0: it has all of it */
	bool failed;      /* in the first link of a service: this was logged */
};

/* By which VIPs the members of a group are asked that have an address of a family. */
struct health_vips {
	struct check_vip *list;
	size_t n;
};

typedef struct health_vips health_group_vips[2]; /* IPv4, IPv6 */

struct health {
	struct checks *checks; /* NULL: it could not be opened */
	sd_event_source *io;
	sd_event_source *timer;
	sd_event_source *slow_timer; /* for those that start slowly */
	struct health_link *links;
	size_t n_links;
	health_group_vips *vips; /* of the configuration's groups */
	size_t n_vips;
	bool news;              /* that the cluster has not been told */
	uint64_t wait_until_us; /* for the first verdict about everyone */
};

/* The link of a member in a service, NULL if no check asks it. */
const struct health_link *health_find(const struct health *health, const struct conf_group *group,
	const struct conf_service *service, const struct conf_member *member);
