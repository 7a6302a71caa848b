/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A client's flow to an echo server: it asks, checks the answer, pauses, and asks again, until it
 * has lived long enough, or breaks. What it tells of itself goes to struct flow_ops.
 *
 * A question is "NUMBER\n", counted from 1 in each flow; the answer is "NAME NUMBER\n" with the
 * name of the member that gave it (lab/echo.py, tests/chaos/echo.c). Times are of CLOCK_MONOTONIC,
 * in nanoseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	FLOW_MEMBER_MAX = 32,
	FLOW_ANSWER_MAX = 64,
};

#define NSEC_PER_MSEC 1000000ULL

enum flow_state {
	FLOW_CLOSED,
	FLOW_OPENING, /* a TCP connection that is not there yet */
	FLOW_WAITING, /* for an answer */
	FLOW_PAUSING,
};

enum flow_break {
	FLOW_UNOPENED, /* it never was one */
	FLOW_RESET,
	FLOW_ENDED, /* by the other side */
	FLOW_WRONG, /* not the answer to the question */
	FLOW_MOVED, /* another member answered than before */
	FLOW_SILENT,
};

/* Where flows go. */
struct flow_target {
	const char *name;
	bool tcp;
	bool once; /* a flow ends with its first answer */
	struct sockaddr_storage address;
	socklen_t address_length;
};

struct flow_pace {
	uint64_t pause;    /* between an answer and the next question, a quarter more or less */
	uint64_t retry;    /* after which a datagram is asked again */
	uint64_t patience; /* without an answer a flow is broken */
	uint64_t life;     /* of a TCP flow, on average; 0: without end */
};

struct flow {
	const struct flow_target *target;
	uint16_t port; /* UDP: the client's, host order */
	int fd;
	enum flow_state state;
	uint64_t born;         /* when it was begun to open */
	uint64_t asked;        /* when the question was put that waits for its answer */
	uint64_t due;          /* CLOSED: open, PAUSING: ask, WAITING: ask the datagram again */
	uint64_t ends;         /* 0: never */
	uint64_t number;       /* of the last question */
	uint64_t answers;      /* so far */
	bool given_up;         /* of UDP: it is silent, and that was said */
	unsigned int rounds;   /* answers to questions since somebody set this to 0 */
	uint64_t rounds_since; /* when that was */
	char member[FLOW_MEMBER_MAX]; /* that has answered; empty: none yet */
	char answer[FLOW_ANSWER_MAX]; /* the part of a line that has come */
	size_t answer_length;
};

struct flow_ops {
	/* The flow is broken; it closes then, unless it is of UDP and goes on. */
	void (*broken)(const struct flow *flow, enum flow_break why, int error, void *user_data);
	/* An answer has come, so long after its question. */
	void (*answered)(const struct flow *flow, uint64_t took, void *user_data);
	/* It has ended as it should. */
	void (*ended)(const struct flow *flow, void *user_data);
	void *user_data;
};

/* What all flows of a program share. */
struct flow_context {
	int epoll; /* flows register here, as data.ptr */
	uint64_t now;
	struct flow_pace pace;
	struct flow_ops ops;
};

const char *flow_break_name(enum flow_break why);

/* A flow that opens at the time due. */
void flow_init(struct flow *flow, const struct flow_target *target, uint16_t port, uint64_t due);

/* Opens, asks, asks again or gives up, whatever is due by now. */
void flow_tick(struct flow_context *context, struct flow *flow);

/* Its socket has something: epoll said so. */
void flow_ready(struct flow_context *context, struct flow *flow);

/* Its member is dead: a TCP flow ends, one of UDP may go to another member, and that is no harm. */
void flow_bury(struct flow_context *context, struct flow *flow);

/* How long the present question is without an answer; 0 if there is none. */
uint64_t flow_waited(const struct flow *flow, uint64_t now);
