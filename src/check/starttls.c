/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Servers that greet in the clear and are asked for TLS: SMTP (RFC 3207), POP3 (RFC 2595) and IMAP
 * (RFC 9051, 6.2.1). Nothing that was heard in the clear counts for anything afterwards.
 */
#include "dialogue.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_smtp(const struct dialogue *d)
{
	return d->target->check->type == CONF_CHECK_SMTP;
}

/* SMTP's question has this host's address: see say_ehlo(). */
struct words {
	const char *greeting, *other_greeting;
	const char *request, *go_ahead;
	const char *question, *answer; /* secured */
};

static const struct words *words_of(const struct dialogue *d)
{
	static const struct words smtp = { "220", "220", "STARTTLS\r\n", "220", NULL, "250" };
	static const struct words pop3 = { "+OK", "+OK", "STLS\r\n", "+OK", "QUIT\r\n", "+OK" };
	static const struct words imap = { "* OK", "* PREAUTH", "a STARTTLS\r\n", "a OK",
		"b LOGOUT\r\n", "b OK" };

	if (is_smtp(d))
		return &smtp;
	return d->target->check->type == CONF_CHECK_POP3 ? &pop3 : &imap;
}

/* Lines of IMAP without a tag may come at any time. */
static bool is_untagged(const struct dialogue *d, size_t at)
{
	return d->target->check->type == CONF_CHECK_IMAP && dialogue_begins(d, at, "*");
}

static enum check_outcome hear_answer(struct dialogue *d, bool end, const char *wanted,
	enum check_outcome otherwise, size_t *ret_end)
{
	size_t at = 0, next;

	if (is_smtp(d))
		return dialogue_hear_reply(d, end, wanted, otherwise, ret_end);
	while ((next = dialogue_line_end(d, at)) > 0) {
		if (dialogue_begins(d, at, wanted)) {
			*ret_end = next;
			return CHECK_GOOD;
		}
		if (!is_untagged(d, at))
			return dialogue_show(d, at, otherwise);
		at = next;
	}
	return dialogue_wait(d, end);
}

/* Its name: the address, as nobody knows whether this host has one that a server would like. */
static void say_ehlo(struct dialogue *d)
{
	char address[ADDRESS_TEXT_MAX];

	dialogue_say(d, "EHLO [%s%s]\r\n", d->own.family == AF_INET6 ? "IPv6:" : "",
		address_format(&d->own, address));
}

/* Asks what the stage is to hear. Who has answered before does not do well. */
static enum check_outcome ask(struct dialogue *d, enum dialogue_stage stage, size_t heard)
{
	d->n_input -= heard;
	memmove(d->input, d->input + heard, d->n_input);
	if (d->n_input > 0 && !is_untagged(d, 0))
		return dialogue_show(d, 0, CHECK_ANSWER);
	d->stage = stage;
	if (stage == DIALOGUE_OFFER)
		say_ehlo(d);
	else
		dialogue_say(d, "%s", words_of(d)->request);
	return CHECK_PENDING;
}

static enum check_outcome hear_greeting(struct dialogue *d, bool end)
{
	const struct words *words = words_of(d);
	bool other = dialogue_begins(d, 0, words->other_greeting);
	const char *greeting = other ? words->other_greeting : words->greeting;
	enum check_outcome outcome;
	size_t heard = 0;

	/* Here a line of IMAP without a tag is the answer. */
	if (dialogue_line_end(d, 0) > 0 && !dialogue_begins(d, 0, greeting))
		return dialogue_show(d, 0, CHECK_BANNER);
	outcome = hear_answer(d, end, greeting, CHECK_BANNER, &heard);
	if (outcome != CHECK_GOOD)
		return outcome;
	return ask(d, is_smtp(d) ? DIALOGUE_OFFER : DIALOGUE_GO_AHEAD, heard);
}

/* Whether EHLO's reply has this keyword, in whatever case; its first line has the server's name. */
static bool offers(const struct dialogue *d, size_t size, const char *keyword)
{
	size_t length = strlen(keyword);

	for (size_t at = dialogue_line_end(d, 0); at < size; at = dialogue_line_end(d, at)) {
		const char *word = d->input + at + 4;

		if (size - at > 4 + length && strncasecmp(word, keyword, length) == 0 &&
			isspace((unsigned char)word[length]))
			return true;
	}
	return false;
}

static enum check_outcome hear_offer(struct dialogue *d, bool end)
{
	size_t heard = 0;
	enum check_outcome outcome = hear_answer(d, end, "250", CHECK_ANSWER, &heard);

	if (outcome != CHECK_GOOD)
		return outcome;
	if (!offers(d, heard, "STARTTLS")) {
		dialogue_note(d, "not offered");
		return CHECK_STARTTLS;
	}
	return ask(d, DIALOGUE_GO_AHEAD, heard);
}

/*
 * What comes behind the go-ahead came in the clear, from whoever put it there, and would be read as
 * an answer that came secured (CVE-2011-0411).
 */
static enum check_outcome hear_go_ahead(struct dialogue *d, bool end)
{
	size_t heard = 0;
	enum check_outcome outcome = hear_answer(
		d, end, words_of(d)->go_ahead, CHECK_STARTTLS, &heard);

	if (outcome != CHECK_GOOD)
		return outcome;
	if (d->n_input > heard) {
		dialogue_note(d, "text in the clear behind the go-ahead");
		return CHECK_TLS;
	}
	d->n_input = 0;
	d->stage = DIALOGUE_HANDSHAKE;
	return CHECK_PENDING;
}

static enum check_outcome hear_secured(struct dialogue *d, bool end)
{
	size_t heard = 0;
	enum check_outcome outcome = hear_answer(d, end, words_of(d)->answer, CHECK_ANSWER, &heard);

	if (outcome == CHECK_GOOD && is_smtp(d))
		dialogue_say(d, "QUIT\r\n");
	return outcome;
}

/* What SMTP offered in the clear is asked anew; the others part, and are to say so. */
void dialogue_begin_secured(struct dialogue *d)
{
	d->stage = DIALOGUE_SECURED;
	if (is_smtp(d))
		say_ehlo(d);
	else
		dialogue_say(d, "%s", words_of(d)->question);
}

enum check_outcome dialogue_hear_starttls(struct dialogue *d, bool end)
{
	switch (d->stage) {
	case DIALOGUE_GREETING:
		return hear_greeting(d, end);
	case DIALOGUE_OFFER:
		return hear_offer(d, end);
	case DIALOGUE_GO_AHEAD:
		return hear_go_ahead(d, end);
	case DIALOGUE_HANDSHAKE:
	case DIALOGUE_SECURED:
		break;
	}
	return hear_secured(d, end);
}
