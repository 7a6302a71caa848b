"""Who answers for a VIP, who announces it, and who keeps silent."""

from lab import VIP, wait_until
from lab.arp import announcements, who_has
from lab.cluster import CLIENT_NUMBER, SEGMENT

NODES = ["fe5", "fe6", "fe7"]
CLIENT = f"{SEGMENT}.{CLIENT_NUMBER}"
CLIENT_MAC = f"02:00:00:00:00:{CLIENT_NUMBER:02x}"
ADDRESSES = [VIP, *(f"198.51.100.{last}" for last in range(48, 56))]


def answering(lab):
    others = [lab.address(name) for name in lab.nodes]
    return who_has(lab.client, CLIENT_MAC, CLIENT, ADDRESSES, others)


def only(lab, name):
    return {address: {lab[name].mac} for address in ADDRESSES}


def test_only_the_active_balancer_answers_for_vips(cluster):
    assert answering(cluster) == only(cluster, "fe5")


def test_nobody_answers_without_an_active_balancer(cluster):
    cluster["fe5"].ctl("standby")
    assert answering(cluster) == {address: set() for address in ADDRESSES}


def test_answers_follow_the_duty(cluster):
    cluster["fe5"].ctl("standby")
    cluster.activate("fe7")
    assert answering(cluster) == only(cluster, "fe7")
    assert not cluster["fe5"].has_address(VIP) and cluster["fe7"].has_address(VIP)


def test_activation_announces_every_vip_several_times(cluster):
    cluster["fe5"].ctl("standby")
    with cluster.client.capture("eth0") as capture:
        cluster["fe6"].ctl("activate")
        wait_until(lambda: all(len(announcements(capture.frames(), address)) >= 2
                               for address in ADDRESSES), 15, "two announcements of each VIP")
    for address in ADDRESSES:
        assert set(announcements(capture.frames(), address)) == {cluster["fe6"].mac}


def test_neighbours_turn_to_the_new_balancer(cluster):
    cluster.client.connect(VIP, 80, 1)
    neighbour = lambda: cluster.client.ip("neigh", "show", VIP)  # noqa: E731
    assert cluster["fe5"].mac in neighbour()
    cluster["fe5"].ctl("standby")
    cluster["fe6"].ctl("activate")
    wait_until(lambda: cluster["fe6"].mac in neighbour(), 5, "the client's neighbour entry")


def test_members_never_speak_of_a_vip(cluster):
    """Not even when they ask for the client's address in order to answer it from the VIP."""
    with cluster.switch.capture() as capture:
        for node in cluster:
            node.run("ip", "neigh", "delete", CLIENT, "dev", "eth0", check=False)
        answers = cluster.client.connect(VIP, 80, 200, first_port=20000)
        assert not answers.failures
    arp = [frame.arp for frame in capture.frames(incoming_only=True) if frame.is_arp]
    assert any(mac == cluster["fe6"].mac for _, mac, _, _ in arp), "fe6 did not have to ask"
    speakers = {mac for _, mac, address, _ in arp if address in ADDRESSES}
    assert speakers <= {cluster["fe5"].mac}


def test_sysctls_of_members(cluster):
    for name in NODES:
        assert cluster[name].sysctl("ipv4/conf/eth0/arp_ignore") == "1"
        assert cluster[name].sysctl("ipv4/conf/eth0/arp_announce") == "2"
