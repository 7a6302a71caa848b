/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket: asking over it, and its place in the file system. */
#include "control_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* --- tests: asking ------------------------------------------------------------ */

static void test_ask(void **state)
{
	_cleanup_(json_decref_p) json_t *request = NULL, *reply = NULL;
	const json_t *echo;
	struct fixture *f = *state;

	request = json_pack("{s:s, s:s, s:i}", "command", "echo", "member", "fe5", "weight", 7);
	assert_int_equal(control_ask(f->path, request, PATIENCE_MS, &reply), 0);
	echo = json_object_get(reply, "request");
	assert_string_equal(json_string_value(json_object_get(echo, "member")), "fe5");
	assert_int_equal(json_integer_value(json_object_get(echo, "weight")), 7);
	/* The namespace was added on the way, not to the caller's object. */
	assert_non_null(json_object_get(echo, "netns"));
	assert_null(json_object_get(request, "netns"));
}

static void test_ask_gets_errors(void **state)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	struct fixture *f = *state;

	assert_int_equal(ask(f, "dance", &reply), 0);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_string_equal(
		json_string_value(json_object_get(reply, "error")), "unknown command \"dance\"");
}

static void test_ask_without_an_answer(void **state)
{
	json_t *untouched = NULL;
	struct fixture *f = *state;

	assert_int_equal(ask(f, "nothing", &untouched), -ECONNRESET);
	assert_null(untouched);
	expect_alive(f);
}

static void tell(const struct fixture *f, const char *command)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;

	assert_int_equal(ask(f, command, &reply), 0);
	assert_true(json_is_true(json_object_get(reply, "ok")));
}

/* Who waits for its answer holds up nobody, and its next request waits with it. */
static void test_answers_that_come_later(void **state)
{
	_cleanup_(free_p) char *later = make_request("later"), *echo = make_request("echo");
	_cleanup_(json_decref_p) json_t *first = NULL, *second = NULL;
	struct fixture *f = *state;
	_cleanup_(close_p) int fd = connect_raw(f);

	send_text(fd, later);
	send_text(fd, echo);
	expect_alive(f);
	assert_false(is_readable_within(fd, 0));
	tell(f, "now");
	first = receive_reply(fd);
	assert_true(json_is_true(json_object_get(first, "late")));
	second = receive_reply(fd);
	assert_non_null(json_object_get(second, "request"));
}

static void test_nobody_waits_any_more(void **state)
{
	_cleanup_(free_p) char *later = make_request("later");
	struct fixture *f = *state;
	int fd = connect_raw(f);

	send_text(fd, later);
	expect_alive(f);
	close(fd);
	tell(f, "now");
	tell(f, "now");
}

static void test_ask_big_reply(void **state)
{
	_cleanup_(json_decref_p) json_t *reply = NULL;
	struct fixture *f = *state;

	assert_int_equal(ask(f, "big", &reply), 0);
	assert_int_equal(json_string_length(json_object_get(reply, "text")), BIG_REPLY);
}

static void test_ask_nobody(void **state)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s}", "command", "echo");
	struct fixture *f = *state;
	char long_path[200];
	json_t *untouched = NULL;

	(void)f;
	memset(long_path, 'a', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(control_ask("/nonexistent/socket", request, 1000, &untouched), -ENOENT);
	assert_int_equal(control_ask("/dev/null", request, 1000, &untouched), -ECONNREFUSED);
	assert_int_equal(control_ask(long_path, request, 1000, &untouched), -ENAMETOOLONG);
	assert_null(untouched);
}

/* Listens as a daemon that is stuck would, or answers with the text given. */
static void ask_impostor(const char *directory, const char *text, int expected)
{
	_cleanup_(json_decref_p) json_t *request = json_pack("{s:s}", "command", "echo");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	json_t *untouched = NULL;
	pid_t child = -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/impostor", directory);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	if (text) {
		child = fork();
		assert_true(child >= 0);
	}
	if (child == 0) {
		char request_line[256];
		int client = accept(fd, NULL, NULL);

		(void)!recv(client, request_line, sizeof(request_line), 0);
		_exit(send(client, text, strlen(text), MSG_NOSIGNAL) < 0);
	}
	assert_int_equal(
		control_ask(address.sun_path, request, text ? PATIENCE_MS : 100, &untouched),
		expected);
	assert_null(untouched);
	if (child > 0)
		assert_int_equal(waitpid(child, NULL, 0), child);
	close(fd);
	assert_int_equal(unlink(address.sun_path), 0);
}

static void test_ask_a_bad_daemon(void **state)
{
	struct fixture *f = *state;

	ask_impostor(f->directory, NULL, -ETIMEDOUT);
	ask_impostor(f->directory, "no JSON at all\n", -EBADMSG);
	ask_impostor(f->directory, "[true]\n", -EBADMSG);
	ask_impostor(f->directory, "{\"fine\": true}\n", -EBADMSG);
	ask_impostor(f->directory, "{\"ok\": tr", -EBADMSG);
}

/* --- tests: the socket file --------------------------------------------------------- */

static void test_mode(void **state)
{
	struct fixture *f = *state;
	struct stat status;

	assert_int_equal(stat(f->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
}

static void test_second_daemon(void **state)
{
	struct fixture *f = *state;
	struct control_server *second = NULL;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;

	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(control_server_new(event, f->path, answer, f, &second), -EADDRINUSE);
	assert_null(second);
	expect_alive(f);
}

static void test_stale_socket_file(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control_server *server = NULL;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;

	/* What a daemon that was killed leaves. */
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/stale", f->directory);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(control_server_new(event, address.sun_path, answer, f, &server), 0);
	control_server_free(server);
	assert_int_equal(access(address.sun_path, F_OK), -1);
}

static void test_other_file_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct control_server *server = NULL;
	char path[128];
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;

	snprintf(path, sizeof(path), "%s/precious", f->directory);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(control_server_new(event, path, answer, f, &server), -EEXIST);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
		control_server_new(event, "/nonexistent/socket", answer, f, &server), -ENOENT);
	assert_null(server);
}

/* A daemon that lost its path to another does not take the other's file along. */
static void test_successors_file_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct control_server *first = NULL, *second = NULL;
	char path[128];
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;

	snprintf(path, sizeof(path), "%s/passed-on", f->directory);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(control_server_new(event, path, answer, f, &first), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(control_server_new(event, path, answer, f, &second), 0);
	control_server_free(first);
	assert_int_equal(access(path, F_OK), 0);
	control_server_free(second);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_reply_helpers(void **state)
{
	_cleanup_(json_decref_p) json_t *ok = control_reply_ok();
	_cleanup_(json_decref_p) json_t *error = control_reply_error("%s \xff %d", "n\xc3\xb6", 5);

	(void)state;
	assert_true(json_is_true(json_object_get(ok, "ok")));
	assert_true(json_is_false(json_object_get(error, "ok")));
	assert_string_equal(json_string_value(json_object_get(error, "error")), "n?? ? 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		control_test(test_ask),
		control_test(test_ask_gets_errors),
		control_test(test_ask_without_an_answer),
		control_test(test_answers_that_come_later),
		control_test(test_nobody_waits_any_more),
		control_test(test_ask_big_reply),
		control_test(test_ask_nobody),
		control_test(test_ask_a_bad_daemon),
		control_test(test_mode),
		control_test(test_second_daemon),
		control_test(test_stale_socket_file),
		control_test(test_other_file_is_left_alone),
		control_test(test_successors_file_is_left_alone),
		cmocka_unit_test(test_reply_helpers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
