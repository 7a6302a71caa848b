/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other balancers' configurations: the first byte says which syntax, a digit from 0. */
#include "drover/conf.h"
#include "drover/import.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const syntaxes[] = { "serveriron", "alteon", "bigip", "ipvsadm",
		"keepalived" };
	const struct import_options options = { 0 };
	_cleanup_(free_p) char *text = NULL;
	struct import_notes notes;
	struct conf_errors errors;
	struct conf *conf = NULL;
	int r;

	if (size == 0)
		return 0;
	r = import_convert(syntaxes[(uint8_t)(data[0] - '0') % ARRAY_SIZE(syntaxes)], "fuzz",
		(const char *)data + 1, size - 1, &options, &text, &notes);
	/* Either what the daemon takes or the reasons why not. */
	if ((r == 0) != (text != NULL) || (r != 0 && notes.n_messages == 0))
		abort();
	if (text && conf_parse("result", text, &conf, &errors) < 0)
		abort();
	if (text)
		conf_errors_done(&errors);
	conf_free(conf);
	import_notes_done(&notes);
	return 0;
}
