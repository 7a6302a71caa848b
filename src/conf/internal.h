/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Inside of the configuration module. Text flows through it one way:
 *
 *   file.c -> source.c -> libconfig -> reader.c with the tables of settings.c,
 *   groups.c, services.c and verbs.c (VIPs: vips.c, vipaddrs.c) -> check.c -> kinds.c
 *
 * For drover-helper, texts.c stands before file.c, and helper.c before check.c.
 *
 * Every stage reports to faults.c and goes on, so that one run names every
 * fault. What could not be read stays zero, and the checks pass over it.
 */

#include "drover/conf.h"
#include "drover/conf_helper.h"

#include <libconfig.h>

/* What is being read, for messages: group "A": member "fe5": … */
struct scope {
	const struct scope *parent;
	const char *kind;
	const char *name; /* NULL: the number tells it from its siblings */
	size_t number;    /* 0: there is only one */
};

/* The text given to libconfig; lines[i] tells where its line i + 1 was written. */
struct source {
	char *text;
	struct conf_location *lines;
	size_t n_lines;
};

struct fault {
	struct conf_location location;
	char *message;
};

/* One reading of one configuration. */
struct reader {
	struct conf *conf; /* in the making */
	struct source source;
	const struct scope *scope;
	struct fault *faults;
	size_t n_faults;
	size_t n_faults_left_off;
	bool no_memory;
	struct conf_texts *texts;         /* NULL: files are read from the disk */
	const struct conf_helper *helper; /* NULL: everything is in the file */

	struct conf_group *group;           /* in the making */
	struct conf_location node_location; /* of the setting; the line is 0 without one */
};

/* Appends a zeroed element to an array; yields its address, or NULL without memory. */
#define array_append(array, n)                                                                     \
	({                                                                                         \
		__typeof__(array) grown_ = reallocarray((array), (n) + 1, sizeof(*(array)));       \
		if (grown_) {                                                                      \
			(array) = grown_;                                                          \
			grown_ += (n)++;                                                           \
			*grown_ = (__typeof__(*grown_)){ 0 };                                      \
		}                                                                                  \
		grown_;                                                                            \
	})

/* faults.c */
struct conf_location conf_nowhere(const struct conf *conf);
bool location_is_before(
	const struct conf *conf, const struct conf_location *a, const struct conf_location *b);
void fault_add(struct reader *reader, struct conf_location location, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void fault_no_memory(struct reader *reader);
void fault_add_open(const char *path, int error, struct conf_errors *errors);
int faults_finish(struct reader *reader, struct conf_errors *errors);

/* file.c */
int file_read(const char *path, char **ret_text, size_t *ret_length);
int file_load(
	const char *path, char **ret_text, size_t *ret_length, struct conf_errors *reterr_errors);
char *file_beside(const char *file, const char *path);
const char *file_note(struct reader *reader, const char *path);

/* texts.c: without texts as file_read(). */
int texts_read(struct conf_texts *texts, const char *path, char **ret_text, size_t *ret_length);

/* source.c: source_read() returns false after a fault. */
bool source_read(struct reader *reader, const char *file, const char *text, size_t length);
void source_done(struct source *source);

/* settings.c, groups.c, services.c, vips.c, vipaddrs.c, verbs.c, helper.c, check.c, kinds.c */
void settings_read(struct reader *reader, const config_setting_t *root);
void group_read(struct reader *reader, const config_setting_t *setting, void *object);
void check_read(struct reader *reader, const config_setting_t *setting, void *object);
void check_find(
	struct reader *reader, const config_setting_t *setting, struct conf_service *service);
void service_read(struct reader *reader, const config_setting_t *setting, void *object);
void services_fill(struct reader *reader, struct conf_group *group);
void vip_add(struct reader *reader, struct conf_group *group, struct conf_location location,
	const char *text);
void vip_read(struct reader *reader, const config_setting_t *setting, void *object);
void vips_file_read(struct reader *reader, const config_setting_t *setting, void *object);
void vips_file_take(struct reader *reader, struct conf_group *group, struct conf_location location,
	const char *path);
void helper_read(struct reader *reader, const config_setting_t *setting, void *object);
void helper_complete(struct reader *reader);
void check_vip_overlaps(struct reader *reader);
void conf_check(struct reader *reader);
void kinds_find(struct reader *reader);
void checks_note_probed(struct conf *conf);
