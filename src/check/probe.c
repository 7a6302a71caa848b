/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static enum check_outcome outcome_of(struct probe *probe, int error)
{
	switch (error) {
	case ECONNREFUSED:
		return CHECK_REFUSED;
	case ETIMEDOUT:
		return CHECK_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		return CHECK_UNREACHABLE;
	case ECONNRESET:
	case EPIPE:
		return CHECK_CLOSED;
	case EPROTO:
		return CHECK_TLS;
	default:
		snprintf(probe->detail, sizeof(probe->detail), "%s", strerror(error));
		return CHECK_LOCAL;
	}
}

/* --- addresses ------------------------------------------------------------------------ */

union any_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t make_address(
	const struct address *address, uint16_t port, union any_address *ret_address)
{
	*ret_address = (union any_address){ .any.sa_family = address->family };
	if (address->family == AF_INET6) {
		ret_address->ipv6.sin6_port = htons(port);
		memcpy(&ret_address->ipv6.sin6_addr, address->bytes, 16);
		return sizeof(ret_address->ipv6);
	}
	ret_address->ipv4.sin_port = htons(port);
	memcpy(&ret_address->ipv4.sin_addr, address->bytes, 4);
	return sizeof(ret_address->ipv4);
}

/* This host's end: a request of SIP says where it comes from. */
static void note_own_end(struct probe *probe)
{
	struct dialogue *dialogue = probe->dialogue;
	union any_address own = { .any.sa_family = AF_UNSPEC };
	socklen_t size = sizeof(own);

	dialogue->own = probe->report.target.address;
	if (getsockname(probe->fd, &own.any, &size) < 0)
		return;
	if (own.any.sa_family == AF_INET6) {
		memcpy(dialogue->own.bytes, &own.ipv6.sin6_addr, 16);
		dialogue->own_port = ntohs(own.ipv6.sin6_port);
	} else if (own.any.sa_family == AF_INET) {
		memcpy(dialogue->own.bytes, &own.ipv4.sin_addr, 4);
		dialogue->own_port = ntohs(own.ipv4.sin_port);
	}
}

/* --- sockets ---------------------------------------------------------------------------- */

static int open_socket(const struct probe *probe)
{
	const struct check_target *target = &probe->report.target;
	bool is_ipv6 = target->address.family == AF_INET6;
	int flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	if (target->check->type == CONF_CHECK_ICMP)
		return socket(target->address.family, SOCK_RAW | flags,
			is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	return socket(
		target->address.family, (target->check->udp ? SOCK_DGRAM : SOCK_STREAM) | flags, 0);
}

static int watch(struct probe *probe, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = probe };

	return epoll_ctl(probe->epoll_fd, operation, probe->fd, &event) < 0 ? -errno : 0;
}

static ssize_t send_output(struct probe *probe, size_t n)
{
	const char *output = probe->dialogue->output;

	return probe->session ? tls_session_send(probe->session, output, n)
			      : send(probe->fd, output, n, MSG_NOSIGNAL);
}

static ssize_t receive_input(struct probe *probe, size_t used)
{
	struct dialogue *dialogue = probe->dialogue;
	char *input = dialogue->input + used;
	size_t room = sizeof(dialogue->input) - used;

	return probe->session ? tls_session_receive(probe->session, input, room)
			      : recv(probe->fd, input, room, 0);
}

static enum check_outcome say(struct probe *probe)
{
	struct dialogue *dialogue = probe->dialogue;
	size_t n = dialogue->n_output;

	dialogue->n_output = 0;
	/* It fits the empty buffer of a fresh socket. */
	if (n > 0 && send_output(probe, n) != (ssize_t)n)
		return outcome_of(probe, errno);
	return CHECK_PENDING;
}

static enum check_outcome begin_dialogue(struct probe *probe)
{
	enum check_outcome outcome;

	note_own_end(probe);
	outcome = dialogue_begin(probe->dialogue);
	if (outcome == CHECK_PENDING)
		outcome = say(probe);
	return outcome;
}

static enum check_outcome shake(struct probe *probe)
{
	enum check_outcome outcome = tls_session_shake(probe->session, probe->detail);

	if (outcome != CHECK_GOOD)
		return outcome;
	probe->shaking = false;
	return begin_dialogue(probe);
}

static enum check_outcome secure(struct probe *probe)
{
	const struct conf_check *check = probe->report.target.check;

	probe->session = probe->trust ? tls_session_new(probe->trust, check, probe->fd) : NULL;
	probe->shaking = probe->session;
	return probe->session ? shake(probe) : outcome_of(probe, ENOMEM);
}

/* Connected. */
static enum check_outcome begin_talk(struct probe *probe)
{
	probe->connected = true;
	return probe->report.target.check->tls ? secure(probe) : begin_dialogue(probe);
}

/*
 * From the VIP to the VIP: that stays on this host, whatever way others have to it. Who does not
 * have the VIP is told so.
 */
static enum check_outcome aim_at_own_vip(struct probe *probe)
{
	union any_address own;
	socklen_t size = make_address(&probe->asked.address, 0, &own);

