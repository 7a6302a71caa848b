"""A laboratory: clusters of real hosts, made of network namespaces.

Nothing here touches the network of the machine that it runs on. Every interface is
created inside a namespace that the laboratory itself has made, and leaves with it.

    with Lab(["fe5", "fe6"]) as lab:
        lab.serve(tcp=[80])
        lab.start()
        lab["fe5"].ctl("activate")
        print(lab.client.connect(VIP, 80, 100).by_member)
"""

from .cluster import DUAL_STACK, SUBNET, SUBNET6, VIP, VIP6, Lab
from .node import CtlError, Node
from .wait import Timeout, patience, wait_until

__all__ = ["DUAL_STACK", "SUBNET", "SUBNET6", "VIP", "VIP6", "CtlError", "Lab", "Node", "Timeout",
           "patience", "wait_until"]
