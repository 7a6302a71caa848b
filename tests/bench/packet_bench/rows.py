"""What is measured, row by row, in the order of the table."""

from dataclasses import dataclass, field

from .rulesets import (EMPTY_CHAIN, FWD, MANY_VIPS, OTHER_CHAIN, VIP, VIP6, conf, drover, nftlb,
                       service)

UDP, TCP = {"dport": 5060}, {"dport": 80, "tcp": 1}
ESTABLISHED, NEW = {"open": 1}, {"flows": 22000, "skip": 2000, "syn": 1}
# The least length that has room for all headers.
IP6 = {"daddr6": VIP6, "saddr6": "2001:db8:8::1", "length": 82}
CLIENTS, OTHER_CLIENTS = "10.8.0.1", "10.9.0.1"
FORWARDED, KEPT = "forwarded", "kept"
SIP, WEB = service("sip", "udp", 5060), service("web", "tcp", 80)


@dataclass
class Row:
    """One line of the table."""

    name: str
    title: str
    send: dict
    rulesets: list = field(default_factory=list)  # texts of nft, loaded in turn
    configuration: str = None                     # of drover, loaded first
    pins: tuple = None                            # of drover: (first client, count)
    ipvs: str = None
    fate: str = FORWARDED                         # of every packet
    floor: str = "fwd"                            # the row that costs 0
    quick: bool = False                           # also in the short form

    def texts(self):
        """The rulesets to be loaded."""
        ours = [drover(self.configuration, self.pins)] if self.configuration else []
        return ours + self.rulesets

    def keys(self):
        """The sender's arguments."""
        keys = {"dmac": "02:00:00:00:00:01", "smac": "02:00:00:00:00:fe", "saddr": "10.8.0.1",
                "daddr": VIP, **self.send}
        return " ".join(f"{key}={value}" for key, value in keys.items())

    @property
    def protocol(self):
        return "tcp" if self.send.get("tcp") else "udp"


def _references():
    yield "the floor"
    yield Row("drop", "dropped at ingress", UDP, [OTHER_CHAIN], fate=KEPT, floor="drop", quick=True)
    yield Row("fwd", "bare fwd, UDP", UDP, [FWD], quick=True)
    yield Row("fwd-tcp", "bare fwd, TCP", TCP, [FWD])
    yield Row("fwd-6", "bare fwd, IPv6", {**UDP, **IP6}, [FWD], quick=True)
    yield "the others"
    yield Row("nftlb-udp", "nftlb dsr, UDP", UDP, [nftlb("udp", 5060)], quick=True)
    yield Row("nftlb-tcp", "nftlb dsr, TCP", TCP, [nftlb("tcp", 80)])
    for scheduler in ("rr", "mh -b mh-port", "sh -b sh-port"):
        name = scheduler.split()[0]
        yield Row(f"ipvs-{name}-udp", f"IPVS {name}, UDP, established", UDP,
                  ipvs=f"udp 5060 {scheduler}", quick=name == "mh")
    yield Row("ipvs-rr-tcp", "IPVS rr, TCP, established", {**TCP, **ESTABLISHED}, ipvs="tcp 80 rr")
    yield Row("ipvs-mh-tcp", "IPVS mh, TCP, established", {**TCP, **ESTABLISHED},
              ipvs="tcp 80 mh -b mh-port")
    yield Row("ipvs-rr-ops", "IPVS rr, UDP, one-packet", UDP, ipvs="udp 5060 rr -o")
    yield Row("ipvs-mh-ops", "IPVS mh, UDP, one-packet", UDP, ipvs="udp 5060 mh -b mh-port -o")
    yield Row("ipvs-rr-new", "IPVS rr, TCP, new connection", {**TCP, **NEW}, ipvs="tcp 80 rr")
    yield Row("ipvs-mh-new", "IPVS mh, TCP, new connection", {**TCP, **NEW},
              ipvs="tcp 80 mh -b mh-port")


