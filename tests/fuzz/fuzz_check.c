/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What members answer to checks. The first byte says which check, the second how it comes. */
#include "../../src/check/dialogue.h"

#include <ctype.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char word[] = "pong";

static const struct conf_check kinds[] = {
	{ .type = CONF_CHECK_SMTP },
	{ .type = CONF_CHECK_POP3 },
	{ .type = CONF_CHECK_IMAP },
	{ .type = CONF_CHECK_HTTP },
	{ .type = CONF_CHECK_HTTP, .body = word },
	{ .type = CONF_CHECK_SIP, .udp = true },
	{ .type = CONF_CHECK_SIP },
	{ .type = CONF_CHECK_DNS, .udp = true },
	{ .type = CONF_CHECK_DNS },
	{ .type = CONF_CHECK_SEND, .send = word, .expect = word },
	{ .type = CONF_CHECK_ICMP },
	{ .type = CONF_CHECK_SMTP, .starttls = true },
	{ .type = CONF_CHECK_POP3, .starttls = true },
	{ .type = CONF_CHECK_IMAP, .starttls = true },
};

static void check_result(const struct dialogue *dialogue, enum check_outcome outcome)
{
	if (outcome == CHECK_REFUSED || outcome == CHECK_LOCAL || !check_outcome_name(outcome))
		abort();
	if (!memchr(dialogue->detail, '\0', sizeof(dialogue->detail)))
		abort();
	for (const char *at = dialogue->detail; *at; at++)
		if (!isascii((unsigned char)*at) || !isprint((unsigned char)*at))
			abort();
}

/* As if the handshake had been made: what was heard before must be forgotten. */
static void secure(struct dialogue *dialogue)
{
	if (dialogue->n_input > 0)
		abort();
	(void)dialogue_begin(dialogue);
	if (dialogue->n_output == 0 || dialogue->stage != DIALOGUE_SECURED)
		abort();
}

/* As it comes from a socket: piece by piece, or datagram by datagram. */
static void feed(struct dialogue *dialogue, const uint8_t *data, size_t size, size_t piece)
{
	bool stream = dialogue_is_stream(dialogue->target->check);

	while (size > 0) {
		size_t used = stream ? dialogue->n_input : 0;
		size_t room = sizeof(dialogue->input) - used, n = piece < size ? piece : size;
		enum check_outcome outcome;

		n = n < room ? n : room;
		memcpy(dialogue->input + used, data, n);
		dialogue->n_input = used + n;
		data += n;
		size -= n;
		outcome = dialogue_hear(dialogue, false);
		check_result(dialogue, outcome);
		if (outcome != CHECK_PENDING)
			return;
		if (dialogue->stage == DIALOGUE_HANDSHAKE)
			secure(dialogue);
	}
	if (stream)
		check_result(dialogue, dialogue_hear(dialogue, true));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check_target target = { .port = 25, .address.family = AF_INET };
	struct dialogue *dialogue;

	if (size < 2)
		return 0;
	dialogue = calloc(1, sizeof(*dialogue));
	if (!dialogue)
		return 0;
	target.check = &kinds[data[0] % ARRAY_SIZE(kinds)];
	dialogue->target = &target;
	dialogue->asked = target.address;
	(void)dialogue_begin(dialogue);
	feed(dialogue, data + 2, size - 2, (size_t)data[1] + 1);
	free(dialogue);
	return 0;
}
