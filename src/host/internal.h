/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of this module share. Private: others include drover/host.h. */

#include "drover/host.h"
#include "drover/link.h"

/* How many addresses of a VIP are on lo, whatever their prefix length is there. */
size_t vip_count_on_lo(const struct link_watch *lo, const struct prefix *vip);
