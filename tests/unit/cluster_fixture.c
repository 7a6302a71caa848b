/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cluster_fixture.h"

struct conf *conf_of(const char *text)
{
	struct conf_errors errors;
	struct conf *conf = NULL;

	if (conf_parse("test.conf", text, &conf, &errors) < 0)
		fail_msg("%s\nin: %s", errors.n_messages ? errors.messages[0] : "?", text);
	conf_errors_done(&errors);
	return conf;
}

struct cluster *cluster_of(const char *text)
{
	struct cluster *cluster = cluster_new(conf_of(text));

	assert_non_null(cluster);
	return cluster;
}

struct cluster *active_cluster_of(const char *text)
{
	struct cluster *cluster = cluster_of(text);
	const struct conf *conf = cluster_conf(cluster);

	for (size_t i = 0; i < conf->n_groups; i++)
		if (cluster_is_balancer(cluster, &conf->groups[i]))
			assert_true(
				cluster_set_role(cluster, conf->groups[i].name, ROLE_ACTIVE) >= 0);
	return cluster;
}

struct plan *plan_of(const struct cluster *cluster, const struct plan_what_if *what_if)
{
	struct plan *plan = NULL;

	assert_int_equal(plan_build(cluster, what_if, NULL, &plan), 0);
	assert_non_null(plan);
	return plan;
}

struct plan *active_plan_of(const char *text, struct cluster **ret_cluster)
{
	*ret_cluster = active_cluster_of(text);
	return plan_of(*ret_cluster, NULL);
}

void take_down(struct cluster *cluster, const char *service, const char *member)
{
	const struct cluster_health down = { .down = true };

	assert_int_equal(cluster_set_health(cluster, "A", service, member, &down), 1);
	assert_true(cluster_decide_health(cluster));
}

struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

struct mac mac_of(const char *text)
{
	struct mac mac;

	assert_int_equal(mac_parse(text, &mac), 0);
	return mac;
}

const struct conf_member *member_of(const struct cluster *cluster, const char *name)
{
	const struct conf *conf = cluster_conf(cluster);

	for (size_t i = 0; i < conf->n_groups; i++) {
		const struct conf_member *member = conf_group_find_member(&conf->groups[i], name);

		if (member)
			return member;
	}
	fail_msg("no member %s", name);
	return NULL;
}

struct member_view view_of(const struct cluster *cluster, const char *name)
{
	return cluster_view(cluster, member_of(cluster, name));
}