def _hash():
    yield "drover: scheduler hash"
    yield Row("main", "UDP, 16384 buckets, counters off", UDP,
              configuration=conf(SIP, buckets=16384, counters=False), quick=True)
    yield Row("udp", "UDP", UDP, configuration=conf(SIP), quick=True)
    yield Row("tcp", "TCP", TCP, configuration=conf(WEB), quick=True)
    for buckets in (16384, 65536):
        yield Row(f"buckets-{buckets}", f"UDP, {buckets} buckets", UDP,
                  configuration=conf(SIP, buckets=buckets))
    many = [service(f"s{number}", "udp", 5000 + number) for number in range(256)]
    yield Row("services-256", "UDP, 256 services of one port", {"dport": 5000, "dports": 256},
              configuration=conf(*many), quick=True)
    both = [{**one, "protocol": "any"} for one in many]
    yield Row("services-both", "UDP, 256 services of UDP and TCP", {"dport": 5000, "dports": 256},
              configuration=conf(*both))
    yield Row("port-both", "UDP, a service of UDP and TCP", UDP,
              configuration=conf(service("sip", "any", 5060)))
    yield Row("ports-256", "UDP, a range of 256 ports", {"dport": 5000, "dports": 256},
              configuration=conf(service("media", "udp", "5000-5255")))
    yield Row("vips-256", "UDP, 256 VIPs", {**UDP, "daddr": MANY_VIPS, "vips": 256},
              configuration=conf(SIP, vips=256))
    yield Row("vips-subnet", "UDP, a subnet of 256 VIPs",
              {**UDP, "daddr": MANY_VIPS, "vips": 256}, configuration=conf(SIP, vips="subnet"))
    yield Row("any-port-udp", "UDP, a service for any port", UDP,
              configuration=conf(service("rest", "udp")))
    yield Row("any-port-both", "UDP, a service for any port, UDP and TCP", UDP,
              configuration=conf(service("rest", "any")))


def _features():
    yield "drover: what may come with it"
    yield Row("member", "UDP, the balancer is a member", UDP,
              configuration=conf(SIP, member="none"))
    yield Row("peer", "UDP, one peer (loop guard)", UDP, configuration=conf(SIP, peers=1),
              quick=True)
    yield Row("peers-3", "UDP, three peers", UDP, configuration=conf(SIP, peers=3))
    yield Row("outgoing", "UDP, outgoing ranges present", UDP,
              configuration=conf(SIP, outgoing=True))
    yield Row("outgoing-reply", "UDP, reply to an outgoing port", {"dport": 33000, "dports": 900},
              configuration=conf(SIP, outgoing=True))
    yield Row("all", "UDP, one peer and outgoing ranges", UDP,
              configuration=conf(SIP, peers=1, outgoing=True))


def _fragments():
    yield "drover: fragments"
    for name, title, keys, families, floor in (
            ("fragment", "UDP", UDP, 4, "fwd"),
            ("fragment-6", "IPv6, UDP", {**UDP, **IP6}, 6, "fwd-6")):
        shape = {"configuration": conf(SIP, families=families), "floor": floor}
        yield Row(f"first-{name}", f"{title}, first fragments", {**keys, "first": 1}, **shape)
        yield Row(f"later-{name}", f"{title}, later fragments", {**keys, "fragment": 1, "open": 1},
                  quick=families == 4, **shape)


def _pins():
    yield "drover: pinned flows (elsewhere than their slots say)"
    yield Row("pins-hit", "UDP, one of 10 000 pinned flows", UDP, configuration=conf(SIP),
              pins=(CLIENTS, 10000), quick=True)
    yield Row("pins-miss", "UDP, not pinned, in slots of 10 000 that are", UDP,
              configuration=conf(SIP), pins=(OTHER_CLIENTS, 10000))
    yield Row("pins-few", "UDP, not pinned, 100 flows are", UDP, configuration=conf(SIP),
              pins=(OTHER_CLIENTS, 100))


