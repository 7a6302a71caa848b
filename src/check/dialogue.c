/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialogue.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

bool dialogue_is_stream(const struct conf_check *check)
{
	return check->type != CONF_CHECK_ICMP && !check->udp;
}

void dialogue_say(struct dialogue *d, const char *format, ...)
{
	size_t room = sizeof(d->output) - d->n_output;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(d->output + d->n_output, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		d->n_output += (size_t)n < room ? (size_t)n : room - 1;
}

enum check_outcome dialogue_show(struct dialogue *d, size_t at, enum check_outcome outcome)
{
	size_t n = 0;

	while (at < d->n_input && d->input[at] != '\r' && d->input[at] != '\n' &&
		n < sizeof(d->detail) - 1) {
		unsigned char c = (unsigned char)d->input[at++];

		d->detail[n++] = (char)(isascii(c) && isprint(c) ? c : '?');
	}
	d->detail[n] = '\0';
	return outcome;
}

void dialogue_note(struct dialogue *d, const char *text)
{
	snprintf(d->detail, sizeof(d->detail), "%s", text);
}

bool dialogue_begins(const struct dialogue *d, size_t at, const char *word)
{
	size_t length = strlen(word);

	return d->n_input - at >= length && memcmp(d->input + at, word, length) == 0;
}

size_t dialogue_line_end(const struct dialogue *d, size_t at)
{
	const char *end = memchr(d->input + at, '\n', d->n_input - at);

	return end ? (size_t)(end - d->input) + 1 : 0;
}

enum check_outcome dialogue_wait(struct dialogue *d, bool end)
{
	if (end)
		return dialogue_show(d, 0, CHECK_CLOSED);
	if (d->n_input == sizeof(d->input) || !dialogue_is_stream(d->target->check))
		return dialogue_show(d, 0, CHECK_ANSWER);
	return CHECK_PENDING;
}

/* --- servers that greet ----------------------------------------------------------------- */

/* RFC 5321, 4.2: all lines but the last have a '-' behind the code. */
enum check_outcome dialogue_hear_reply(struct dialogue *d, bool end, const char *code,
	enum check_outcome otherwise, size_t *ret_end)
{
	size_t at = 0, next;

	while ((next = dialogue_line_end(d, at)) > 0) {
		if (!dialogue_begins(d, at, code) || next - at < 5)
			return dialogue_show(d, at, otherwise);
		if (d->input[at + 3] == ' ' || d->input[at + 3] == '\r') {
			*ret_end = next;
			return CHECK_GOOD;
		}
		if (d->input[at + 3] != '-')
			return dialogue_show(d, at, otherwise);
		at = next;
	}
	return dialogue_wait(d, end);
}

static enum check_outcome hear_smtp(struct dialogue *d, bool end)
{
	size_t heard = 0;
	enum check_outcome outcome = dialogue_hear_reply(d, end, "220", CHECK_BANNER, &heard);

	if (outcome == CHECK_GOOD)
		dialogue_say(d, "QUIT\r\n");
	return outcome;
}

static enum check_outcome hear_greeting(
	struct dialogue *d, bool end, const char *greeting, const char *other, const char *farewell)
{
	if (dialogue_line_end(d, 0) == 0)
		return dialogue_wait(d, end);
	if (!dialogue_begins(d, 0, greeting) && !dialogue_begins(d, 0, other))
		return dialogue_show(d, 0, CHECK_BANNER);
	dialogue_say(d, "%s", farewell);
	return CHECK_GOOD;
}

/* --- send and expect ------------------------------------------------------------------------ */

static enum check_outcome hear_expected(struct dialogue *d, bool end)
{
	const char *expect = d->target->check->expect;

	if (d->n_input > 0 && (!expect || memmem(d->input, d->n_input, expect, strlen(expect))))
		return CHECK_GOOD;
	if (end && d->n_input > 0)
		return dialogue_show(d, 0, CHECK_ANSWER);
	return dialogue_wait(d, end);
}

static enum check_outcome begin_sending(struct dialogue *d)
{
	const struct conf_check *check = d->target->check;

	if (check->send)
		dialogue_say(d, "%s", check->send);
	return check->send || check->expect ? CHECK_PENDING : CHECK_GOOD;
}

/* --- all of them ------------------------------------------------------------------------------ */

enum check_outcome dialogue_begin(struct dialogue *d)
{
	switch (d->target->check->type) {
	case CONF_CHECK_TCP:
		return CHECK_GOOD;
	case CONF_CHECK_HTTP:
		dialogue_request_http(d);
		break;
	case CONF_CHECK_SIP:
		dialogue_request_sip(d);
		break;
	case CONF_CHECK_DNS:
		dialogue_ask_dns(d);
		break;
	case CONF_CHECK_ICMP:
		dialogue_ask_icmp(d);
		break;
	case CONF_CHECK_SEND:
		return begin_sending(d);
	case CONF_CHECK_SMTP:
	case CONF_CHECK_POP3:
	case CONF_CHECK_IMAP:
		if (d->target->check->starttls && d->stage == DIALOGUE_HANDSHAKE)
			dialogue_begin_secured(d);
		break;
	case CONF_CHECK_EXEC:
	case N_CONF_CHECK_TYPES:
		break;
	}
	return CHECK_PENDING;
}

enum check_outcome dialogue_hear(struct dialogue *d, bool end)
{
	d->n_output = 0;
	d->detail[0] = '\0';
	if (d->target->check->starttls)
		return dialogue_hear_starttls(d, end);
	switch (d->target->check->type) {
	case CONF_CHECK_SMTP:
		return hear_smtp(d, end);
	case CONF_CHECK_POP3:
		return hear_greeting(d, end, "+OK", "+OK", "QUIT\r\n");
	case CONF_CHECK_IMAP:
		return hear_greeting(d, end, "* OK", "* PREAUTH", "a LOGOUT\r\n");
	case CONF_CHECK_HTTP:
		return dialogue_hear_http(d, end);
	case CONF_CHECK_SIP:
		return dialogue_hear_sip(d, end);
	case CONF_CHECK_DNS:
		return dialogue_hear_dns(d, end);
	case CONF_CHECK_ICMP:
		return dialogue_hear_icmp(d);
	case CONF_CHECK_SEND:
		return hear_expected(d, end);
	case CONF_CHECK_TCP:
	case CONF_CHECK_EXEC:
	case N_CONF_CHECK_TYPES:
		break;
	}
	return CHECK_GOOD;
}
