/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of a vipaddrs file. What is taken is printed and must be taken again, as the same. */
#include "drover/vipaddrs.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct prefix *vips, size_t n, size_t *ret_size)
{
	char *printed = NULL, text[PREFIX_TEXT_MAX];
	FILE *out = open_memstream(&printed, ret_size);

	if (!out)
		abort();
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s\n", prefix_format(&vips[i], text));
	if (fclose(out) != 0)
		abort();
	return printed;
}

static void read_again(const struct prefix *vips, size_t n)
{
	_cleanup_(free_p) struct prefix *again = NULL;
	_cleanup_(free_p) char *printed = NULL;
	struct conf_errors errors;
	size_t size, n_again = 0;

	printed = print(vips, n, &size);
	if (vipaddrs_parse("fuzz", printed, size, &again, &n_again, &errors) < 0 || n_again != n)
		abort();
	for (size_t i = 0; i < n; i++)
		if (again[i].length != vips[i].length ||
			!address_equal(&again[i].address, &vips[i].address))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(free_p) struct prefix *vips = NULL;
	struct conf_errors errors;
	size_t n = 0;
	int r = vipaddrs_parse("fuzz", (const char *)data, size, &vips, &n, &errors);

	/* Either VIPs or the reasons why not. */
	if ((r == 0) != (n > 0) || (r == 0) != (errors.n_messages == 0))
		abort();
	if (r == 0)
		read_again(vips, n);
	conf_errors_done(&errors);
	return 0;
}
