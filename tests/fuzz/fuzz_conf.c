/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration text. Inputs that name other files are left out: these would be opened. */
#include "drover/conf.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(free_p) char *text = strndup((const char *)data, size);
	struct conf_errors errors;
	struct conf *conf = NULL;
	int r;

	if (!text || strstr(text, "@include") || strstr(text, "vips_file"))
		return 0;
	r = conf_parse("fuzz", text, &conf, &errors);
	/* Either a configuration or the reasons why not. */
	if ((r == 0) != (conf != NULL) || (r == 0) != (errors.n_messages == 0))
		abort();
	conf_free(conf);
	conf_errors_done(&errors);
	return 0;
}
