/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Rates, from what was counted at two moments. */

#include <jansson.h>

/*
 * before, after: replies of status, each with the "services" of that command; before may be NULL.
 * Returns a copy of after: groups, members and services with "packets_per_second" and
 * "bits_per_second", members also with "traffic", their part of the group's packets, 0 to 1. Each
 * is null where it is not known: something was not counted at both moments, or began at zero
 * between them. NULL without memory.
 */
json_t *rates_compute(const json_t *before, const json_t *after, double seconds);