def _ip6():
    yield "drover: IPv6 (cost above a bare fwd of IPv6)"
    only, both = conf(SIP, WEB, families=6), conf(SIP, WEB, families=46)
    yield Row("ip6-udp", "UDP", {**UDP, **IP6}, configuration=only, floor="fwd-6", quick=True)
    yield Row("ip6-tcp", "TCP", {**TCP, **IP6}, configuration=only, floor="fwd-6")
    yield Row("both-udp", "UDP, VIPs of both families: an IPv4 packet", UDP, configuration=both)
    yield Row("both-ip6-udp", "UDP, VIPs of both families: an IPv6 packet", {**UDP, **IP6},
              configuration=both, floor="fwd-6")
    yield Row("ip6-rr-tcp", "rr, TCP, established", {**TCP, **IP6, **ESTABLISHED}, floor="fwd-6",
              configuration=conf(service("web", "tcp", 80, scheduler="rr"), families=6))


def _schedulers():
    yield "drover: other schedulers"
    yield Row("source", "source, UDP", UDP,
              configuration=conf(service("sip", "udp", 5060, scheduler="source")))
    yield Row("rr-udp", "rr, UDP", UDP,
              configuration=conf(service("sip", "udp", 5060, scheduler="rr")))
    yield Row("random-udp", "random, UDP", UDP,
              configuration=conf(service("sip", "udp", 5060, scheduler="random")))
    learned = conf(service("web", "tcp", 80, scheduler="rr"))
    yield Row("rr-tcp", "rr, TCP, established", {**TCP, **ESTABLISHED}, configuration=learned,
              quick=True)
    yield Row("rr-tcp-new", "rr, TCP, new connection", {**TCP, **NEW}, configuration=learned)
    yield Row("persistence", "hash, UDP, persistence, a known client", UDP,
              configuration=conf(service("sip", "udp", 5060, persistence=300)))
    some = ["fe5", "fe6"]
    several = conf(service("a", "udp", 5060), service("b", "udp", 5061, scheduler="source"),
                   service("c", "udp", 5062, members=some),
                   service("d", "udp", 5063, scheduler="source", members=some))
    for number, title in ((0, "first"), (3, "last")):
        yield Row(f"several-{title}", f"UDP, the {title} of four distributions",
                  {"dport": 5060 + number}, configuration=several)


def _kept():
    """What the balancer lets pass, for another chain that drops it: it costs what drover adds."""
    yield "packets that stay here (cost above a host with another chain)"
    kept = {"fate": KEPT, "floor": "drop"}
    stranger, others = {**UDP, "daddr": "192.0.2.1"}, [OTHER_CHAIN]
    yield Row("empty-chain", "an empty chain", stranger, [EMPTY_CHAIN, OTHER_CHAIN], **kept)
    yield Row("not-vip", "not for a VIP", stranger, others, conf(SIP), quick=True, **kept)
    yield Row("not-vip-256", "not for a VIP, 256 VIPs", stranger, others, conf(SIP, vips=256),
              **kept)
    yield Row("not-vip-subnet", "not for a VIP, a subnet of 256 VIPs", stranger, others,
              conf(SIP, vips="subnet"), **kept)
    yield Row("not-vip-both", "not for a VIP, VIPs of both families", stranger, others,
              conf(SIP, families=46), **kept)
    yield Row("no-service", "VIP, port of no service", {"dport": 4000}, others, conf(SIP), **kept)
    yield Row("own-share", "UDP, for the balancer itself as a member", UDP, others,
              conf(SIP, member="all"), **kept)
    # A frame for another host: the IP layer drops it as soon as it has it.
    passing = {**stranger, "dmac": "02:00:00:00:00:63"}
    kept["floor"] = "no-chain"
    yield "packets that stay here (cost above a host without any chain)"
    yield Row("no-chain", "no chain at all", passing, **kept)
    yield Row("only-chain", "an empty chain", passing, [EMPTY_CHAIN], **kept)
    yield Row("only-not-vip", "not for a VIP", passing, [], conf(SIP), **kept)


def all_rows():
    """Rows, and in front of some the heading (a string) of those that follow."""
    for part in (_references, _hash, _features, _fragments, _pins, _ip6, _schedulers, _kept):
        yield from part()


def chosen(quick):
    """Those of the full or of the short form, without headings that have no rows left."""
    heading = None
    for row in all_rows():
        if isinstance(row, str):
            heading = row
        elif row.quick or not quick:
            if heading:
                yield heading
                heading = None
            yield row
