/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "helper.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

DEFINE_CLEANUP(struct ifaddrs, freeifaddrs)

/* --- this host's addresses ------------------------------------------------------------------ */

static bool take_address(const struct sockaddr *socket, struct address *ret_address)
{
	struct address address = { .family = socket ? socket->sa_family : AF_UNSPEC };

	if (address.family == AF_INET)
		memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)socket)->sin_addr,
			4);
	else if (address.family == AF_INET6)
		memcpy(address.bytes,
			&((const struct sockaddr_in6 *)(const void *)socket)->sin6_addr, 16);
	else
		return false;
	*ret_address = address;
	return true;
}

static int find_own(struct conf_own **ret_own, size_t *ret_n)
{
	_cleanup_(freeifaddrs_p) struct ifaddrs *interfaces = NULL;
	_cleanup_(free_p) struct conf_own *own = NULL;
	size_t n = 0;

	if (getifaddrs(&interfaces) < 0)
		return -errno;
	for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next)
		n++;
	own = calloc(n + 1, sizeof(*own));
	if (!own)
		return -ENOMEM;
	n = 0;
	for (const struct ifaddrs *at = interfaces; at; at = at->ifa_next)
		if (take_address(at->ifa_addr, &own[n].address))
			snprintf(own[n++].interface, sizeof(own->interface), "%s", at->ifa_name);
	*ret_own = take_ptr(own);
	*ret_n = n;
	return 0;
}

/* --- weights -------------------------------------------------------------------------------- */

/* -r: an active balancer, which has other work as well, takes another share than the rest. */
static void apply_share(
	const struct options *options, const struct conf_helper *conf, struct told *told)
{
	for (size_t g = 0; g < told->servers.n; g++) {
		struct conf_servers *servers = &told->servers.groups[g];

		if (!told_is_active(told, servers->group))
			continue;
		for (size_t i = 0; i < servers->n; i++) {
			struct conf_server *server = &servers->list[i];
			unsigned long weight = (unsigned long)server->weight * options->share / 100;

			if (conf_helper_is_own(conf, &server->address))
				server->weight = weight > CONF_WEIGHT_MAX ? CONF_WEIGHT_MAX
									  : (unsigned int)weight;
		}
	}
}

int compose_conf(const struct options *options, const struct told *told, struct conf_texts *texts,
	struct conf **ret_conf, struct conf_errors *errors)
{
	_cleanup_(told_done) struct told copy = { 0 };
	_cleanup_(free_p) struct conf_own *own = NULL;
	struct conf_helper conf = options->conf;
	int r = told_copy(told, &copy);

	*errors = (struct conf_errors){ 0 };
	if (r == 0)
		r = find_own(&own, &conf.n_own);
	if (r < 0)
		return r;
	conf.own = own;
	apply_share(options, &conf, &copy);
	conf.servers = copy.servers.groups;
	conf.n_servers = copy.servers.n;
	return conf_load_for_helper(options->path, &conf, texts, ret_conf, errors);
}
