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

local function with_tags(change, r, place)
  change(r, place)
  if place.queue == "c" then
    tags.each(r, function(tag)
      change(r, place, tag)
    end)
  end
end

--- Puts a record into the queue of its placement. Reclaims also stand in a queue for each of their
--- tags, so that a filtered scanner finds its own without stepping over the rest.
function queue.insert(r, place)
  with_tags(insert, r, place)
end

--- Takes a record out of the queue of its placement.
function queue.remove(r, place)
  with_tags(remove, r, place)
end

local function better(one, other)
  if one.score ~= other.score then
    return one.score < other.score
  end
  return one.id < other.id
end

local function add_heads(found, sources, partition, lane, offer, wanted, most, tag)
  for _, entry in ipairs(redis.call("SMEMBERS", keys.lane(partition, lane, tag))) do
    local kind, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    if wanted[kind] and capabilities.covers(offer, class) then
      local key = keys.queue(partition, kind, lane, class, tag)
      local heads = redis.call("ZRANGE", key, 0, most - 1, "WITHSCORES")
      for i = 1, #heads, 2 do
        found[#found + 1] = { id = heads[i], score = tonumber(heads[i + 1]), queue = kind }
      end
      sources = sources + 1
    end
  end
  return sources
end

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty.
function queue.heads(partition, lane, offer, ask, most)
  local found, sources = {}, 0
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    local wanted = { f = ask.fresh, c = ask.reclaims and any_tag }
    sources = add_heads(found, sources, partition, lane, offer, wanted, most)
  end
  if ask.reclaims and not any_tag then
    sources = add_heads(found, sources, partition, lane, offer, { c = true }, most, ask.tag)
  end
  if sources > 1 then
    table.sort(found, better)
  end
  for i = #found, most + 1, -1 do
    found[i] = nil
  end
  return found
end

--- How many entries stand in front of a record in its queue.
function queue.ahead(r, place)
  return redis.call("ZRANK", keys.queue(r.partition, place.queue, r.f.ln, r.f.cl or ""), r.id) or 0
end

return queue
