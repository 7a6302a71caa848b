/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One parser per syntax. text is cut to pieces; the site has what was understood. */

#include "site.h"

void parse_serveriron(struct site *site, char *text);
void parse_alteon(struct site *site, char *text);
void parse_bigip(struct site *site, char *text);
void parse_ipvsadm(struct site *site, char *text);
void parse_keepalived(struct site *site, char *text);
