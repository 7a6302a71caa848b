/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Members that the file has no more, but whose connections live, also over a restart. */

#include "drover/conf.h"

/* Adds those that an earlier run had. What cannot be read is logged, and passed over. */
void retired_load(struct conf *conf);

/* Keeps them for the next start. A failure is logged. */
void retired_save(const struct conf *conf);
