/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * vipaddrs files: the VIPs of a host, one address or subnet a line, '#' begins a comment. The
 * format is CommuniGate Pro's, and that of vips_file in drover.conf(5), by the same reader.
 */

#include "drover/conf.h"

#define VIPADDRS_DEFAULT_PATH "/etc/sysconfig/vipaddrs"

/*
 * Reads a file whole or not at all. On success returns 0, and the caller frees *ret_vips: at least
 * one, in the order of the file, none overlapping another, none with more than
 * CONF_VIP_ADDRESSES_MAX addresses. Else returns -EINVAL (faults in the file), -ENOMEM, or
 * the error of opening it; outputs are untouched, and errors names the faults ("file:line: what is
 * wrong"), unless memory is short. conf_errors_done() frees them.
 */
int vipaddrs_load(
	const char *path, struct prefix **ret_vips, size_t *ret_n, struct conf_errors *errors);

/* The same from text in memory; path only names it in messages. */
int vipaddrs_parse(const char *path, const char *text, size_t length, struct prefix **ret_vips,
	size_t *ret_n, struct conf_errors *errors);
