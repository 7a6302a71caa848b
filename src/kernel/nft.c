/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drover/nft.h"

#include "drover/message.h"
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

enum {
	EVENT_BUFFER_SIZE = 1024 * 1024,
	/* A verdict is a small message, but it is accounted as the buffer that holds it. */
	VERDICT_COST = 1024,
};

/* --- sockets ------------------------------------------------------------------ */

/* Beyond the system's limit where we may; up to it otherwise. */
static void size_buffer(int fd, int force, int plain, size_t size)
{
	int bytes = (int)size;

	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static int open_socket(struct mnl_socket **ret_socket)
{
	struct mnl_socket *opened = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

	if (!opened)
		return -errno;
	if (mnl_socket_bind(opened, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		mnl_socket_close(opened);
		return r;
	}
	*ret_socket = opened;
	return 0;
}

static int listen_to_events(struct nft *nft, bool on)
{
	int group = NFNLGRP_NFTABLES;

	if (mnl_socket_setsockopt(nft->events,
		    on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
		    sizeof(group)) < 0)
		return -errno;
	return 0;
}

int nft_open(struct nft **ret_nft)
{
	_cleanup_(nft_close_p) struct nft *nft = calloc(1, sizeof(*nft));
	int on = 1, r;

	if (!nft)
		return -ENOMEM;
	/* First, so that its number is the process's, by which nft names who owns a table. */
	r = open_socket(&nft->requests);
	if (r < 0)
		return r;
	r = open_socket(&nft->events);
	if (r < 0)
		return r;
	size_buffer(mnl_socket_get_fd(nft->events), SO_RCVBUFFORCE, SO_RCVBUF, EVENT_BUFFER_SIZE);
	r = listen_to_events(nft, true);
	if (r < 0)
		return r;
	/* Verdicts need not repeat the message, but should say why in words. */
	(void)mnl_socket_setsockopt(nft->requests, NETLINK_CAP_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nft->requests, NETLINK_EXT_ACK, &on, sizeof(on));
	nft->sequence = (uint32_t)time(NULL);
	*ret_nft = take_ptr(nft);
	return 0;
}

void nft_close(struct nft *nft)
{
	if (!nft)
		return;
	if (nft->requests)
		mnl_socket_close(nft->requests);
	if (nft->events)
		mnl_socket_close(nft->events);
	free(nft);
}

/* What is left of an answer that failed half-way must not be taken for the next one's. */
static void drain(struct nft *nft, char *buffer)
{
	ssize_t length;

	do {
		length = recv(
			mnl_socket_get_fd(nft->requests), buffer, NFT_BUFFER_SIZE, MSG_DONTWAIT);
	} while (length > 0 || (length < 0 && errno == EINTR));
}

int nft_request(struct nft *nft, struct nlmsghdr *header, mnl_cb_t callback, void *user_data)
{
	_cleanup_(free_p) char *buffer = malloc(NFT_BUFFER_SIZE);
	int r = MNL_CB_OK;

	if (!buffer)
		return -ENOMEM;
	header->nlmsg_seq = ++nft->sequence;
	if (mnl_socket_sendto(nft->requests, header, header->nlmsg_len) < 0)
		return -errno;
	while (r == MNL_CB_OK) {
		ssize_t length = mnl_socket_recvfrom(nft->requests, buffer, NFT_BUFFER_SIZE);

		if (length < 0)
			return -errno;
		r = mnl_cb_run(buffer, (size_t)length, nft->sequence,
			mnl_socket_get_portid(nft->requests), callback, user_data);
	}
	if (r < 0) {
		r = -errno;
		drain(nft, buffer);
	}
	return r < 0 ? r : 0;
}

/* --- commit -------------------------------------------------------------------- */

static int keep_reason(const struct nlattr *attribute, void *data)
{
	struct verdicts *verdicts = data;

	if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
		snprintf(verdicts->reason, sizeof(verdicts->reason), "%s",
			mnl_attr_get_str(attribute));
	return MNL_CB_OK;
}

void verdicts_take(struct verdicts *verdicts, const struct nlmsghdr *header)
{
	const struct nlmsgerr *verdict = mnl_nlmsg_get_payload(header);

	if (header->nlmsg_type != NLMSG_ERROR ||
		mnl_nlmsg_get_payload_len(header) < sizeof(*verdict))
		return;
	verdicts->n++;
	if (verdict->error == 0 || verdicts->error != 0)
		return;
	verdicts->error = verdict->error;
	verdicts->sequence = header->nlmsg_seq;
	if (header->nlmsg_flags & NLM_F_ACK_TLVS)
		(void)mnl_attr_parse(header, sizeof(*verdict), keep_reason, verdicts);
}

/*
 * The kernel works a batch off within sendmsg(), so that all verdicts are there
 * when it returns: none is waited for.
 */
static int read_verdicts(struct nft *nft, struct verdicts *verdicts)
{
	_cleanup_(free_p) char *buffer = malloc(NFT_BUFFER_SIZE);

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		struct nlmsghdr *header = (struct nlmsghdr *)buffer;
		ssize_t received = recv(
			mnl_socket_get_fd(nft->requests), buffer, NFT_BUFFER_SIZE, MSG_DONTWAIT);
		int length = (int)received;

		if (received < 0 && errno == EAGAIN)
			return 0;
		if (received < 0 && errno != EINTR)
			return -errno;
		for (; received > 0 && mnl_nlmsg_ok(header, length);
			header = mnl_nlmsg_next(header, &length))
			verdicts_take(verdicts, header);
	}
}

static int send_batch(struct nft *nft, struct batch *batch)
{
	_cleanup_(free_p) struct iovec *iovecs = NULL;
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr message = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	int fd = mnl_socket_get_fd(nft->requests);
	int n;

	n = batch_iovecs(batch, &iovecs);
	if (n < 0)
		return n;
	size_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, batch_size(batch) + NFT_BUFFER_SIZE);
	size_buffer(
		fd, SO_RCVBUFFORCE, SO_RCVBUF, batch_count(batch) * VERDICT_COST + NFT_BUFFER_SIZE);
	message.msg_iov = iovecs;
	message.msg_iovlen = (size_t)n;
	if (sendmsg(fd, &message, 0) < 0)
		return -errno;
	return 0;
}

