/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One probe: what it is, and how it asks. checks.c says when. */

#include "dialogue.h"
#include "tls.h"

#include <sys/types.h>

/* Which of the member's addresses is asked. */
enum probe_half {
	HALF_ONLY, /* its own, and no other */
	HALF_VIP,
	HALF_OWN, /* its own, because the VIP was asked in vain */
};

/* A verdict that is not explained yet. */
struct probe_change {
	bool pending;
	enum check_verdict before;
	uint64_t before_us;
};

struct probe {
	struct probe *next;
	char *key; /* what is asked of whom: the same for the same */
	bool wanted;
	struct check_report report;
	uint64_t due_us;               /* when it asks next; in the past while it is asking */
	uint64_t began_us;             /* the one that is under way */
	uint64_t deadline_us;          /* of that; 0: none is */
	char detail[CHECK_DETAIL_MAX]; /* of that */
	uint16_t number;
	enum probe_half half;
	size_t turn;            /* of target.vips, who is asked next, or is being asked */
	struct check_vip asked; /* by the one that is under way; AF_UNSPEC: no VIP */
	size_t n_answered;      /* VIPs in a row, as far as all of them */
	struct probe_change change;
	int epoll_fd;
	int fd;    /* a socket, or the pidfd of the command; -1: none */
	pid_t pid; /* of a command that has not been reaped; its deadline may be over */
	bool connected;
	struct tls_trust *trust;     /* that of all */
	struct tls_session *session; /* NULL: it goes without TLS, or does not go yet */
	bool shaking;                /* the handshake of that is under way */
	struct dialogue *dialogue;   /* NULL: none is under way */
};

/* Begins to ask. Returns the outcome if it is known already, else CHECK_PENDING. */
enum check_outcome probe_begin(struct probe *probe);

/* Its descriptor has events. The same. */
enum check_outcome probe_handle(struct probe *probe);

/* Its time is over, or its outcome is known: closes what is open. */
void probe_end(struct probe *probe);

/* command.c: the same for exec. */
enum check_outcome command_begin(struct probe *probe);
enum check_outcome command_handle(struct probe *probe);
void command_end(struct probe *probe);