	if (bind(probe->fd, &own.any, size) == 0)
		return CHECK_PENDING;
	if (errno != EADDRNOTAVAIL)
		return outcome_of(probe, errno);
	snprintf(probe->detail, sizeof(probe->detail), "this host does not have the VIP");
	return CHECK_UNREACHABLE;
}

/*
 * Mark and priority take it to the VIP. Its port must be nobody else's: by that its answers are
 * told, and to be given away again at once it must not linger (TIME_WAIT).
 */
static enum check_outcome aim_by_mark(struct probe *probe)
{
	const struct check_target *target = &probe->report.target;
	const uint32_t priority = probe->asked.priority;
	const struct linger reset = { .l_onoff = 1 };
	const struct address any = { .family = target->address.family };
	union any_address own;
	socklen_t size = make_address(&any, 0, &own);

	if (setsockopt(probe->fd, SOL_SOCKET, SO_MARK, &target->mark, sizeof(target->mark)) < 0 ||
		setsockopt(probe->fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) < 0 ||
		setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0 ||
		bind(probe->fd, &own.any, size) < 0)
		return outcome_of(probe, errno);
	return CHECK_PENDING;
}

static enum check_outcome aim(struct probe *probe)
{
	if (probe->half != HALF_VIP)
		return CHECK_PENDING;
	return probe->report.target.local ? aim_at_own_vip(probe) : aim_by_mark(probe);
}

static enum check_outcome begin_socket(struct probe *probe)
{
	const struct check_target *target = &probe->report.target;
	bool is_icmp = target->check->type == CONF_CHECK_ICMP;
	bool is_own_vip = target->local && probe->half == HALF_VIP;
	union any_address address;
	socklen_t size = make_address(is_own_vip ? &probe->asked.address : &target->address,
		is_icmp ? 0 : target->port, &address);
	enum check_outcome outcome;
	int r;

	probe->fd = open_socket(probe);
	if (probe->fd < 0)
		return outcome_of(probe, errno);
	outcome = aim(probe);
	if (outcome != CHECK_PENDING)
		return outcome;
	r = watch(probe, EPOLL_CTL_ADD, dialogue_is_stream(target->check) ? EPOLLOUT : EPOLLIN);
	if (r < 0)
		return outcome_of(probe, -r);
	if (connect(probe->fd, &address.any, size) < 0)
		return errno == EINPROGRESS ? CHECK_PENDING : outcome_of(probe, errno);
	if (dialogue_is_stream(target->check) && watch(probe, EPOLL_CTL_MOD, EPOLLIN) < 0)
		return CHECK_LOCAL;
	return begin_talk(probe);
}

enum check_outcome probe_begin(struct probe *probe)
{
	probe->detail[0] = '\0';
	if (probe->report.target.check->type == CONF_CHECK_EXEC)
		return command_begin(probe);
	probe->dialogue = calloc(1, sizeof(*probe->dialogue));
	if (!probe->dialogue)
		return outcome_of(probe, ENOMEM);
	probe->dialogue->target = &probe->report.target;
	probe->dialogue->number = probe->number;
	probe->dialogue->asked = probe->asked.address.family == AF_UNSPEC
					 ? probe->report.target.address
					 : probe->asked.address;
	return begin_socket(probe);
}

/* --- events ------------------------------------------------------------------------------ */

static enum check_outcome finish_connect(struct probe *probe)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error != 0)
		return outcome_of(probe, error);
	if (watch(probe, EPOLL_CTL_MOD, EPOLLIN) < 0)
		return CHECK_LOCAL;
	return begin_talk(probe);
}

/* A stream goes on where it was, a datagram is looked at by itself. */
static enum check_outcome hear(struct probe *probe)
{
	struct dialogue *dialogue = probe->dialogue;
	bool stream = dialogue_is_stream(probe->report.target.check);
	enum check_outcome outcome = CHECK_PENDING;

	while (outcome == CHECK_PENDING) {
		size_t used = stream ? dialogue->n_input : 0;
		ssize_t n = receive_input(probe, used);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return CHECK_PENDING;
		if (n < 0)
			return outcome_of(probe, errno);
		dialogue->n_input = used + (size_t)n;
		outcome = dialogue_hear(dialogue, stream && n == 0);
		if (outcome == CHECK_PENDING)
			outcome = say(probe);
		if (outcome == CHECK_PENDING && dialogue->stage == DIALOGUE_HANDSHAKE)
			return secure(probe);
	}
	memcpy(probe->detail, dialogue->detail, sizeof(probe->detail));
	if (outcome == CHECK_GOOD)
		(void)say(probe);
	return outcome;
}

enum check_outcome probe_handle(struct probe *probe)
{
	if (probe->report.target.check->type == CONF_CHECK_EXEC)
		return command_handle(probe);
	if (!probe->connected)
		return finish_connect(probe);
	return probe->shaking ? shake(probe) : hear(probe);
}

void probe_end(struct probe *probe)
{
	if (probe->report.target.check->type == CONF_CHECK_EXEC)
		return command_end(probe);
	tls_session_free(probe->session);
	probe->session = NULL;
	probe->shaking = false;
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
	probe->connected = false;
	free(probe->dialogue);
	probe->dialogue = NULL;
}
