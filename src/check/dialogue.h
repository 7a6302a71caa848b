/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is said to a member, and what its answers mean; no sockets. Anything may be in an answer. */

#include "drover/check.h"

enum {
	DIALOGUE_INPUT_MAX = 16 * 1024,
	DIALOGUE_OUTPUT_MAX = 4096,
};

/* How far a dialogue with starttls has come: what is to be heard next. */
enum dialogue_stage {
	DIALOGUE_GREETING,
	DIALOGUE_OFFER, /* smtp: what EHLO is answered with */
	DIALOGUE_GO_AHEAD,
	DIALOGUE_HANDSHAKE, /* of TLS, by the caller; then dialogue_begin() again */
	DIALOGUE_SECURED,
};

struct dialogue {
	const struct check_target *target;
	struct address
		asked;      /* the other end, as the member should see it: a VIP, or its address */
	struct address own; /* this host's end */
	uint16_t own_port;
	uint16_t number; /* of the probe: tells its answers from others' */
	enum dialogue_stage stage;
	char output[DIALOGUE_OUTPUT_MAX];
	size_t n_output;
	char input[DIALOGUE_INPUT_MAX]; /* of a stream: all not done with; else one datagram */
	size_t n_input;
	char detail[CHECK_DETAIL_MAX];
};

bool dialogue_is_stream(const struct conf_check *check);

/*
 * The connection stands, or is secured as it was to be: fills the output. Returns CHECK_GOOD if
 * that is all there is to know.
 */
enum check_outcome dialogue_begin(struct dialogue *dialogue);

/*
 * Looks at the input; end: no more will come. CHECK_PENDING: goes on, after the output was sent,
 * and with what the stage says. With CHECK_GOOD the output is what to part with. Either may be
 * nothing.
 */
enum check_outcome dialogue_hear(struct dialogue *dialogue, bool end);

/* --- for its parts ---------------------------------------------------------------------- */

void dialogue_say(struct dialogue *dialogue, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Shows the line of the answer that begins here. Returns the outcome. */
enum check_outcome dialogue_show(struct dialogue *dialogue, size_t at, enum check_outcome outcome);

/* Says by itself what was seen. */
void dialogue_note(struct dialogue *dialogue, const char *text);

bool dialogue_begins(const struct dialogue *dialogue, size_t at, const char *word);

/* Where the line that begins here ends, behind its '\n'; 0 if it has not come whole. */
size_t dialogue_line_end(const struct dialogue *dialogue, size_t at);

/* More has to come: unless it cannot. */
enum check_outcome dialogue_wait(struct dialogue *dialogue, bool end);

/*
 * SMTP: CHECK_GOOD if a reply with this code has come whole, *ret_end is behind it; the outcome
 * otherwise is for a reply with another code, or none.
 */
enum check_outcome dialogue_hear_reply(struct dialogue *dialogue, bool end, const char *code,
	enum check_outcome otherwise, size_t *ret_end);

/* starttls.c */
void dialogue_begin_secured(struct dialogue *dialogue);
enum check_outcome dialogue_hear_starttls(struct dialogue *dialogue, bool end);

/* request.c */
void dialogue_request_http(struct dialogue *dialogue);
void dialogue_request_sip(struct dialogue *dialogue);
enum check_outcome dialogue_hear_http(struct dialogue *dialogue, bool end);
enum check_outcome dialogue_hear_sip(struct dialogue *dialogue, bool end);

/* packet.c */
void dialogue_ask_dns(struct dialogue *dialogue);
enum check_outcome dialogue_hear_dns(struct dialogue *dialogue, bool end);
void dialogue_ask_icmp(struct dialogue *dialogue);
enum check_outcome dialogue_hear_icmp(struct dialogue *dialogue);
