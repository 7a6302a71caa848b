/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* After a failure to open: whoever is refused at once must not try at once again. */
static const uint64_t REOPEN = 100 * NSEC_PER_MSEC;

const char *flow_break_name(enum flow_break why)
{
	static const char *const names[] = {
		[FLOW_UNOPENED] = "unopened",
		[FLOW_RESET] = "reset",
		[FLOW_ENDED] = "ended",
		[FLOW_WRONG] = "wrong answer",
		[FLOW_MOVED] = "moved",
		[FLOW_SILENT] = "silent",
	};

	return names[why];
}

void flow_init(struct flow *flow, const struct flow_target *target, uint16_t port, uint64_t due)
{
	*flow = (struct flow){
		.target = target,
		.port = port,
		.fd = -1,
		.due = due,
	};
}

static uint64_t random_up_to(uint64_t most)
{
	return (uint64_t)((double)most * drand48());
}

static void close_flow(struct flow *flow, uint64_t due)
{
	if (flow->fd >= 0)
		close(flow->fd);
	flow_init(flow, flow->target, flow->port, due);
}

static void break_flow(
	struct flow_context *context, struct flow *flow, enum flow_break why, int error)
{
	context->ops.broken(flow, why, error, context->ops.user_data);
	close_flow(flow, context->now + (why == FLOW_UNOPENED ? REOPEN : 0));
}

static void end_flow(struct flow_context *context, struct flow *flow)
{
	context->ops.ended(flow, context->ops.user_data);
	close_flow(flow, context->now);
}

static bool bind_port(const struct flow *flow)
{
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(flow->port) };
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(flow->port) };
	int on = 1;

	if (flow->target->address.ss_family == AF_INET6)
		return setsockopt(flow->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0 &&
		       bind(flow->fd, (struct sockaddr *)&any6, sizeof(any6)) == 0;
	return bind(flow->fd, (struct sockaddr *)&any, sizeof(any)) == 0;
}

