/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library.h"

#include "drover/cleanup.h"

#include <dlfcn.h>
#include <errno.h>

/* The ABI that microhttpd.h describes. */
#define LIBRARY_FILE "libmicrohttpd.so.12"

int library_load(struct library *ret_library)
{
	struct library library;
	const struct {
		const char *symbol;
		void *function;
	} symbols[] = {
		{ "MHD_start_daemon", &library.start_daemon },
		{ "MHD_stop_daemon", &library.stop_daemon },
		{ "MHD_get_daemon_info", &library.get_daemon_info },
		{ "MHD_run", &library.run },
		{ "MHD_get_timeout", &library.get_timeout },
		{ "MHD_get_connection_info", &library.get_connection_info },
		{ "MHD_create_response_from_buffer", &library.create_response_from_buffer },
		{ "MHD_add_response_header", &library.add_response_header },
		{ "MHD_queue_response", &library.queue_response },
		{ "MHD_destroy_response", &library.destroy_response },
	};
	void *handle = dlopen(LIBRARY_FILE, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *function = handle ? dlsym(handle, symbols[i].symbol) : NULL;

		if (!function)
			return -ELIBACC;
		/* ISO C converts no pointer to data into one to a function; POSIX copies it. */
		*(void **)symbols[i].function = function;
	}
	*ret_library = library;
	return 0;
}
