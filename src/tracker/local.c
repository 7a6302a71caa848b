/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "internal.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

DEFINE_CLEANUP(struct ifaddrs, freeifaddrs)

static bool read_sockaddr(const struct sockaddr *sockaddr, struct address *ret_address)
{
	*ret_address = (struct address){ .family = sockaddr ? sockaddr->sa_family : AF_UNSPEC };
	if (ret_address->family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sockaddr;

		memcpy(ret_address->bytes, &in->sin_addr, sizeof(in->sin_addr));
		return true;
	}
	if (ret_address->family == AF_INET6) {
		const struct sockaddr_in6 *in6 =
			(const struct sockaddr_in6 *)(const void *)sockaddr;

		memcpy(ret_address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
		return true;
	}
	return false;
}

/* With IPv4, all of a loopback address's subnet is local (fib_add_ifaddr()): 127.0.0.0/8. */
static bool read_subnet(const struct ifaddrs *one, struct prefix *ret_subnet)
{
	struct prefix subnet = { .length = 0 };
	struct address mask;

	if (!(one->ifa_flags & IFF_LOOPBACK) || !read_sockaddr(one->ifa_addr, &subnet.address) ||
		subnet.address.family != AF_INET || !read_sockaddr(one->ifa_netmask, &mask))
		return false;
	for (size_t i = 0; i < address_size(AF_INET); i++) {
		subnet.length += (unsigned int)__builtin_popcount(mask.bytes[i]);
		subnet.address.bytes[i] &= mask.bytes[i];
	}
	if (subnet.length == prefix_full_length(AF_INET))
		return false;
	*ret_subnet = subnet;
	return true;
}

static int compare(const void *a, const void *b)
{
	return address_compare(a, b);
}

int local_addresses_read(struct local_addresses *local)
{
	_cleanup_(freeifaddrs_p) struct ifaddrs *all = NULL;
	struct local_addresses new = { .n_addresses = 0 };
	size_t n = 1;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (const struct ifaddrs *one = all; one; one = one->ifa_next)
		n++;
	new.addresses = calloc(n, sizeof(*new.addresses));
	new.subnets = calloc(n, sizeof(*new.subnets));
	if (!new.addresses || !new.subnets) {
		local_addresses_done(&new);
		return -ENOMEM;
	}
	for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
		new.n_addresses += read_sockaddr(one->ifa_addr, &new.addresses[new.n_addresses]);
		new.n_subnets += read_subnet(one, &new.subnets[new.n_subnets]);
	}
	qsort(new.addresses, new.n_addresses, sizeof(*new.addresses), compare);
	local_addresses_done(local);
	*local = new;
	return 0;
}

void local_addresses_done(struct local_addresses *local)
{
	free(local->addresses);
	free(local->subnets);
	*local = (struct local_addresses){ .n_addresses = 0 };
}

bool local_addresses_have(const struct local_addresses *local, const struct address *address)
{
	if (local->n_addresses > 0 &&
		bsearch(address, local->addresses, local->n_addresses, sizeof(*address), compare))
		return true;
	for (size_t i = 0; i < local->n_subnets; i++)
		if (prefix_contains(&local->subnets[i], address))
			return true;
	return false;
}
