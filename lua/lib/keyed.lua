--- The queues of what has a key: one for each key, in a ring of keys that take turns.
local keys = require("keys")
local turns = require("turns")

local keyed = {}

--- What stands for a ring in the registry of its lane, before the class.
local CAPITAL = { f = "F", c = "C" }

--- A ring, whose turns are kept under its key. `kind` is `f` or `c`.
function keyed.ring(partition, lane, kind, class, tag)
  return {
    partition = partition, lane = lane, kind = kind, class = class, tag = tag,
    key = keys.turns(partition, kind, lane, class, tag),
  }
end

--- The registry of its lane, and what it is called there.
local function registered(ring)
  return keys.lane(ring.partition, ring.lane, ring.tag), CAPITAL[ring.kind] .. ring.class
end

--- The queue of a key in a ring.
function keyed.queue(ring, key)
  return keys.keyed_queue(ring.partition, ring.kind, ring.lane, ring.class, ring.tag, key)
end

local function ring_of(r, kind, tag)
  return keyed.ring(r.partition, r.f.ln, kind, r.f.cl or "", tag)
end

--- Lets a key take turns in a ring.
function keyed.join(ring, key)
  turns.join(ring.partition, ring.lane, ring.key, key)
  redis.call("SADD", registered(ring))
end

--- Takes a key out of a ring.
function keyed.leave(ring, key)
  if turns.leave(ring.key, key) then
    redis.call("SREM", registered(ring))
  end
end

--- Puts a record into the queue of its key at a score.
function keyed.insert(r, kind, score, tag)
  local ring = ring_of(r, kind, tag)
  redis.call("ZADD", keyed.queue(ring, r.f.lk), score, r.id)
  keyed.join(ring, r.f.lk)
  if not tag then
    redis.call("ZADD", keys.keyed(r.partition, r.f.ln), r.f.ra, r.id)
  end
end

--- Takes an id out of the queue of a key, which may be known to hold more, or to hold no other.
function keyed.drop(ring, key, queue, id, followed, last)
  redis.call("ZREM", queue, id)
  if last or (not followed and redis.call("EXISTS", queue) == 0) then
    keyed.leave(ring, key)
  end
  if not ring.tag then
    redis.call("ZREM", keys.keyed(ring.partition, ring.lane), id)
  end
end

--- Takes a record out of the queue of its key.
function keyed.remove(r, kind, tag)
  local head = r.head
  if head and head.ring and not tag and not head.ring.tag then
    return keyed.drop(head.ring, r.f.lk, head.key, r.id, r.followed, head.last)
  end
  local ring = ring_of(r, kind, tag)
  keyed.drop(ring, r.f.lk, keyed.queue(ring, r.f.lk), r.id, r.followed and not tag)
end

return keyed
