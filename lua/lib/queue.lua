--- The queues of a lane: one for each requirement class and kind of work, and a registry that says
--- which of them hold something. Nothing else writes these keys.
local capabilities = require("capabilities")
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

local function better(one, other)
  if one.score ~= other.score then
    return one.score < other.score
  end
  return one.id < other.id
end

--- The queues of a lane that hold something an offer covers, of the wanted kinds.
local function add_sources(sources, partition, lane, offer, wanted, tag)
  for _, entry in ipairs(redis.call("SMEMBERS", keys.lane(partition, lane, tag))) do
    local kind, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    if wanted[kind] and (class == "" or capabilities.covers(offer, class)) then
      sources[#sources + 1] = { kind = kind, entry = entry, key = keys.queue(partition, kind, lane, class, tag) }
    end
  end
end

local function merged(sources, most)
  local found = {}
  for _, source in ipairs(sources) do
    local heads = redis.call("ZRANGE", source.key, 0, most - 1, "WITHSCORES")
    for i = 1, #heads, 2 do
      found[#found + 1] = { id = heads[i], score = tonumber(heads[i + 1]), queue = source.kind }
    end
  end
  table.sort(found, better)
  for i = #found, most + 1, -1 do
    found[i] = nil
  end
  return found
end

--- Takes all of `heads`, which came from one queue of fresh work, out of it.
function queue.remove_all(partition, lane, heads)
  local ids = {}
  for i, head in ipairs(heads) do
    ids[i] = head.id
  end
  redis.call("ZREM", heads.source.key, unpack(ids))
  if heads.is_all then
    redis.call("SREM", keys.lane(partition, lane), heads.source.entry)
  end
end

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty.
---
--- When they all come from one queue of fresh work, `source` names it, and `is_all` tells that there
--- is nothing else in it.
function queue.heads(partition, lane, offer, ask, most)
  local sources = {}
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    add_sources(sources, partition, lane, offer, { f = ask.fresh, c = ask.reclaims and any_tag })
  end
  if ask.reclaims and not any_tag then
    add_sources(sources, partition, lane, offer, { c = true }, ask.tag)
  end
  if #sources ~= 1 then
    return merged(sources, most)
  end
  local source = sources[1]
  local ids = redis.call("ZRANGE", source.key, 0, most)
  local found = {}
  for i = 1, math.min(#ids, most) do
    found[i] = { id = ids[i], queue = source.kind }
  end
  if source.kind == "f" then
    found.source, found.is_all = source, #ids <= most
  end
  return found
end

--- How many entries stand in front of a record in its queue.
function queue.ahead(r, place)
  return redis.call("ZRANK", keys.queue(r.partition, place.queue, r.f.ln, r.f.cl or ""), r.id) or 0
end

return queue
