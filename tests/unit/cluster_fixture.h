/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Configurations as text, and what the modules make of them; anything unexpected fails the test. */

#include "drover/plan.h"

#include "unit.h"

/* The beginning of every configuration here: this node is fe5. test_guard.c has its guard on. */
#define TOP     "node = \"fe5\"; interface = \"eth0\"; buckets = 256; member_guard = false; "
#define MAC(n)  "mac = \"02:00:00:00:00:0" #n "\"; "
#define FE(n)   "name = \"fe" #n "\"; address = \"192.0.2." #n "\"; "
#define HOST(n) FE(n) MAC(n)

/* A member of weight 100 whose MAC is known, and one that may balance. */
#define PLAIN(n)    "{ " HOST(n) "}"
#define BALANCER(n) "{ " HOST(n) "balancer = true; }"

/* The one group A with the VIP 192.0.2.100. */
#define GROUP(members, services)                                                                   \
	"groups = ( { name = \"A\"; vips = [ \"192.0.2.100\" ]; members = ( " members              \
	" ); services = ( " services " ); } );"

#define WEB "{ name = \"web\"; protocol = \"tcp\"; ports = \"80\"; }"

struct conf *conf_of(const char *text);
struct cluster *cluster_of(const char *text);
/* The same with the duty of all groups that fe5 is a balancer of. */
struct cluster *active_cluster_of(const char *text);
struct plan *plan_of(const struct cluster *cluster, const struct plan_what_if *what_if);
/* The plan of an active balancer with this configuration; cluster must be freed after it. */
struct plan *active_plan_of(const char *text, struct cluster **ret_cluster);

struct address address_of(const char *text);
struct mac mac_of(const char *text);

/* A check finds a member of group A down in a service. */
void take_down(struct cluster *cluster, const char *service, const char *member);

const struct conf_member *member_of(const struct cluster *cluster, const char *name);
struct member_view view_of(const struct cluster *cluster, const char *name);
