/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The control socket: a Unix stream socket on which droverctl asks and droverd
 * answers. One request is one line of JSON, one reply is one line of JSON;
 * several may follow each other on a connection.
 *
 *   request  {"command": "drain", "netns": "4:4026531840", "member": "fe5"}
 *   reply    {"ok": true, …}   or   {"ok": false, "error": "what and why"}
 *
 * "netns" is the client's network namespace ("device:inode" of
 * /proc/self/ns/net). The socket is a path in the file system and so visible
 * from other namespaces; the daemon refuses whoever is not in its own.
 *
 * droverctl(8) documents the replies: they are what droverctl -j prints.
 */

#include "drover/cleanup.h"

#include <jansson.h>
#include <stdint.h>

enum {
	CONTROL_REQUEST_MAX = 64 * 1024, /* longer requests are refused */
};

DEFINE_CLEANUP(json_t, json_decref)

/* Returns this process's network namespace as a new string, NULL on failure. */
char *control_netns(void);

/*
 * Connects, asks, and waits up to timeout_ms for the answer. On success returns 0 and the
 * caller owns *ret_reply (an object with "ok"). Returns -errno of the
 * connection, -ETIMEDOUT, or -EBADMSG for an answer that is no JSON object.
 */
int control_ask(const char *socket_path, json_t *request, int timeout_ms, json_t **ret_reply);

/* --- the daemon's side ---------------------------------------------------- */

struct sd_event;
struct control_server;

/*
 * Answers one request, a JSON object with a string "command" that comes from the
 * right namespace. Returns the reply: a new reference, NULL without memory.
 */
typedef json_t *(*control_handler_t)(const json_t *request, void *user_data);

/*
 * For a handler whose answer takes time: it calls this, keeps the number, and returns NULL. Whoever
 * asked waits until the number is answered; others are served meanwhile.
 */
uint64_t control_server_defer(struct control_server *server);

/* Takes the reference to the reply. If who asked has gone, nothing happens. */
void control_server_answer(struct control_server *server, uint64_t call, json_t *reply);

/*
 * Listens on a path (mode 0660), replacing a stale socket file; a socket on
 * which another daemon answers is left alone (-EADDRINUSE). Malformed, oversized and foreign
 * requests are answered here. Returns 0 or -errno.
 */
int control_server_new(struct sd_event *event, const char *socket_path, control_handler_t handler,
	void *user_data, struct control_server **ret_server);
void control_server_free(struct control_server *server); /* removes the socket file */
DEFINE_CLEANUP(struct control_server, control_server_free)

/* Reply helpers: {"ok": true}, and {"ok": false, "error": message}. */
json_t *control_reply_ok(void);
json_t *control_reply_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
