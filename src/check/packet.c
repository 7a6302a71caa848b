/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS (RFC 1035, 4) and ICMP echo (RFC 792, RFC 4443): questions and answers of octets. */
#include "dialogue.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

static void put(struct dialogue *d, const void *octets, size_t n)
{
	if (n > sizeof(d->output) - d->n_output)
		return;
	memcpy(d->output + d->n_output, octets, n);
	d->n_output += n;
}

static void put_number(struct dialogue *d, unsigned int number)
{
	const uint8_t octets[] = { (uint8_t)(number >> 8), (uint8_t)number };

	put(d, octets, sizeof(octets));
}

static unsigned int get_number(const char *at)
{
	return (unsigned int)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

/* --- DNS ----------------------------------------------------------------------------- */

enum {
	DNS_HEADER = 12,
	DNS_RESPONSE = 0x8000,
	DNS_RECURSION_DESIRED = 0x0100,
	DNS_RCODE = 0x000f,
	DNS_SERVFAIL = 2,
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_CLASS_IN = 1,
	DNS_LABEL_MAX = 63,
};

static void put_name(struct dialogue *d, const char *name)
{
	while (*name) {
		size_t length = strcspn(name, ".");
		const uint8_t octet = (uint8_t)(length < DNS_LABEL_MAX ? length : DNS_LABEL_MAX);

		if (length > 0) {
			put(d, &octet, 1);
			put(d, name, octet);
		}
		name += length + (name[length] == '.');
	}
	put(d, "", 1);
}

void dialogue_ask_dns(struct dialogue *d)
{
	const struct conf_check *check = d->target->check;
	size_t begin;

	if (!check->udp)
		put_number(d, 0);
	begin = d->n_output;
	put_number(d, d->number);
	put_number(d, DNS_RECURSION_DESIRED);
	put_number(d, 1);
	put_number(d, 0);
	put_number(d, 0);
	put_number(d, 0);
	put_name(d, check->query ? check->query : "");
	put_number(d, check->query ? DNS_TYPE_A : DNS_TYPE_NS);
	put_number(d, DNS_CLASS_IN);
	if (!check->udp) {
		d->output[0] = (char)((d->n_output - begin) >> 8);
		d->output[1] = (char)(d->n_output - begin);
	}
}

static enum check_outcome judge_rcode(struct dialogue *d, unsigned int rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED" };
	bool good = d->target->check->query ? rcode == 0 : rcode != DNS_SERVFAIL;

	if (good)
		return CHECK_GOOD;
	if (rcode < ARRAY_SIZE(names))
		snprintf(d->detail, sizeof(d->detail), "%s", names[rcode]);
	else
		snprintf(d->detail, sizeof(d->detail), "rcode %u", rcode);
	return CHECK_STATUS;
}

/* Who was asked for nothing in particular need not know it, as long as it answers. */
enum check_outcome dialogue_hear_dns(struct dialogue *d, bool end)
{
	size_t at = d->target->check->udp ? 0 : 2;
	unsigned int flags;

	if (d->n_input < at + DNS_HEADER)
		return dialogue_wait(d, end);
	flags = get_number(d->input + at + 2);
	if (get_number(d->input + at) != d->number || !(flags & DNS_RESPONSE)) {
		snprintf(d->detail, sizeof(d->detail), "no answer to the question");
		return CHECK_ANSWER;
	}
	return judge_rcode(d, flags & DNS_RCODE);
}

/* --- ICMP -------------------------------------------------------------------------------- */

enum { ICMP_HEADER = 8 };

static uint16_t checksum(const char *octets, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get_number(octets + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Of ICMPv6 the kernel computes the checksum. */
void dialogue_ask_icmp(struct dialogue *d)
{
	bool is_ipv6 = d->target->address.family == AF_INET6;
	uint16_t sum;

	put_number(d, (is_ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO) << 8);
	put_number(d, 0);
	put_number(d, d->number);
	put_number(d, 1);
	put(d, "drover..", 8);
	if (is_ipv6)
		return;
	sum = checksum(d->output, d->n_output);
	d->output[2] = (char)(sum >> 8);
	d->output[3] = (char)sum;
}

/* A raw socket hears all that comes from the address: what is not the answer is passed over. */
enum check_outcome dialogue_hear_icmp(struct dialogue *d)
{
	bool is_ipv6 = d->target->address.family == AF_INET6;
	size_t at = 0;

	/* Raw sockets of IPv4 have the header of IP as well. */
	if (!is_ipv6 && d->n_input > 0)
		at = (size_t)(d->input[0] & 0x0f) * 4;
	if (d->n_input < at + ICMP_HEADER)
		return CHECK_PENDING;
	if ((uint8_t)d->input[at] != (is_ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
		get_number(d->input + at + 4) != d->number)
		return CHECK_PENDING;
	return CHECK_GOOD;
}
