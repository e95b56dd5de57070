"""The Redis commands that each layout and each tool needs, as listed in docs/caching.md. tests/redis_acl measures that they suffice and
that each is needed; tests/template compares them with the cache user in template.yaml.
"""

CLUSTER = {"+cluster|slots", "+asking"}


def needs(what, layout, in_cluster=False):
    """The commands in the table of docs/caching.md. In a cluster, each key needs its own command."""
    is_hash = layout == "hash"
    write = {"+hset", "+expire", "+multi", "+exec"} if is_hash else {"+set"}
    one = {"+hget"} if is_hash else {"+get"}
    many = one if is_hash or in_cluster else {"+mget"}
    commands = {
        "requests": one | write,
        "arrays": many | write,
        "report": {"+info", "+scan", "+memory|usage", "+pttl"},
        "inspect": {"+pttl", "+memory|usage", "+object|freq", "+object|idletime", "+hmget" if is_hash else "+get"},
        "warm": {"+info"} | many | write,
    }[what]
    return commands | (CLUSTER if in_cluster else set())
