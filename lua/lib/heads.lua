--- What a lane has to offer: the heads of its queues, best first.
local capabilities = require("capabilities")
local keys = require("keys")
local merge = require("merge")

local heads = {}

--- Most requirement classes of a lane that one call looks at; of more, a random choice.
local CLASSES_MAX = 1024

--- The queues of a lane that hold something an offer covers, of the wanted kinds.
local function add_sources(sources, partition, lane, offer, fresh, reclaims, tag)
  local registry = keys.lane(partition, lane, tag)
  for _, entry in ipairs(redis.call("SRANDMEMBER", registry, CLASSES_MAX)) do
    local kind, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    local wanted = kind == "f" and fresh or kind == "c" and reclaims
    if wanted and (class == "" or capabilities.covers(offer, class)) then
      local key = keys.queue(partition, kind, lane, class, tag)
      sources[#sources + 1] = { kind = kind, entry = entry, key = key, registry = registry }
    end
  end
end

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty. The
--- second value says whether they are all of one queue that is known to hold more.
function heads.best(partition, lane, offer, ask, most)
  local sources = {}
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    add_sources(sources, partition, lane, offer, ask.fresh, ask.reclaims and any_tag)
  end
  if ask.reclaims and not any_tag then
    add_sources(sources, partition, lane, offer, false, true, ask.tag)
  end
  if #sources ~= 1 then
    return merge.best(sources, most), false
  end
  local source, found = sources[1], {}
  local ids = redis.call("ZRANGE", source.key, 0, most)
  for i = 1, math.min(#ids, most) do
    local head = { id = ids[i], queue = source.kind, key = source.key }
    head.entry, head.registry = source.entry, source.registry
    found[i] = head
  end
  return found, #ids > most
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
