/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control server: what clients may do to it. */
#include "control_fixture.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void test_malformed_requests(void **state)
{
	static const char with_nul[] = "{\"command\": \"a\0\"}\n";
	struct fixture *f = *state;
	int fd = connect_raw(f);

	send_text(fd, "\n");
	expect_refusal(fd, "no JSON");
	send_text(fd, "{\"command\": \n");
	expect_refusal(fd, "no JSON");
	send_text(fd, "[\"command\"]\n");
	expect_refusal(fd, "string \"command\"");
	send_text(fd, "{\"command\": 5}\n");
	expect_refusal(fd, "string \"command\"");
	send_text(fd, "{\"command\": \"a\", \"command\": \"b\"}\n");
	expect_refusal(fd, "duplicate");
	send_raw(fd, with_nul, sizeof(with_nul) - 1);
	expect_refusal(fd, "no JSON");
	send_text(fd, "{\"\xff\xfe\": 1}\n");
	expect_refusal(fd, "no JSON");
	/* One connection survives all of it. */
	_cleanup_(free_p) char *line = make_request("echo");
	send_text(fd, line);
	json_decref(receive_reply(fd));
	close(fd);
}

static void test_deep_nesting(void **state)
{
	struct fixture *f = *state;
	char line[CONTROL_REQUEST_MAX];
	int fd = connect_raw(f);

	memset(line, '[', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	send_raw(fd, line, sizeof(line));
	expect_refusal(fd, "no JSON");
	close(fd);
}

static void test_oversized_request(void **state)
{
	struct fixture *f = *state;
	char line[CONTROL_REQUEST_MAX + 1];
	int fd = connect_raw(f);

	memset(line, ' ', sizeof(line));
	send_raw(fd, line, sizeof(line));
	expect_refusal(fd, "longer than");
	expect_end(fd);
	close(fd);
	expect_alive(f);
}

static void test_largest_request(void **state)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	_cleanup_(free_p) char *request = make_request("echo");
	struct fixture *f = *state;
	char line[CONTROL_REQUEST_MAX + 1];
	int fd = connect_raw(f);

	memset(line, ' ', sizeof(line));
	memcpy(line, request, strlen(request) - 1);
	line[sizeof(line) - 1] = '\n';
	send_raw(fd, line, sizeof(line));
	reply = receive_reply(fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	close(fd);
}

static void test_request_in_pieces(void **state)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	_cleanup_(free_p) char *line = make_request("echo");
	struct fixture *f = *state;
	int fd = connect_raw(f);

	for (size_t i = 0; line[i]; i++) {
		assert_false(is_readable_within(fd, 0));
		send_raw(fd, &line[i], 1);
	}
	reply = receive_reply(fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	close(fd);
}

static void test_several_requests_at_once(void **state)
{
	_cleanup_(free_p) char *line = make_request("echo");
	struct fixture *f = *state;
	char lines[4096] = "";
	int fd = connect_raw(f);

	for (size_t i = 0; i < 20; i++)
		strcat(lines, line);
	send_text(fd, lines);
	for (size_t i = 0; i < 20; i++) {
		_cleanup_(json_decref_p) json_t *reply = receive_reply(fd);

		assert_true(json_is_true(json_object_get(reply, "ok")));
	}
	assert_false(is_readable_within(fd, 0));
	close(fd);
}

static void test_half_a_line(void **state)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	_cleanup_(free_p) char *line = make_request("echo");
	struct fixture *f = *state;
	int fd = connect_raw(f);

	/* Gone in the middle. */
	send_raw(fd, line, 10);
	close(fd);
	/* A broken line and the end. */
	fd = connect_raw(f);
	send_raw(fd, line, 10);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	expect_refusal(fd, "no JSON");
	expect_end(fd);
	close(fd);
	/* Only the newline is missing. */
	fd = connect_raw(f);
	send_raw(fd, line, strlen(line) - 1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	reply = receive_reply(fd);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	expect_end(fd);
	close(fd);
}

static void test_foreign_namespace(void **state)
{
	struct fixture *f = *state;
	int fd = connect_raw(f);
	struct stat status;
	char part[128];

	assert_int_equal(stat("/proc/self/ns/net", &status), 0);
	snprintf(part, sizeof(part),
		"this daemon serves another network namespace (net:[%ju]); run droverctl there",
		(uintmax_t)status.st_ino);
	send_text(fd, "{\"command\": \"echo\", \"netns\": \"4:1\"}\n");
	expect_refusal(fd, part);
	send_text(fd, "{\"command\": \"echo\", \"netns\": 4}\n");
	expect_refusal(fd, "does not name its network namespace");
	send_text(fd, "{\"command\": \"echo\"}\n");
	expect_refusal(fd, "does not name its network namespace");
	close(fd);
}

/* control_ask() from another namespace, as droverctl would. */
static void test_ask_from_another_namespace(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		json_t *request = json_pack("{s:s}", "command", "echo"), *reply = NULL;

		/* Unprivileged users need a user namespace around it. */
		if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
			_exit(2);
		if (control_ask(f->path, request, PATIENCE_MS, &reply) < 0)
			_exit(3);
		_exit(json_is_false(json_object_get(reply, "ok")) ? 0 : 4);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_client_that_never_reads(void **state)
{
	_cleanup_(free_p) char *line = make_request("big");
	struct fixture *f = *state;
	int fds[8];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = connect_raw(f);
		send_text(fds[i], line);
		send_text(fds[i], line);
	}
	expect_alive(f);
	/* One reads at last and gets both replies whole. */
	for (size_t i = 0; i < 2; i++) {
		_cleanup_(json_decref_p) json_t *reply = receive_reply(fds[0]);

		assert_int_equal(json_string_length(json_object_get(reply, "text")), BIG_REPLY);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	expect_alive(f);
}

static void test_many_clients(void **state)
{
	_cleanup_(free_p) char *line = make_request("echo");
	struct fixture *f = *state;
	int fds[200], first;

	/* Silent ones do not lock the operator out. */
	first = connect_raw(f);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_raw(f);
	expect_alive(f);
	/* The first had to make room, the last is still there. */
	expect_end(first);
	send_text(fds[ARRAY_SIZE(fds) - 1], line);
	json_decref(receive_reply(fds[ARRAY_SIZE(fds) - 1]));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(first);
	expect_alive(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		control_test(test_malformed_requests),
		control_test(test_deep_nesting),
		control_test(test_oversized_request),
		control_test(test_largest_request),
		control_test(test_request_in_pieces),
		control_test(test_several_requests_at_once),
		control_test(test_half_a_line),
		control_test(test_foreign_namespace),
		control_test(test_ask_from_another_namespace),
		control_test(test_client_that_never_reads),
		control_test(test_many_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
