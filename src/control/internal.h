/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of this module share. Private: others include drover/control.h. */

#include "drover/control.h"

#include <stddef.h>
#include <sys/un.h>

/* A reply beyond this is no answer that a person or a program waits for. */
enum { CONTROL_REPLY_MAX = 64 * 1024 * 1024 };

/*
 * Decodes one request line, without its newline. Returns the request (a new reference) if it is an
 * object with a string "command" from the namespace netns. Otherwise returns NULL and
 * *ret_error is the reply to send, or NULL without memory.
 */
json_t *control_decode(const char *line, size_t size, const char *netns, json_t **ret_error);

/* The line to send: text and newline, without a NUL. Returns 0 or -errno. */
int control_encode(const json_t *message, char **ret_line, size_t *ret_size);

/* Returns 0, or -ENAMETOOLONG if the path does not fit into a socket address. */
int control_address(const char *path, struct sockaddr_un *ret_address);

/*
 * Makes the listening socket at the path. Returns a descriptor or -errno, -EADDRINUSE
 * if a daemon listens there, -EEXIST if something else than a socket is there.
 */
int control_listen(const char *path);
