/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answering side. A client is either read from or written to: while its reply waits to be
 * taken it is not listened to, so a client that does not read costs one
 * reply of memory and nobody's time. Each turn of the loop answers one request of a client.
 */

#include "internal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

enum {
	CLIENTS_MAX = 64,
	/* Out of descriptors, accept() fails and stays ready: that must not spin. */
	ACCEPTS_PER_INTERVAL = 256,
	ACCEPT_INTERVAL_USEC = 100 * 1000,
};

struct client {
	struct client *next;
	struct control_server *server;
	sd_event_source *source;
	int fd;
	uint64_t last_turn; /* of the server's count: who was silent longest has the lowest */
	bool ended;         /* will send no more, or must not */
	uint64_t call;      /* its request is to be answered later; 0: none is */
	char *reply;
	size_t reply_size, sent;
	size_t n_received;
	char received[CONTROL_REQUEST_MAX + 1];
};

struct control_server {
	sd_event *event;
	sd_event_source *source;
	int fd;
	char *path;
	dev_t device; /* of the socket file, to know it again */
	ino_t inode;
	char *netns;
	control_handler_t handler;
	void *user_data;
	struct client *clients;
	size_t n_clients;
	uint64_t turn;
	struct client *asking; /* whose request the handler is at */
	uint64_t n_calls;
};

/* --- clients ------------------------------------------------------------- */

static void client_free(struct client *client)
{
	struct control_server *server = client->server;

	for (struct client **link = &server->clients; *link; link = &(*link)->next) {
		if (*link == client) {
			*link = client->next;
			server->n_clients--;
			break;
		}
	}
	sd_event_source_disable_unref(client->source);
	close(client->fd);
	free(client->reply);
	free(client);
}

static int client_listen_for(struct client *client, uint32_t events)
{
	return sd_event_source_set_io_events(client->source, events);
}

/* Makes a line the reply that is to be sent. Returns 0 or -errno. */
static int client_set_reply(struct client *client, json_t *reply)
{
	int r;

	if (!reply)
		return -ENOMEM;
	r = control_encode(reply, &client->reply, &client->reply_size);
	if (r < 0)
		return r;
	client->sent = 0;
	if (client->reply_size > CONTROL_REPLY_MAX) {
		_cleanup_(json_decref_p) json_t *error = control_reply_error(
			"the reply is longer than %d bytes", CONTROL_REPLY_MAX);

		free(take_ptr(client->reply));
		if (!error)
			return -ENOMEM;
		r = control_encode(error, &client->reply, &client->reply_size);
		if (r < 0)
			return r;
	}
	return client_listen_for(client, EPOLLOUT);
}

static int client_answer(struct client *client, const char *line, size_t size)
{
	struct control_server *server = client->server;
	_cleanup_(json_decref_p) json_t *request = NULL;
	_cleanup_(json_decref_p) json_t *reply = NULL;

	request = control_decode(line, size, server->netns, &reply);
	if (request) {
		server->asking = client;
		reply = server->handler(request, server->user_data);
		server->asking = NULL;
	}
	/* Until it is answered only its end is of interest, which is always reported. */
	if (client->call)
		return client_listen_for(client, 0);
	return client_set_reply(client, reply);
}

static void client_consume(struct client *client, size_t size)
{
	client->n_received -= size;
	memmove(client->received, client->received + size, client->n_received);
}

/* Answers the next request that is complete. Returns 0, or -errno to end the client. */
static int client_take_turn(struct client *client)
{
	char *newline = memchr(client->received, '\n', client->n_received);
	size_t size = newline ? (size_t)(newline - client->received) : client->n_received;
	int r;

	if (!newline && client->n_received == sizeof(client->received)) {
		/* Where its next line would begin cannot be told any more. */
		client->ended = true;
	} else if (!newline && client->ended) {
		/* "printf | nc" forgets the newline; its end is as good. */
		if (size == 0)
			return -ECONNRESET;
	} else if (!newline) {
		return client_listen_for(client, EPOLLIN);
	}
	r = client_answer(client, client->received, size);
	client_consume(client, newline ? size + 1 : size);
	return r;
}

