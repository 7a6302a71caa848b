/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/check.h"

const char *check_outcome_name(enum check_outcome outcome)
{
	switch (outcome) {
	case CHECK_PENDING:
		return "pending";
	case CHECK_GOOD:
		return "good";
	case CHECK_REFUSED:
		return "refused";
	case CHECK_TIMEOUT:
		return "timeout";
	case CHECK_UNREACHABLE:
		return "unreachable";
	case CHECK_CLOSED:
		return "closed";
	case CHECK_STARTTLS:
		return "STARTTLS refused";
	case CHECK_TLS:
		return "TLS failed";
	case CHECK_BANNER:
		return "unexpected banner";
	case CHECK_ANSWER:
		return "unexpected answer";
	case CHECK_STATUS:
		return "unexpected status";
	case CHECK_BODY:
		return "unexpected body";
	case CHECK_EXIT:
		return "command failed";
	case CHECK_LOCAL:
		return "not asked";
	}
	return NULL;
}

const char *check_verdict_name(enum check_verdict verdict)
{
	switch (verdict) {
	case CHECK_UNKNOWN:
		return "unknown";
	case CHECK_UP:
		return "up";
	case CHECK_DOWN:
		return "down";
	}
	return NULL;
}

unsigned int check_rise_needed(
	const struct check_state *state, const struct conf_check *check, size_t n_vips)
{
	unsigned int rise = check->rise << (state->n_falls > 1 ? state->n_falls - 1 : 0);

	return n_vips > 1 ? rise + (unsigned int)n_vips - 1 : rise;
}

static void note_fall(struct check_state *state, uint64_t now_us)
{
	const uint64_t memory_us = UINT64_C(1000000) * CHECK_FLAP_SECONDS;

	if (state->n_falls == 0 || now_us - state->fell_us >= memory_us)
		state->n_falls = 1;
	else if (state->n_falls <= CHECK_FLAP_MAX)
		state->n_falls++;
	state->fell_us = now_us;
}

bool check_decide(struct check_state *state, const struct conf_check *check, size_t n_vips,
	enum check_outcome outcome, uint64_t now_us)
{
	bool good = outcome == CHECK_GOOD, up = state->verdict == CHECK_UP;
	unsigned int needed = good ? check_rise_needed(state, check, n_vips) : check->fall;

	if (outcome == CHECK_PENDING || outcome == CHECK_LOCAL)
		return false;
	if (state->verdict != CHECK_UNKNOWN && good == up) {
		state->run = 0;
		return false;
	}
	if (state->verdict != CHECK_UNKNOWN && ++state->run < needed)
		return false;
	/* Whom nobody has seen up has not fallen. */
	if (up)
		note_fall(state, now_us);
	state->verdict = good ? CHECK_UP : CHECK_DOWN;
	state->run = 0;
	return true;
}
