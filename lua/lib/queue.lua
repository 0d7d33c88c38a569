--- The queues of a lane: one for each requirement class and kind of work, and a registry that says
--- which of them hold something. Nothing else writes these keys.
local keys = require("keys")
local number = require("number")
local tags = require("tags")

local queue = {}

local function insert(r, place, tag)
  local key = keys.queue(r.partition, place.queue, r.f.ln, r.f.cl or "", tag)
  redis.call("ZADD", key, number.text(place.score), r.id)
  redis.call("SADD", keys.lane(r.partition, r.f.ln, tag), place.queue .. (r.f.cl or ""))
end

local function remove(r, place, tag)
  local class = r.f.cl or ""
  local key = keys.queue(r.partition, place.queue, r.f.ln, class, tag)
  redis.call("ZREM", key, r.id)
  if redis.call("EXISTS", key) == 0 then
    redis.call("SREM", keys.lane(r.partition, r.f.ln, tag), place.queue .. class)
  end
end

--- Puts a record into the queue of its placement. Reclaims also stand in a queue for each of their
--- tags, so that a filtered scanner finds its own without stepping over the rest.
function queue.insert(r, place)
  insert(r, place)
  if place.queue == "c" and r.f.tg then
    tags.each(r, function(tag)
      insert(r, place, tag)
    end)
  end
end

--- Takes a record out of the queue of its placement.
function queue.remove(r, place)
  remove(r, place)
  if place.queue == "c" and r.f.tg then
    tags.each(r, function(tag)
      remove(r, place, tag)
    end)
  end
end

--- Takes an entry that belongs to no record out of the queue where it was found.
function queue.drop_stray(partition, lane, head)
  redis.call("ZREM", head.key, head.id)
  if redis.call("EXISTS", head.key) == 0 then
    redis.call("SREM", keys.lane(partition, lane), head.entry)
  end
end

--- How many entries stand in front of a record in its queue.
function queue.ahead(r, place)
  return redis.call("ZRANK", keys.queue(r.partition, place.queue, r.f.ln, r.f.cl or ""), r.id) or 0
end

return queue
