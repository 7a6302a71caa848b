/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One page over HTTP, /metrics, for who monitors this host. libmicrohttpd speaks the protocol on
 * the caller's event loop, without threads; it is loaded when the first server is made, since it
 * brings a TLS library along that a daemon without one need not carry.
 *
 * Clients may be anybody, so nothing that they do costs much: there are few connections at a time,
 * each is for one request and a few seconds, and a new one beyond them ends the oldest. The page
 * is made when somebody asks, and at most four times a second.
 */

#include "drover/address.h"
#include "drover/cleanup.h"

struct sd_event;
struct http_server;

/* Makes the page, text in the format 0.0.4 of Prometheus: a new string, NULL without memory. */
typedef char *(*http_page_t)(void *user_data);

/*
 * Listens on an address, which need not be there yet, and port (host order). Returns 0, -ELIBACC
 * if libmicrohttpd cannot be loaded, or -errno: -EADDRINUSE, -EACCES, …
 */
int http_server_new(struct sd_event *event, const struct address *address, uint16_t port,
	http_page_t page, void *user_data, struct http_server **ret_server);
void http_server_free(struct http_server *server);
DEFINE_CLEANUP(struct http_server, http_server_free)
