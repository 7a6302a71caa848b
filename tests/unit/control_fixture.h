/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A control server in a directory of its own, its loop in a thread, and clients for it. */

#include "drover/control.h"

#include "unit.h"
#include <pthread.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

enum { PATIENCE_MS = 10000, BIG_REPLY = 8 * 1024 * 1024 };

struct fixture {
	char directory[64];
	char path[96];
	sd_event *event;
	struct control_server *server;
	int stop_fd;
	pthread_t thread;
	uint64_t call; /* of the last "later"; the thread's */
};

int set_up(void **state);
int tear_down(void **state);
#define control_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/*
 * The handler: echoes the request, gives a big reply or nothing, or refuses. "later" is answered by
 * the next "now".
 */
json_t *answer(const json_t *request, void *user_data);

/* Asks as droverctl does. */
int ask(const struct fixture *f, const char *command, json_t **ret_reply);

/* Whatever was done to it, the server answers the next client. */
void expect_alive(const struct fixture *f);

/* A client that does as it likes. */
int connect_raw(const struct fixture *f);
void send_raw(int fd, const void *bytes, size_t size);
void send_text(int fd, const char *text);
bool is_readable_within(int fd, int timeout_ms);

/* Returns the next reply, NULL if the connection ended. */
json_t *receive_reply(int fd);
void expect_refusal(int fd, const char *part);
void expect_end(int fd);

/* A line with the right namespace; the caller frees it. */
char *make_request(const char *command);
