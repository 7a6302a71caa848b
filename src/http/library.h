/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is used of libmicrohttpd, by name: MHD_run() is library->run(). */

#include <microhttpd.h>

struct library {
	__typeof__(MHD_start_daemon) *start_daemon;
	__typeof__(MHD_stop_daemon) *stop_daemon;
	__typeof__(MHD_get_daemon_info) *get_daemon_info;
	__typeof__(MHD_run) *run;
	__typeof__(MHD_get_timeout) *get_timeout;
	__typeof__(MHD_get_connection_info) *get_connection_info;
	__typeof__(MHD_create_response_from_buffer) *create_response_from_buffer;
	__typeof__(MHD_add_response_header) *add_response_header;
	__typeof__(MHD_queue_response) *queue_response;
	__typeof__(MHD_destroy_response) *destroy_response;
};

/*
 * Loads it; it stays loaded until the process ends, as libraries that register what is to be done
 * then do not like to leave. Returns 0 or -ELIBACC.
 */
int library_load(struct library *ret_library);
