--- What a lane has to offer: the heads of its queues, best first.
local capabilities = require("capabilities")
local keyed = require("keyed")
local keys = require("keys")
local merge = require("merge")
local picks = require("picks")
local turns = require("turns")

local heads = {}

--- Most requirement classes of a lane that one call looks at; of more, a random choice.
local CLASSES_MAX = 1024

--- The queues of a lane that hold something an offer covers, of the wanted kinds. Those in which keys take turns
--- are `turned` besides.
local function add_sources(sources, partition, lane, offer, fresh, reclaims, tag)
  local registry = keys.lane(partition, lane, tag)
  for _, entry in ipairs(redis.call("SRANDMEMBER", registry, CLASSES_MAX)) do
    local letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    local kind = string.lower(letter)
    local wanted = kind == "f" and fresh or kind == "c" and reclaims
    if wanted and letter ~= kind and (class == "" or capabilities.covers(offer, class)) then
      sources.turned = sources.turned or {}
      table.insert(sources.turned, keyed.ring(partition, lane, kind, class, tag))
    elseif wanted and (class == "" or capabilities.covers(offer, class)) then
      local key = keys.queue(partition, kind, lane, class, tag)
      sources[#sources + 1] = { kind = kind, class = class, entry = entry, key = key, registry = registry }
    end
  end
end

--- The same by kind and class of work, with what has a key and what has none together.
local function grouped(sources)
  local groups = {}
  local function group(kind, class)
    local name = kind .. class
    groups[name] = groups[name] or { kind = kind }
    return groups[name]
  end
  for _, source in ipairs(sources) do
    group(source.kind, source.class).plain = source
  end
  for _, ring in ipairs(sources.turned or {}) do
    group(ring.kind, ring.class).ring = ring
  end
  return groups
end

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty. The
--- second value says whether they are all of one queue that is known to hold more. Where keys take turns, or
--- waiting counts, there is one entry at the most, and `ask.more` set when it gave up too early. `ask.ln` is the lane, if it was steered.
function heads.best(partition, lane, offer, ask, most, now)
  local sources = {}
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    add_sources(sources, partition, lane, offer, ask.fresh, ask.reclaims and any_tag)
  end
  if ask.reclaims and not any_tag then
    add_sources(sources, partition, lane, offer, false, true, ask.tag)
  end
  if sources.turned or (ask.ln and ask.ln.is.ageing) then
    local best, more = picks.best(ask.ln, grouped(sources), now)
    ask.more = more
    return { best }, false
  elseif #sources ~= 1 then
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

--- The queues of a lane that hold what has no key.
function heads.keyless(partition, lane)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), CLASSES_MAX)) do
    local kind = string.sub(entry, 1, 1)
    if kind == "f" or kind == "c" then
      found[#found + 1] = keys.queue(partition, kind, lane, string.sub(entry, 2))
    end
  end
  return found
end

--- Some heads of a lane, whatever they require, each of another class.
function heads.some(partition, lane, most)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), most)) do
    local letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    local kind = string.lower(letter)
    local key = keys.queue(partition, kind, lane, class)
    if letter ~= kind then
      local ring = keyed.ring(partition, lane, kind, class)
      key = keyed.queue(ring, turns.next_key(ring.key) or "")
    end
    local id = redis.call("ZRANGE", key, 0, 0)[1]
    if id then
      found[#found + 1] = { id = id, queue = kind }
    end
  end
  return found
end

return heads
