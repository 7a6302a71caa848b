/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include "drover/clock.h"
#include "drover/control.h"
#include "local.h"
#include "reply.h"
#include "screen.h"
#include "watch_rates.h"

#include <errno.h>
#include <time.h>

enum {
	/* Shorter than for a single question: who looks on wants to be able to leave. */
	ANSWER_MS = 2000,
	US_PER_MS = 1000,
	JSON_STYLE = JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9) |
		     JSON_ENSURE_ASCII,
};

/* What the daemon said, and when. */
struct sample {
	json_t *reply; /* a status with services, a refusal, or NULL: there is none */
	uint64_t at_us;
	int error; /* then: why */
};

struct watch {
	const struct view *view;
	const char *socket_path;
	bool json;
	unsigned int interval_ms;
	struct screen *screen;
	struct sample before, now;
};

/* --- asking -------------------------------------------------------------------------------- */

static int ask(const struct watch *watch, const char *command, json_t **ret_reply)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s, s:O, s:b}", "command", command,
		"netns", json_object_get(watch->view->request, "netns"), "brief", 1);

	return request ? control_ask(watch->socket_path, request, ANSWER_MS, ret_reply) : -ENOMEM;
}

/* The later of two samples becomes the earlier one; a failure is no beginning of a rate. */
static void take_sample(struct watch *watch)
{
	_cleanup_(json_decref_p) json_t *status = NULL, *services = NULL;
	struct sample sample = { .reply = NULL };

	sample.error = ask(watch, "status", &status);
	sample.at_us = clock_now_us();
	if (sample.error == 0 && reply_is_true(status, "ok"))
		sample.error = ask(watch, "services", &services);
	if (sample.error == 0) {
		json_object_set(status, "services", json_object_get(services, "services"));
		sample.reply = json_incref(status);
	}
	json_decref(watch->before.reply);
	watch->before = watch->now;
	watch->now = sample;
}

/* --- showing ------------------------------------------------------------------------------- */

static json_t *compute(const struct watch *watch)
{
	const struct sample *before = &watch->before, *now = &watch->now;

	if (!now->reply)
		return json_pack("{s:b, s:s}", "ok", 0, "error", reply_reason(now->error));
	if (!reply_is_true(now->reply, "ok"))
		return json_incref(now->reply);
	return rates_compute(reply_is_true(before->reply, "ok") ? before->reply : NULL, now->reply,
		(double)(now->at_us - before->at_us) / 1e6);
}

static void print_title(struct view *view, const struct watch *watch, const json_t *reply)
{
	time_t now = time(NULL);
	struct tm local;
	char clock[16] = "";

	if (localtime_r(&now, &local))
		(void)strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	view_line(view, TEXT_PLAIN, "drover on %s, %s, every %g s%s", reply_text(reply, "node"),
		clock, watch->interval_ms / 1000.0,
		screen_is_terminal(watch->screen) ? "; q ends" : "");
}

static void print_block(struct view *view, const struct watch *watch, const json_t *reply)
{
	print_title(view, watch, reply);
	if (reply_is_true(reply, "ok"))
		render_watch(view, reply, screen_columns(watch->screen));
	else
		view_line(view, TEXT_BAD, "PROBLEM: no answer from the daemon at %s: %s",
			watch->socket_path, reply_text(reply, "error"));
	if (!screen_is_terminal(watch->screen))
		fputc('\n', view->out);
}

/* A block is written whole: half a screen flickers, and half a line belongs to nobody. */
static int show(const struct watch *watch)
{
	_cleanup_(json_decref_p) json_t *reply = compute(watch);
	struct view view = *watch->view;
	char *text = NULL;
	size_t size;

	view.out = reply ? open_memstream(&text, &size) : NULL;
	if (!view.out)
		return -ENOMEM;
	if (!watch->json)
		print_block(&view, watch, reply);
	else if (json_dumpf(reply, view.out, JSON_STYLE) == 0)
		fputc('\n', view.out);
	if (fclose(view.out) != 0 || view.error < 0) {
		free(text);
		return -ENOMEM;
	}
	screen_show(watch->screen, text);
	free(text);
	return ferror(stdout) ? -EIO : 0;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int exit_status(const struct watch *watch)
{
	if (!watch->now.reply)
		return STATUS_NO_DAEMON;
	return reply_is_true(watch->now.reply, "ok") ? STATUS_OK : STATUS_REFUSED;
}

/* Waits for the next time; what changes meanwhile is drawn at once. Returns 1 when it is to end. */
static int wait_until(const struct watch *watch, uint64_t due_us)
{
	for (;;) {
		int r = 0;

		switch (screen_wait(watch->screen, due_us)) {
		case SCREEN_TIME:
			return 0;
		case SCREEN_END:
			return 1;
		case SCREEN_REDRAW:
			if (screen_is_terminal(watch->screen))
				r = show(watch);
			break;
		}
		if (r < 0)
			return r;
	}
}

/* Returns 0 after the last block, 1 when somebody ended it, or -errno. */
static int run(struct watch *watch, json_int_t count)
{
	uint64_t interval_us = (uint64_t)watch->interval_ms * US_PER_MS;
	uint64_t due_us = clock_now_us();
	int r = 0;

	take_sample(watch);
	/* A screen must not stay empty; whoever reads blocks wants those with rates. */
	if (screen_is_terminal(watch->screen))
		r = show(watch);
	for (json_int_t n = 0; r == 0 && (count == 0 || n < count); n++) {
		uint64_t now = clock_now_us();

		due_us = due_us + interval_us > now ? due_us + interval_us : now + interval_us;
		r = wait_until(watch, due_us);
		if (r != 0)
			break;
		take_sample(watch);
		r = show(watch);
	}
	return r;
}

int watch_follow(const struct view *view, const char *socket_path, bool json)
{
	const json_t *request = view->request;
	struct watch watch = {
		.view = view,
		.socket_path = socket_path,
		.json = json,
		.interval_ms = (unsigned int)json_integer_value(
			json_object_get(request, "interval_ms")),
	};
	int r = screen_open(json, &watch.screen), status;

	if (r == 0) {
		r = run(&watch, json_integer_value(json_object_get(request, "count")));
		screen_close(watch.screen);
	}
	status = r == 0 ? exit_status(&watch) : STATUS_OK;
	json_decref(watch.before.reply);
	json_decref(watch.now.reply);
	if (r < 0) {
		struct view errors = { .out = stderr };

		view_line(&errors, TEXT_PLAIN, "droverctl: watch: cannot show rates: %s",
			r == -ENOMEM ? "out of memory" : "cannot write");
		status = STATUS_REFUSED;
	}
	return status;
}
