--- What a lane has to offer: the heads of its queues, best first.
local capabilities = require("capabilities")
local keys = require("keys")

local heads = {}

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
    local scored = redis.call("ZRANGE", source.key, 0, most - 1, "WITHSCORES")
    for i = 1, #scored, 2 do
      found[#found + 1] = { id = scored[i], score = tonumber(scored[i + 1]), queue = source.kind }
    end
  end
  table.sort(found, better)
  for i = #found, most + 1, -1 do
    found[i] = nil
  end
  return found
end

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty.
---
--- When they all come from one queue of fresh work, `source` names it, and `is_all` tells that there
--- is nothing else in it.
function heads.best(partition, lane, offer, ask, most)
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

return heads
