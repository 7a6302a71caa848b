"""The rulesets that are compared: drover's, as droverd prints them, and those of the others."""

import json
import subprocess
import tempfile

from guest import build

NODE_MAC = "02:00:00:00:00:01"
VIP = "192.0.2.100"
MANY_VIPS = "198.51.100.0"
VIP6 = "2001:db8::100"

# What the client side does with the packets that come back.
SINK = """\
table netdev sink {
	chain ingress { type filter hook ingress device "src0" priority 0; policy drop; }
}
"""
# A host's own chain, behind the balancer's: the end of packets that are not forwarded.
OTHER_CHAIN = """\
table netdev other {
	chain ingress { type filter hook ingress device "eth0" priority 500; policy drop; }
}
"""
EMPTY_CHAIN = """\
table netdev empty {
	chain ingress { type filter hook ingress device "eth0" priority 0; policy accept; }
}
"""
# The least that a balancer in nft can do: one rule that writes both MACs and forwards.
FWD = """\
table netdev floor {
	chain ingress {
		type filter hook ingress device "eth0" priority 0; policy accept;
		@ll,0,96 set 0x020000000005020000000001 fwd to "eth0"
	}
}
"""
# What nftlb 1.0.7 loads for a farm with mode dsr, scheduler hash, sched-param "srcip srcport".
NFTLB = """\
table netdev nftlb {
	map proto-services-eth0 {
		type inet_proto . ipv4_addr . inet_service : verdict
		elements = { PROTOCOL . 192.0.2.100 . PORT : goto web }
	}
	chain ingress-eth0 {
		type filter hook ingress device "eth0" priority 101; policy accept;
		ip protocol . ip daddr . th dport vmap @proto-services-eth0
	}
	chain web {
		ether saddr set 02:00:00:00:00:01 \
		ether daddr set jhash ip saddr . PROTOCOL sport mod 3 map { \
			0 : 02:00:00:00:00:05, 1 : 02:00:00:00:00:06, 2 : 02:00:00:00:00:07 } \
		fwd to "eth0"
	}
}
"""


def nftlb(protocol, port):
    return NFTLB.replace("PROTOCOL", protocol).replace("PORT", str(port))


# --- drover ------------------------------------------------------------------------------

def service(name, protocol, ports=None, **settings):
    return {"name": name, "protocol": protocol, **({"ports": str(ports)} if ports else {}),
            **settings}


def literal(value):
    """A value in the language of the configuration file."""
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {literal(one)};" for key, one in value.items()) + " }"
    if isinstance(value, tuple):
        return "(\n" + ",\n".join(literal(one) for one in value) + "\n)"
    if isinstance(value, list):
        return "[ " + ", ".join(literal(one) for one in value) + " ]"
    return json.dumps(value)


def host(kind, last):
    return {"name": f"{kind}{last}", "address": f"192.0.2.{last}",
            "mac": f"02:00:00:00:00:0{last}"}


def conf(*services, buckets=4096, vips=1, peers=0, outgoing=False, member=None, counters=True,
         families=4):
    """A balancer and three members. member: the balancer is the fourth, and has "all" or "none"
    of the traffic. families: 4, 6, or 46 for both. vips: a number, or "subnet" for 256. No packet
    comes as far as the member guard."""
    members = [{**host("fe", last), "weight": 0 if member == "all" else 100,
                **({"outgoing": f"{28 + last}000-{28 + last}999"} if outgoing else {})}
               for last in (5, 6, 7)]
    balancers = [host("lb", last) for last in range(1, 2 + peers)]
    if member:
        members.append({**balancers.pop(0), "balancer": True, "weight": int(member == "all")})
    single = [VIP] if vips == 1 else [f"{MANY_VIPS}/24"] if vips == "subnet" else \
        [MANY_VIPS.rsplit(".", 1)[0] + f".{last}" for last in range(vips)]
    single = {4: single, 6: [VIP6], 46: [*single, VIP6]}[families]
    group = {"name": "A", "vips": single, "members": tuple(members), "services": services}
    if balancers:
        group["balancers"] = tuple(balancers)
    top = {"node": "lb1", "interface": "eth0", "election": "always", "buckets": buckets,
           "counters": counters, "member_guard": False}
    return "".join(f"{key} = {literal(one)};\n" for key, one in {**top, "groups": (group,)}.items())


def drover(text, pins=None):
    """What droverd makes of a configuration, on a host whose eth0 has our MAC.

    pins: (first client, count): that many of its flows are with another member than their slot's.
    """
    program, arguments = "src/daemon/droverd", ["-p", "-c"]
    if pins:
        program, arguments = "tests/bench/pinned-ruleset", [pins[0], str(pins[1])]
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(text)
        file.flush()
        script = f'ip link add eth0 address {NODE_MAC} type veth && exec "$0" "$@"'
        done = subprocess.run(["unshare", "--net", "sh", "-c", script,
                               str(build.directory() / program), *arguments, file.name],
                              capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{program} refuses a configuration:\n{text}{done.stderr}")
    return done.stdout
