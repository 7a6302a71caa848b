/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Log lines go to stderr, one each. Under systemd (JOURNAL_STREAM is set) each
 * begins with the "<N>" priority prefix of sd-daemon(3); on a terminal it
 * does not. Only programs log; library modules return errors.
 */

#include <syslog.h>

#define log_error(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * Has all lines go to a function from now on, or with NULL to stderr again. For a program whose
 * stderr is not for its log.
 */
typedef void (*log_sink_t)(int priority, const char *line, void *user_data);
void log_set_sink(log_sink_t sink, void *user_data);

/*
 * Writes one line of the given syslog priority. The debug level is written
 * only when the environment has DROVER_DEBUG. errno is preserved, so that %m
 * may be used.
 */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