/* Returns false, with errno, if there is no socket, or none that could reach the target. */
static bool open_socket(struct flow_context *context, struct flow *flow)
{
	const struct flow_target *target = flow->target;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = flow };
	int on = 1;

	flow->fd = socket(target->address.ss_family,
		(target->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (flow->fd < 0)
		return false;
	if (target->tcp) {
		event.events = EPOLLOUT;
		if (setsockopt(flow->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
			return false;
	}
	if (flow->port && !bind_port(flow))
		return false;
	if (connect(flow->fd, (const struct sockaddr *)&target->address, target->address_length) <
			0 &&
		errno != EINPROGRESS)
		return false;
	return epoll_ctl(context->epoll, EPOLL_CTL_ADD, flow->fd, &event) == 0;
}

static void open_flow(struct flow_context *context, struct flow *flow)
{
	const struct flow_pace *pace = &context->pace;

	flow->born = context->now;
	if (!open_socket(context, flow)) {
		break_flow(context, flow, FLOW_UNOPENED, errno);
		return;
	}
	if (flow->target->tcp) {
		flow->state = FLOW_OPENING;
		if (pace->life)
			flow->ends = context->now + random_up_to(2 * pace->life);
	} else {
		flow->state = FLOW_PAUSING;
		flow->due = context->now + random_up_to(pace->pause);
	}
}

/* A datagram that the kernel refuses to send, or has a complaint about, is one that was lost. */
static void ask(struct flow_context *context, struct flow *flow)
{
	char question[FLOW_ANSWER_MAX];
	int length = snprintf(
		question, sizeof(question), "%llu\n", (unsigned long long)++flow->number);

	if (flow->state != FLOW_WAITING)
		flow->asked = context->now;
	flow->state = FLOW_WAITING;
	flow->due = context->now + context->pace.retry;
	if (send(flow->fd, question, (size_t)length, MSG_NOSIGNAL) != length && flow->target->tcp)
		break_flow(context, flow, FLOW_RESET, errno);
}

static void opened(struct flow_context *context, struct flow *flow)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = flow };
	int error = 0;
	socklen_t length = sizeof(error);

	if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (!error && epoll_ctl(context->epoll, EPOLL_CTL_MOD, flow->fd, &event) < 0)
		error = errno;
	if (error) {
		break_flow(context, flow, FLOW_UNOPENED, error);
		return;
	}
	flow->state = FLOW_PAUSING;
	ask(context, flow);
}

static bool is_over(const struct flow *flow, uint64_t now)
{
	return flow->ends && now >= flow->ends;
}

/*
 * The flow is silent. One of UDP has nothing to close: it is said that it broke, and it goes on
 * asking, without an owner.
 */
static void give_up(struct flow_context *context, struct flow *flow)
{
	if (flow->target->tcp) {
		break_flow(context, flow, FLOW_SILENT, 0);
		return;
	}
	if (!flow->given_up)
		context->ops.broken(flow, FLOW_SILENT, 0, context->ops.user_data);
	flow->given_up = true;
	flow->member[0] = '\0';
	flow->asked = context->now;
}

void flow_tick(struct flow_context *context, struct flow *flow)
{
	uint64_t now = context->now;

	switch (flow->state) {
	case FLOW_CLOSED:
		if (now >= flow->due)
			open_flow(context, flow);
		break;
	case FLOW_OPENING:
		if (now - flow->born > context->pace.patience)
			break_flow(context, flow, FLOW_UNOPENED, ETIMEDOUT);
		break;
	case FLOW_WAITING:
		if (now - flow->asked > context->pace.patience)
			give_up(context, flow);
		else if (!flow->target->tcp && now >= flow->due)
			ask(context, flow);
		break;
	case FLOW_PAUSING:
		if (is_over(flow, now))
			end_flow(context, flow);
		else if (now >= flow->due)
			ask(context, flow);
		break;
	}
}

static void answered(struct flow_context *context, struct flow *flow)
{
	uint64_t pause = context->pace.pause;

	flow->answers++;
	flow->given_up = false;
	if (flow->asked >= flow->rounds_since)
		flow->rounds++;
	context->ops.answered(flow, context->now - flow->asked, context->ops.user_data);
	flow->state = FLOW_PAUSING;
	flow->due = context->now + pause - pause / 4 + random_up_to(pause / 2);
	if (flow->target->once)
		end_flow(context, flow);
}

/* Another member than before: a connection is lost with that, a flow of UDP has a new owner. */
static bool moved(struct flow_context *context, struct flow *flow, const char *member)
{
	bool is_other = flow->member[0] && strcmp(flow->member, member) != 0;

	if (is_other)
		context->ops.broken(flow, FLOW_MOVED, 0, context->ops.user_data);
	snprintf(flow->member, sizeof(flow->member), "%s", member);
	return is_other && flow->target->tcp;
}

/* A whole line has come. An answer to an earlier datagram is one from its member all the same. */
static void take_answer(struct flow_context *context, struct flow *flow)
{
	char member[FLOW_MEMBER_MAX];
	unsigned long long number;

	flow->answer[flow->answer_length] = '\0';
	flow->answer_length = 0;
	if (sscanf(flow->answer, "%31s %llu", member, &number) != 2 || number > flow->number ||
		(flow->target->tcp && number != flow->number)) {
		break_flow(context, flow, FLOW_WRONG, 0);
		return;
	}
	if (moved(context, flow, member))
		close_flow(flow, context->now);
	else if (flow->state == FLOW_WAITING && number == flow->number)
		answered(context, flow);
}

static bool receive(struct flow_context *context, struct flow *flow)
{
	size_t room = sizeof(flow->answer) - 1 - flow->answer_length;
	ssize_t length = recv(flow->fd, flow->answer + flow->answer_length, room, 0);

	if (length <= 0 && !flow->target->tcp)
		return false;
	if (length < 0 && errno == EAGAIN)
		return false;
	if (length < 0) {
		break_flow(context, flow, FLOW_RESET, errno);
		return false;
	}
	if (length == 0) {
		break_flow(context, flow, FLOW_ENDED, 0);
		return false;
	}
	flow->answer_length += (size_t)length;
	return true;
}

void flow_ready(struct flow_context *context, struct flow *flow)
{
	if (flow->state == FLOW_CLOSED)
		return;
	if (flow->state == FLOW_OPENING) {
		opened(context, flow);
		return;
	}
	if (!receive(context, flow))
		return;
	if (flow->answer[flow->answer_length - 1] == '\n')
		take_answer(context, flow);
	else if (flow->answer_length == sizeof(flow->answer) - 1)
		break_flow(context, flow, FLOW_WRONG, 0);
}

void flow_bury(struct flow_context *context, struct flow *flow)
{
	if (flow->target->tcp) {
		close_flow(flow, context->now);
		return;
	}
	flow->member[0] = '\0';
	flow->asked = context->now;
}

uint64_t flow_waited(const struct flow *flow, uint64_t now)
{
	return flow->state == FLOW_WAITING ? now - flow->asked : 0;
}
