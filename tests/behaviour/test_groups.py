"""Several groups on one host: each has its own duty."""

import pytest


@pytest.fixture(name="node")
def node_of_three_groups(make_lab):
    """fe5 is a balancer of A and C, and only a member of B."""
    lab = make_lab(["fe5", "fe6"])
    services = [{"name": "web", "protocol": "tcp", "ports": "80"}]
    groups = [
        lab.group(balancers=balancers, services=services, name=name, vips=[vip])
        for name, vip, balancers in (("A", "192.0.2.100", ["fe5", "fe6"]),
                                     ("B", "192.0.2.101", ["fe6"]),
                                     ("C", "192.0.2.102", ["fe5", "fe6"]))
    ]
    lab["fe5"].write_conf({"groups": groups})
    lab["fe5"].start_droverd()
    return lab["fe5"]


def roles(node):
    return {group["name"]: group["role"] for group in node.ctl("status")["groups"]}


def test_without_a_name_all_groups_of_this_balancer_are_meant(node):
    assert [group["name"] for group in node.ctl("activate")["groups"]] == ["A", "C"]
    assert roles(node) == {"A": "active", "B": "member", "C": "active"}
    assert node.has_address("192.0.2.100") and not node.has_address("192.0.2.101")


def test_one_group_is_given_up_without_the_others(node):
    node.ctl("activate")
    node.ctl("standby", "A")
    assert roles(node) == {"A": "standby", "B": "member", "C": "active"}


def test_a_refused_group_leaves_the_others_as_they_are(node):
    node.ctl("activate", "C")
    assert "no balancer of group B" in node.ctl("activate", "B", exit_status=1)["error"]
    assert "no group Z" in node.ctl("activate", "Z", exit_status=1)["error"]
    assert roles(node) == {"A": "standby", "B": "member", "C": "active"}
