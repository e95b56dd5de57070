"""The Redis commands that each layout and each tool needs, as docs/caching.md has them. tests/redis_acl measures that they suffice and
that each is needed; tests/template compares the cache user of template.yaml with them.
"""

CLUSTER = {"+cluster|slots", "+asking"}


def needs(what, layout, in_cluster=False):
    """The commands of the table in docs/caching.md. In a cluster, each key is asked for on its own."""
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