static int client_receive(struct client *client)
{
	ssize_t n = recv(client->fd, client->received + client->n_received,
		sizeof(client->received) - client->n_received, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		client->ended = true;
	client->n_received += (size_t)n;
	return client_take_turn(client);
}

static int client_send(struct client *client)
{
	ssize_t n = send(client->fd, client->reply + client->sent,
		client->reply_size - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->sent += (size_t)n;
	if (client->sent < client->reply_size)
		return 0;
	free(take_ptr(client->reply));
	return client_take_turn(client);
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct client *client = user_data;
	int r;

	(void)source;
	(void)fd;
	(void)events;
	client->last_turn = ++client->server->turn;
	if (client->call)
		r = -ECONNRESET;
	else
		r = client->reply ? client_send(client) : client_receive(client);
	if (r < 0)
		client_free(client);
	return 0;
}

/* --- answers that come later ------------------------------------------------ */

uint64_t control_server_defer(struct control_server *server)
{
	server->asking->call = ++server->n_calls;
	return server->n_calls;
}

void control_server_answer(struct control_server *server, uint64_t call, json_t *reply)
{
	_cleanup_(json_decref_p) json_t *owned = reply;

	for (struct client *client = server->clients; client; client = client->next) {
		if (client->call != call)
			continue;
		client->call = 0;
		if (client_set_reply(client, owned) < 0)
			client_free(client);
		return;
	}
}

/* --- the server ---------------------------------------------------------- */

/* Many silent connections must not lock the operator out: the longest silent one goes. */
static void evict_client(struct control_server *server)
{
	struct client *oldest = server->clients;

	for (struct client *client = server->clients; client; client = client->next)
		if (client->last_turn < oldest->last_turn)
			oldest = client;
	if (oldest)
		client_free(oldest);
}

/* Takes the descriptor. */
static int client_new(struct control_server *server, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client) {
		close(fd);
		return -ENOMEM;
	}
	client->server = server;
	client->fd = fd;
	client->last_turn = ++server->turn;
	client->next = server->clients;
	server->clients = client;
	server->n_clients++;
	r = sd_event_add_io(server->event, &client->source, fd, EPOLLIN, on_client, client);
	if (r < 0)
		client_free(client);
	return r;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *user_data)
{
	struct control_server *server = user_data;
	int client_fd;

	(void)source;
	(void)events;
	client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (client_fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			evict_client(server);
		return 0;
	}
	if (server->n_clients >= CLIENTS_MAX)
		evict_client(server);
	/* A client that finds no memory sees its connection end. */
	(void)client_new(server, client_fd);
	return 0;
}

static int server_listen(struct control_server *server)
{
	struct stat status;
	int r;

	server->fd = control_listen(server->path);
	if (server->fd < 0)
		return server->fd;
	if (lstat(server->path, &status) < 0)
		return -errno;
	server->device = status.st_dev;
	server->inode = status.st_ino;
	r = sd_event_add_io(
		server->event, &server->source, server->fd, EPOLLIN, on_connection, server);
	if (r < 0)
		return r;
	return sd_event_source_set_ratelimit(
		server->source, ACCEPT_INTERVAL_USEC, ACCEPTS_PER_INTERVAL);
}

int control_server_new(struct sd_event *event, const char *socket_path, control_handler_t handler,
	void *user_data, struct control_server **ret_server)
{
	_cleanup_(control_server_free_p) struct control_server *server = NULL;
	int r;

	server = calloc(1, sizeof(*server));
	if (!server)
		return -ENOMEM;
	server->fd = -1;
	server->event = sd_event_ref(event);
	server->handler = handler;
	server->user_data = user_data;
	server->path = strdup(socket_path);
	if (!server->path)
		return -ENOMEM;
	server->netns = control_netns();
	if (!server->netns)
		return -errno;
	r = server_listen(server);
	if (r < 0)
		return r;
	*ret_server = take_ptr(server);
	return 0;
}

/* Whoever took the path over meanwhile keeps it. */
static void remove_socket_file(const struct control_server *server)
{
	struct stat status;

	if (server->inode && lstat(server->path, &status) == 0 && status.st_dev == server->device &&
		status.st_ino == server->inode)
		(void)unlink(server->path);
}

void control_server_free(struct control_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	remove_socket_file(server);
	sd_event_source_disable_unref(server->source);
	sd_event_unref(server->event);
	if (server->fd >= 0)
		close(server->fd);
	free(server->path);
	free(server->netns);
	free(server);
}
