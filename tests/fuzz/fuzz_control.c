/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A request line of the control socket. */
#include "../../src/control/internal.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_decref_p) json_t *error = NULL;
	_cleanup_(json_decref_p)
		json_t *request = control_decode((const char *)data, size, "4:4026531840", &error);
	_cleanup_(free_p) char *line = NULL;
	size_t line_size;

	/* Either a request or a reply that says why not, and both are lines that can be sent. */
	if (!request == !error || control_encode(request ? request : error, &line, &line_size) < 0)
		abort();
	if (request && !json_is_string(json_object_get(request, "command")))
		abort();
	return 0;
}
