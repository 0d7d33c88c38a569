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

--- Most requirement classes of a lane that one call looks at; of more, a random choice.
local CLASSES_MAX = 1024

--- The queues of a lane that hold something an offer covers, of the wanted kinds.
local function add_sources(sources, partition, lane, offer, wanted, tag)
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane, tag), CLASSES_MAX)) do
    local kind, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    if wanted[kind] and (class == "" or capabilities.covers(offer, class)) then
      local key = keys.queue(partition, kind, lane, class, tag)
      sources[#sources + 1] = { kind = kind, entry = entry, key = key }
    end
  end
end

local function merged(sources, most)
  local found = {}
  for _, source in ipairs(sources) do
    local scored = redis.call("ZRANGE", source.key, 0, most - 1, "WITHSCORES")
    for i = 1, #scored, 2 do
      local head = { id = scored[i], score = tonumber(scored[i + 1]), queue = source.kind }
      head.key, head.entry = source.key, source.entry
      found[#found + 1] = head
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
  local source, found = sources[1], {}
  for i, id in ipairs(redis.call("ZRANGE", source.key, 0, most - 1)) do
    found[i] = { id = id, queue = source.kind, key = source.key, entry = source.entry }
  end
  return found
end

--- Some heads of a lane, whatever they require, each of another class.
function heads.some(partition, lane, most)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), most)) do
    local kind, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    local id = redis.call("ZRANGE", keys.queue(partition, kind, lane, class), 0, 0)[1]
    if id then
      found[#found + 1] = { id = id, queue = kind }
    end
  end
  return found
end

return heads