static void explain(const struct batch *batch, const struct verdicts *verdicts, char **ret_message)
{
	const char *what = batch_what(batch, verdicts->sequence);

	if (!ret_message)
		return;
	if (asprintf(ret_message, "the kernel refused %s: %s%s%s", what ? what : "the batch",
		    strerror(-verdicts->error), verdicts->reason[0] ? ": " : "",
		    verdicts->reason) < 0)
		*ret_message = NULL;
}

static int take_generation(const struct nlmsghdr *header, void *data)
{
	const struct nlattr *attribute;
	uint32_t *generation = data;

	mnl_attr_for_each(attribute, header,
		sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attribute) == NFTA_GEN_ID &&
					     mnl_attr_validate(attribute, MNL_TYPE_U32) >=
						     0) *generation =
		ntohl(mnl_attr_get_u32(attribute));
	return MNL_CB_OK;
}

int nft_read_generation(struct nft *nft, uint32_t *ret_generation)
{
	char buffer[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *generic;

	header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	generic = mnl_nlmsg_put_extra_header(header, sizeof(*generic));
	*generic = (struct nfgenmsg){ .version = NFNETLINK_V0 };
	*ret_generation = 0;
	return nft_request(nft, header, take_generation, ret_generation);
}

static int exchange_batch(struct nft *nft, struct batch *batch, char **ret_message)
{
	struct verdicts verdicts = { .n = 0 };
	int r;

	r = batch_finish(batch);
	if (r == 0)
		r = send_batch(nft, batch);
	if (r == 0)
		r = read_verdicts(nft, &verdicts);
	if (r == 0 && verdicts.error == 0 && verdicts.n != batch_count(batch))
		r = -EBADMSG;
	if (r < 0) {
		verdicts.error = r;
		verdicts.sequence = 0;
	}
	if (verdicts.error != 0)
		explain(batch, &verdicts, ret_message);
	return verdicts.error;
}

int nft_settle(struct nft *nft)
{
	_cleanup_(batch_free_p) struct batch *batch = batch_new();

	if (!batch)
		return -ENOMEM;
	return exchange_batch(nft, batch, NULL);
}

/*
 * The kernel announces a commit element by element to whoever listens, which takes three
 * times as long as the commit itself. So we do not listen to our own, and see from
 * the generation whether anybody else's fell into that time.
 */
int nft_commit(struct nft *nft, struct batch *batch, char **ret_message)
{
	uint32_t before, after = 0;
	int r, error;

	if (batch_count(batch) == 0)
		return 0;
	r = nft_read_generation(nft, &before);
	if (r < 0)
		return r;
	(void)listen_to_events(nft, false);
	error = exchange_batch(nft, batch, ret_message);
	r = listen_to_events(nft, true);
	if (error < 0)
		return error;
	if (r == 0)
		r = nft_read_generation(nft, &after);
	return r < 0 || after != before + 1;
}

/* --- events ---------------------------------------------------------------------- */

/* The table's name is attribute 1 in messages about any kind of object. */
static int look_for_table(const struct nlattr *attribute, void *data)
{
	bool *changed = data;

	if (mnl_attr_get_type(attribute) == NFTA_TABLE_NAME &&
		mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0 &&
		strcmp(mnl_attr_get_str(attribute), RULESET_TABLE_NAME) == 0)
		*changed = true;
	return MNL_CB_OK;
}

int event_take(const struct nlmsghdr *header, void *data)
{
	const struct nfgenmsg *generic = mnl_nlmsg_get_payload(header);

	if (mnl_nlmsg_get_payload_len(header) < sizeof(*generic) ||
		header->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return MNL_CB_OK;
	if (generic->nfgen_family == message_family(RULESET_NETDEV) ||
		generic->nfgen_family == message_family(RULESET_IP6) ||
		generic->nfgen_family == message_family(RULESET_INET) ||
		generic->nfgen_family == message_family(RULESET_ARP))
		(void)mnl_attr_parse(header, sizeof(*generic), look_for_table, data);
	return MNL_CB_OK;
}

int nft_watch_fd(const struct nft *nft)
{
	return mnl_socket_get_fd(nft->events);
}

int nft_watch_dispatch(struct nft *nft)
{
	_cleanup_(free_p) char *buffer = malloc(NFT_BUFFER_SIZE);
	bool changed = false;

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t length = recv(nft_watch_fd(nft), buffer, NFT_BUFFER_SIZE, MSG_DONTWAIT);

		if (length < 0 && errno == EAGAIN)
			return changed;
		if (length < 0 && errno == ENOBUFS) {
			changed = true;
			continue;
		}
		if (length < 0 && errno != EINTR)
			return -errno;
		if (length > 0)
			(void)mnl_cb_run(buffer, (size_t)length, 0, 0, event_take, &changed);
	}
}
