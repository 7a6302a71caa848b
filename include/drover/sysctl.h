/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Settings of the kernel below /proc/sys/net. */

/*
 * Raises an integer setting of an interface ("arp_ignore", …) to at least the wanted value;
 * a higher one is left. Returns 1 if it was written, 0 if not, or -errno.
 */
int sysctl_raise(const char *interface, const char *setting, int wanted);

/*
 * The ephemeral port range (net.ipv4.ip_local_port_range), first and last
 * inclusive. Returns 0 or -errno.
 */
int sysctl_local_port_range(unsigned int *ret_first, unsigned int *ret_last);

/*
 * Whether conntrack sends events (net.netfilter.nf_conntrack_events): 0 never, 1 always, 2 while
 * somebody listens. Returns 0 or -errno.
 */
int sysctl_conntrack_events(int *ret_value);
