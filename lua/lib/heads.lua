--- What a lane has to offer: the heads of its queues, best first.
local keyed = require("keyed")
local keys = require("keys")
local lanes = require("lanes")
local merge = require("merge")
local picks = require("picks")
local sources = require("sources")

local heads = {}

--- Most requirement classes of a lane that one call looks at; of more, a random choice.
local CLASSES_MAX = 1024
--- Most keys of a ring that are looked at for one within its limits.
local KEYS_MAX = 64

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty. The
--- second value says whether they are all of one queue that is known to hold more. Where keys take turns, or
--- waiting counts, there is one entry at the most, `ask.more` is set when it gave up too early, and `ask.reads`
--- counts what was read. `ask.ln` is the lane, if it was steered.
function heads.best(partition, lane, offer, ask, most, now)
  local found = {}
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    sources.add(found, partition, lane, offer, ask.fresh, ask.reclaims and any_tag)
  end
  if ask.reclaims and not any_tag then
    sources.add(found, partition, lane, offer, false, true, ask.tag)
  end
  if found.turned or (ask.ln and ask.ln.is.ageing) then
    local best, more, reads = picks.best(ask.ln, found, now)
    ask.more, ask.reads = more, (ask.reads or 0) + reads
    return { best }, best ~= nil and best.followed
  elseif #found ~= 1 then
    return merge.best(found, most), false
  end
  local source, first = found[1], {}
  local ids = redis.call("ZRANGE", source.key, 0, most)
  for i = 1, #ids > most and most or #ids do
    first[i] = {
      id = ids[i], queue = source.kind, key = source.key, entry = source.entry, registry = source.registry,
    }
  end
  return first, #ids > most
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

--- The first key of a ring that is within its limits, or nil; this one before all others.
local function open_key(ln, ring, now, before)
  if before and redis.call("ZSCORE", ring.key, before) and not lanes.key_barrier(ln, before, now) then
    return before
  end
  for _, key in ipairs(redis.call("ZRANGE", ring.key, 0, KEYS_MAX - 1)) do
    if key ~= "" and not (ln and lanes.key_barrier(ln, key, now)) then
      return key
    end
  end
  return nil
end

--- Some heads of a lane, whatever they require, each of another class. `ln` is the lane, if it was steered, and
--- `before` a key whose turn it is.
function heads.some(partition, lane, most, ln, now, before)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), most)) do
    local letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
    local kind = string.lower(letter)
    local key = keys.queue(partition, kind, lane, class)
    if letter ~= kind then
      local ring = keyed.ring(partition, lane, kind, class)
      key = keyed.queue(ring, open_key(ln, ring, now, before) or "")
    end
    local id = redis.call("ZRANGE", key, 0, 0)[1]
    if id then
      found[#found + 1] = { id = id, queue = kind, key = key, of_ring = letter ~= kind }
    end
  end
  return found
end

return heads
