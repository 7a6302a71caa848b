"""What tests/chaos/run is made of: a cluster under load, and what befalls it.

plan     which events, in which order: a function of the seed
cluster  the hosts, and what happens to them whatever balances
load     the flows, and what became of them (load.c)
drover   drover as the balancer of the cluster, and what it is told
nftlb    the same for nftlb
events   what each kind of event does to all of these
tamper   what happens to packets of sync on their way
report   tables
"""
