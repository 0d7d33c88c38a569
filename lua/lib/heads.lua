--- What a lane has to offer: the heads of its queues, best first.
local keyed = require("keyed")
local keys = require("keys")
local lanes = require("lanes")
local merge = require("merge")
local picks = require("picks")
local sources = require("sources")

local heads = {}

--- Most requirement classes of a lane whose depth is counted; of more, those of a random choice.
local CLASSES_MAX = 1024
--- Most keys of a ring that one call looks at for one within its limits.
local KEYS_MAX = 64
--- About as many classes are in a portion.
local CLASSES_PORTION = 64

--- The best `most` entries of a lane that an offer covers, best first. `ask` says which kinds:
--- fresh work when `fresh`, reclaims when `reclaims`, of the tag `tag` unless that is empty. The
--- second value says whether they are all of one queue that is known to hold more. Where keys take turns, or
--- waiting counts, there is one entry at the most, `ask.more` is set when it gave up too early, and `ask.reads`
--- counts what was read. `ask.ln` is the lane, if it was steered.
function heads.best(partition, lane, offer, ask, most, now)
  local found = { turned = nil }
  local any_tag = ask.tag == ""
  if ask.fresh or any_tag then
    sources.add(found, partition, lane, offer, ask.offered, ask.fresh, ask.reclaims and any_tag)
  end
  if ask.reclaims and not any_tag then
    sources.add(found, partition, lane, offer, ask.offered, false, true, ask.tag)
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

--- The first key of a ring that is within its limits, or nil, from this one on; this one `before` all others.
--- The second value says that there are keys behind those that were looked at.
local function open_key(ln, ring, now, before, from)
  if before and redis.call("ZSCORE", ring.key, before) and not lanes.key_barrier(ln, before, now) then
    return before, false
  end
  local those = redis.call("ZRANGE", ring.key, from, from + KEYS_MAX - 1)
  for _, key in ipairs(those) do
    if key ~= "" and not (ln and lanes.key_barrier(ln, key, now)) then
      return key, false
    end
  end
  return nil, #those == KEYS_MAX
end

--- The head of what an entry of the registry stands for, or nil. The second value says that there are keys behind.
local function of_entry(partition, lane, entry, ln, now, before, from)
  local letter, class = string.sub(entry, 1, 1), string.sub(entry, 2)
  local kind = string.lower(letter)
  local key, more = keys.queue(partition, kind, lane, class), false
  if letter ~= kind then
    local ring = keyed.ring(partition, lane, kind, class)
    key, more = open_key(ln, ring, now, before, from)
    key = keyed.queue(ring, key or "")
  end
  local id = redis.call("ZRANGE", key, 0, 0)[1]
  return id and { id = id, queue = kind, key = key, of_ring = letter ~= kind }, more
end

--- Some heads of a lane, whatever they require, each of another class, chosen at random. `ln` is the lane, if it was
--- steered.
function heads.some(partition, lane, most, ln, now)
  local found = {}
  for _, entry in ipairs(redis.call("SRANDMEMBER", keys.lane(partition, lane), most)) do
    found[#found + 1] = of_entry(partition, lane, entry, ln, now, nil, 0)
  end
  return found
end

--- The heads of a lane in portions: those from a `place` on, nil at first, and the place of the next, nil when there is
--- none. It is where the registry goes on, and the first key to be looked at. `before` is a key whose turn it is.
function heads.portion(ln, place, now, before)
  local found, more = {}, false
  local cursor, from = string.match(place or "0 0", "^(%d+) (%d+)$")
  local answer = redis.call("SSCAN", keys.lane(ln.partition, ln.lane), cursor, "COUNT", CLASSES_PORTION)
  for _, entry in ipairs(answer[2]) do
    local head, behind = of_entry(ln.partition, ln.lane, entry, ln, now, not place and before, from + 0)
    found[#found + 1] = head
    more = more or behind
  end
  if more then
    return found, cursor .. " " .. from + KEYS_MAX
  end
  return found, answer[1] ~= "0" and answer[1] .. " 0" or nil
end

return heads
