"""Asking a segment who has an address, without waiting for answers that do not come."""

import socket

from .wait import wait_until


def ask(asker, ethertype, request, answers, targets, others):
    """{target: set of MACs that answer for it}, asked from a host's eth0.

    request(target): the frame that asks. answers(frames): (target, MAC) of each that answers.
    others: addresses of all hosts on the segment. They are asked last; who has answered for
    itself has seen the earlier questions too, so its silence about them is an answer.
    """
    def send_all():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("eth0", 0))
            for target in [*targets, *others]:
                sock.send(request(target))

    def replies():
        found = {}
        for target, mac in answers(capture.frames(incoming_only=True)):
            found.setdefault(target, set()).add(mac)
        return found

    with asker.capture("eth0", ethertype) as capture:
        asker.call(send_all)
        wait_until(lambda: all(replies().get(other) for other in others),
                   what="all hosts answering for themselves")
    return {target: replies().get(target, set()) for target in targets}
