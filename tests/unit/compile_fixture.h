/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Configurations and rules that the tests of the compiler have in common. */

#include "ruleset_fixture.h"

#define TWO                     BALANCER(5) ", " PLAIN(6)
#define THREE                   BALANCER(5) ", " PLAIN(6) ", " PLAIN(7)
#define SERVICE(protocol, more) "{ name = \"s\"; protocol = \"" protocol "\"; " more "}"
#define ALSO(protocol, more)    ", { name = \"t\"; protocol = \"" protocol "\"; " more "}"
#define PORT_80                 "ports = \"80\"; "
#define SCHEDULER(name)         "scheduler = \"" name "\"; "

/* A group of these VIPs. */
#define GROUP_OF(name, vips, members, services)                                                    \
	"{ name = \"" name "\"; vips = [ " vips " ]; members = ( " members                         \
	" ); services = ( " services " ); }"
#define VIPS(vips) TOP "groups = ( " GROUP_OF("A", vips, TWO, WEB) " );"

/* The chain that packets enter, and how it ends. */
#define HOOK  "type filter hook ingress device \"eth0\" priority 0; policy accept;\n"
#define ENTER HOOK "@nh,128,32 != 0xc0000264 accept comment \"not for group A: 192.0.2.100\"\n"
#define LATER_OF(g)                                                                                \
	"@nh,32,32 & 0x00001fff != 0x00000000 meta protocol ip goto fragment/" g                   \
	" comment \"later fragments\"\n"
#define ERRORS_OF(g) "ip protocol icmp goto icmp/" g " comment \"errors about flows\"\n"
#define BEGIN        ENTER LATER_OF("A")
#define UNSERVED     "meta l4proto vmap @unserved comment \"no service: for this host\"\n"
#define END          ERRORS_OF("A") UNSERVED
#define LOOKALIKES   "meta protocol ip6 goto others comment \"it is IPv6 after all\"\n"
#define BEGIN6       "ip6 nexthdr 44 frag frag-off != 0 goto fragment6/A comment \"later fragments\"\n"
#define END6                                                                                       \
	"meta l4proto icmpv6 goto icmp6/A comment \"errors about flows\"\n"                        \
	"frag frag-off != 0 goto fragment6/A "                                                     \
	"comment \"later fragments behind other headers\"\n" UNSERVED

/* What is for this host, and shows that the rules have seen it. */
#define ACCEPT "meta priority set 6472:0 accept "

/* Draws of a slot, and digests. */
#define SEEDED(n)             "mod " n " seed 0x64726f76"
#define HASH_OF(fields)       "jhash " fields " " SEEDED("256") " vmap @buckets/A"
#define HASH                  HASH_OF("@nh,96,32 . th sport")
#define DIGEST(fields)        "jhash " fields " " SEEDED("4294967295")
#define REMEMBER(map, fields) "update @" map " { " DIGEST(fields) " : meta mark } "
#define FORGET(map, fields)   "delete @" map " { " DIGEST(fields) " : meta mark } "
#define RECALL(map, fields)   "meta mark set " DIGEST(fields) " map @" map " "
#define BY_MARK               "meta mark vmap @members/A "
#define MEMORY(seconds_or_so) MEMORY_OF("262144", seconds_or_so)
#define MEMORY_OF(size, timeout)                                                                   \
	"typeof numgen inc mod 4294967295 : meta mark\n"                                           \
	"size " size "\n"                                                                          \
	"flags dynamic,timeout\n"                                                                  \
	"timeout " timeout "\n"
