/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP and SIP: requests, and answers that begin with a status. */
#include "dialogue.h"

#include "drover/ports.h"

#include <ctype.h>
#include <string.h>

static const char *in_brackets(const struct address *address, char *text, size_t size)
{
	char plain[ADDRESS_TEXT_MAX];
	bool is_ipv6 = address->family == AF_INET6;

	address_format(address, plain);
	snprintf(text, size, "%s%s%s", is_ipv6 ? "[" : "", plain, is_ipv6 ? "]" : "");
	return text;
}

void dialogue_request_http(struct dialogue *d)
{
	const struct conf_check *check = d->target->check;
	char address[ADDRESS_TEXT_MAX + 2];

	dialogue_say(d,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: drover\r\nAccept: */*\r\n"
		"Connection: close\r\n\r\n",
		check->method ? check->method : "GET", check->path ? check->path : "/",
		check->host ? check->host : in_brackets(&d->asked, address, sizeof(address)));
}

/*
 * The Route header names the server itself, so that a server of a SIP farm answers the request
 * instead of relaying it to another (CommuniGate Pro, "Load Balancers", section Pinging).
 */
void dialogue_request_sip(struct dialogue *d)
{
	char to[ADDRESS_TEXT_MAX + 2], from[ADDRESS_TEXT_MAX + 2];
	const char *transport = d->target->check->udp ? "UDP" : "TCP";
	unsigned int port = d->target->port;

	in_brackets(&d->target->address, to, sizeof(to));
	in_brackets(&d->own, from, sizeof(from));
	dialogue_say(d,
		"OPTIONS sip:%s:%u SIP/2.0\r\n"
		"Via: SIP/2.0/%s %s:%u;rport;branch=z9hG4bK%04x%04x\r\n"
		"Route: <sip:%s:%u;lr>\r\n"
		"Max-Forwards: 70\r\n"
		"From: <sip:drover@%s>;tag=%04x\r\n"
		"To: <sip:%s:%u>\r\n"
		"Call-ID: %04x%04x@%s\r\n"
		"CSeq: 1 OPTIONS\r\n"
		"Contact: <sip:drover@%s:%u>\r\n"
		"User-Agent: drover\r\n"
		"Content-Length: 0\r\n\r\n",
		to, port, transport, from, d->own_port, d->number, d->own_port, to, port, from,
		d->number, to, port, d->number, d->own_port, from, from, d->own_port);
}

/* The status of a line that begins with this word, a version and a blank; 0 if it is none. */
static unsigned int parse_status(const struct dialogue *d, size_t at, const char *word)
{
	const char *line = d->input + at, *blank;
	size_t length = d->n_input - at, code;

	if (length < strlen(word) || memcmp(line, word, strlen(word)) != 0)
		return 0;
	blank = memchr(line, ' ', length);
	code = blank ? (size_t)(blank - line) + 1 : length;
	if (length - code < 4 || (isascii(line[code + 3]) && isalnum(line[code + 3])))
		return 0;
	for (size_t i = code; i < code + 3; i++)
		if (line[i] < '0' || line[i] > '9')
			return 0;
	return (unsigned int)(line[code] - '0') * 100 + (unsigned int)(line[code + 1] - '0') * 10 +
	       (unsigned int)(line[code + 2] - '0');
}

static bool is_wanted(const struct conf_check *check, unsigned int status)
{
	for (size_t i = 0; i < check->n_statuses; i++)
		if (port_range_contains(&check->statuses[i], (uint16_t)status))
			return true;
	return check->n_statuses == 0 && status >= 200 &&
	       status < (check->type == CONF_CHECK_HTTP ? 400 : 300);
}

static size_t find_body(const struct dialogue *d, size_t at)
{
	const char *crlf = memmem(d->input + at, d->n_input - at, "\r\n\r\n", 4);
	const char *lf = memmem(d->input + at, d->n_input - at, "\n\n", 2);

	if (crlf && (!lf || crlf < lf))
		return (size_t)(crlf - d->input) + 4;
	return lf ? (size_t)(lf - d->input) + 2 : 0;
}

static enum check_outcome hear_body(struct dialogue *d, const char *wanted, bool end)
{
	size_t body = find_body(d, 0);

	if (body > 0 && memmem(d->input + body, d->n_input - body, wanted, strlen(wanted)))
		return CHECK_GOOD;
	if (end || d->n_input == sizeof(d->input))
		return dialogue_show(d, body, CHECK_BODY);
	return CHECK_PENDING;
}

enum check_outcome dialogue_hear_http(struct dialogue *d, bool end)
{
	const struct conf_check *check = d->target->check;
	unsigned int status;

	if (dialogue_line_end(d, 0) == 0)
		return dialogue_wait(d, end);
	status = parse_status(d, 0, "HTTP/");
	if (status == 0)
		return dialogue_show(d, 0, CHECK_ANSWER);
	if (!is_wanted(check, status))
		return dialogue_show(d, 0, CHECK_STATUS);
	return check->body ? hear_body(d, check->body, end) : CHECK_GOOD;
}

/* Answers below 200 say that another one comes. */
enum check_outcome dialogue_hear_sip(struct dialogue *d, bool end)
{
	size_t at = 0;

	while (at < d->n_input && dialogue_line_end(d, at) > 0) {
		unsigned int status = parse_status(d, at, "SIP/2.0 ");

		if (status == 0)
			return dialogue_show(d, at, CHECK_ANSWER);
		if (status >= 200)
			return is_wanted(d->target->check, status)
				       ? CHECK_GOOD
				       : dialogue_show(d, at, CHECK_STATUS);
		at = find_body(d, at);
		if (at == 0)
			break;
	}
	/* Of a provisional datagram nothing more is to come, but another one is. */
	if (!end && d->target->check->udp && d->n_input > 0 && parse_status(d, 0, "SIP/2.0 ") > 0)
		return CHECK_PENDING;
	return dialogue_wait(d, end);
}
