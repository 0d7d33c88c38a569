--- The queues of a lane: one for each requirement class and kind of work, and a registry that says
--- which of them hold something. Nothing else writes these keys.
local keyed = require("keyed")
local keys = require("keys")
local tags = require("tags")

local queue = {}

local function insert(r, kind, score, tag)
  if r.f.lk then
    return keyed.insert(r, kind, score, tag)
  end
  local class = r.f.cl or ""
  redis.call("ZADD", keys.queue(r.partition, kind, r.f.ln, class, tag), score, r.id)
  redis.call("SADD", keys.lane(r.partition, r.f.ln, tag), kind .. class)
end

local function remove(r, kind, tag)
  if r.f.lk then
    return keyed.remove(r, kind, tag)
  end
  local class = r.f.cl or ""
  local key = keys.queue(r.partition, kind, r.f.ln, class, tag)
  redis.call("ZREM", key, r.id)
  if not (r.followed and not tag) and redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.lane(r.partition, r.f.ln, tag), kind .. class)
  end
end

--- Puts a record into a queue at a score. Reclaims also stand in a queue for each of their tags, so that a
--- filtered scanner finds its own without stepping over the rest.
function queue.insert(r, kind, score)
  insert(r, kind, score)
  if kind == "c" and r.f.tg then
    tags.each(r, function(tag)
      insert(r, kind, score, tag)
    end)
  end
end

--- Takes a record out of the queue that it stands in. `followed` on the record says that the queue,
--- other than those of its tags, is known to hold more.
function queue.remove(r, kind)
  remove(r, kind)
  if kind == "c" and r.f.tg then
    tags.each(r, function(tag)
      remove(r, kind, tag)
    end)
  end
end

--- Takes a record out of the queue that it stood in, if it did, and puts it into the one where it belongs, if
--- there is one.
function queue.move(r, was, score)
  if was then
    queue.remove(r, was)
  end
  if r.queue then
    queue.insert(r, r.queue, score)
  end
end

--- Takes an entry that belongs to no record out of the queue where it was found.
function queue.drop_stray(head)
  if head.turn and head.turn ~= "" then
    return keyed.drop(head.ring, head.turn, head.key, head.id)
  end
  redis.call("ZREM", head.key, head.id)
  if redis.call("EXISTS", head.key) == 0 then
    redis.call("SREM", head.registry, head.entry)
  end
end

--- How many entries stand in front of a record in its queue.
function queue.ahead(r)
  local key = keys.queue(r.partition, r.queue, r.f.ln, r.f.cl or "")
  if r.f.lk then
    key = keys.keyed_queue(r.partition, r.queue, r.f.ln, r.f.cl or "", nil, r.f.lk)
  end
  return redis.call("ZRANK", key, r.id) or 0
end

return queue
