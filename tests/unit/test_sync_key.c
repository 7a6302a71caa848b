/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key file. */
#include "drover/sync_key.h"

#include "drover/cleanup.h"
#include "unit.h"
#include <errno.h>
#include <sys/stat.h>

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "FFFEFDFCFBFAF9F8F7F6F5F4F3F2F1F0EFEEEDECEBEAE9E8E7E6E5E4E3E2E1E0"

struct files {
	char directory[64];
	char path[96];
};

static int set_up(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	assert_non_null(files);
	strcpy(files->directory, "/tmp/drover-key-XXXXXX");
	assert_non_null(mkdtemp(files->directory));
	snprintf(files->path, sizeof(files->path), "%s/sync.key", files->directory);
	*state = files;
	return 0;
}

static int tear_down(void **state)
{
	struct files *files = *state;

	(void)unlink(files->path);
	assert_int_equal(rmdir(files->directory), 0);
	free(files);
	return 0;
}

#define file_test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static void write_key_file(const struct files *files, const char *text, mode_t mode)
{
	FILE *file = fopen(files->path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(files->path, mode), 0);
}

static void test_create(void **state)
{
	const struct files *files = *state;
	struct sync_keys keys, again;
	unsigned int line;
	struct stat status;

	assert_int_equal(sync_keys_create(files->path, NULL), 0);
	assert_int_equal(stat(files->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(sync_keys_load(files->path, &keys, &line), 0);
	assert_int_equal(keys.n, 1);
	assert_int_equal(sync_keys_create(files->path, NULL), -EEXIST);
	assert_int_equal(unlink(files->path), 0);
	assert_int_equal(sync_keys_create(files->path, NULL), 0);
	assert_int_equal(sync_keys_load(files->path, &again, &line), 0);
	assert_memory_not_equal(keys.bytes[0], again.bytes[0], SYNC_KEY_SIZE);
	sync_keys_done(&keys);
	assert_int_equal(keys.n, 0);
	assert_int_equal(sync_keys_create("/nowhere/sync.key", NULL), -ENOENT);
}

static void test_load(void **state)
{
	const struct files *files = *state;
	struct sync_keys keys;
	unsigned int line;

	write_key_file(
		files, "# the first seals\n\n" KEY_A "\n\t" KEY_B " # until May\r\n  # end", 0640);
	assert_int_equal(sync_keys_load(files->path, &keys, &line), 0);
	assert_int_equal(keys.n, 2);
	assert_int_equal(keys.bytes[0][31], 0x1f);
	assert_int_equal(keys.bytes[1][0], 0xff);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text;
		unsigned int line;
	} faults[] = {
		{ "", 0 },
		{ "# none\n", 0 },
		{ KEY_A "\nabc\n", 2 },
		{ "\n\n" KEY_A "0\n", 3 },
		{ KEY_A KEY_B "\n", 1 },
		{ "g" KEY_A "\n", 1 },
		{ KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n", 5 },
	};
	const struct files *files = *state;
	struct sync_keys keys = { .n = 77 };
	unsigned int line;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		line = 99;
		write_key_file(files, faults[i].text, 0600);
		assert_int_equal(sync_keys_load(files->path, &keys, &line), -EINVAL);
		assert_int_equal(line, faults[i].line);
	}
	write_key_file(files, KEY_A "\n", 0604);
	assert_int_equal(sync_keys_load(files->path, &keys, &line), -EPERM);
	assert_int_equal(sync_keys_load("/nowhere", &keys, &line), -ENOENT);
	assert_int_equal(sync_keys_load(files->directory, &keys, &line), -EINVAL);
	/* Untouched by what failed. */
	assert_int_equal(keys.n, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		file_test(test_create),
		file_test(test_load),
		file_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
