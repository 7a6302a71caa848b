/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Settings of the kernel below /proc/sys/net. */

/*
 * Reads or writes an integer setting ("arp_ignore", …) of an interface for one family, AF_INET or
 * AF_INET6; "all" is an interface here, too. Returns 0 or -errno: -ENOENT if there is no
 * such interface, or the kernel has no such family.
 */
int sysctl_get(int family, const char *interface, const char *setting, int *ret_value);
int sysctl_set(int family, const char *interface, const char *setting, int value);

/*
 * Returns a new string, the setting's name as sysctl(8) takes it: dots separate, so that one in an
 * interface's name is written '/'; NULL without memory.
 */
char *sysctl_key(int family, const char *interface, const char *setting);

/*
 * Raises an integer setting of an interface, for IPv4, to at least the wanted value;
 * a higher one is left. Returns 1 if it was written, 0 if not, or -errno.
 */
int sysctl_raise(const char *interface, const char *setting, int wanted);

/*
 * The ephemeral port range (net.ipv4.ip_local_port_range), first and last
 * inclusive. Returns 0 or -errno.
 */
int sysctl_local_port_range(unsigned int *ret_first, unsigned int *ret_last);

/*
 * A setting of conntrack's, net.netfilter.nf_conntrack_NAME: "events", whether it sends any, is 0
 * for never, 1 for always, 2 for while somebody listens; "udp_timeout" and
 * "udp_timeout_stream" are in seconds.
 * Returns 0 or -errno.
 */
int sysctl_conntrack(const char *name, int *ret_value);
