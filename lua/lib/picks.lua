--- What a lane hands out next where order alone does not decide: keys take turns, and waiting may count as
--- priority.
local aside = require("aside")
local keyed = require("keyed")
local lanes = require("lanes")
local placement = require("placement")
local sources = require("sources")
local turns = require("turns")

local picks = {}

--- Most keys that one call sets aside.
local ASIDE_MAX = 64

--- The entry of a queue that is handed out first, or nil. The first of each priority has waited longest of it,
--- so the best of all is among these. Its standing is its rank, less the steps that it has waited; it is `followed`
--- when the queue is known to hold more, and the `last` when it is known to hold none. One that is `alone` is compared
--- with no other.
local function first(key, ageing, now, left, alone)
  if alone then
    left.reads = left.reads + 1
    local ids = redis.call("ZRANGE", key, 0, 1)
    return ids[1] and {
      id = ids[1], key = key, followed = ids[2] ~= nil, last = not ids[2], ring = nil, turn = nil, queue = nil,
    }
  end
  local best
  local from = "-inf"
  repeat
    left.reads = left.reads + 1
    local entry = redis.call("ZRANGE", key, from, "+inf", "BYSCORE", "LIMIT", 0, ageing and 1 or 2, "WITHSCORES")
    if entry[1] then
      local rank, since = placement.read(tonumber(entry[2]))
      local steps = ageing and math.floor(math.max(now - since, 0) / ageing) or 0
      local one = { id = entry[1], key = key, standing = rank - steps, since = since, followed = entry[3] ~= nil }
      if not best or picks.is_better(one, best) then
        best = one
      end
      from = placement.rank_start(rank + 1)
    end
  until not ageing or not entry[1]
  return best
end

--- Whether one entry is handed out before another.
function picks.is_better(one, other)
  if one.standing ~= other.standing then
    return one.standing < other.standing
  elseif one.since ~= other.since then
    return one.since < other.since
  end
  return one.id < other.id
end

--- The entry of the key whose turn it is, with its ring. Keys over their limits that stand in front are set aside.
local function of_ring(ln, ring, keyless, ageing, now, left, alone)
  if keyless then
    turns.join(ring.partition, ring.lane, ring.key, "")
    keyless.ring, keyless.turn, keyless.queue = ring, "", ring.kind
  end
  local limited = ln and (ln.is.key_most or ln.is.key_rate)
  while true do
    local key = turns.next(ring.key)
    if not key or (key == "" and keyless) then
      return keyless
    elseif key == "" then
      turns.leave(ring.key, "")
    else
      local barrier = limited and lanes.key_barrier(ln, key, now)
      local head = not barrier and first(keyed.queue(ring, key), ageing, now, left, alone)
      if head then
        head.ring, head.turn, head.queue = ring, key, ring.kind
        return head
      elseif not barrier then
        keyed.leave(ring, key)
      elseif left.asides <= 0 then
        left.more = true
        return keyless
      else
        aside.put(ln, ring, key, barrier)
        left.asides = left.asides - 1
      end
    end
  end
end

--- The best of these sources, or nil. The second value says that there may be others behind keys that are over their limits, and the third how many
--- entries were read.
function picks.best(ln, found, now)
  local best
  local ageing, left = ln and ln.is.ageing, { asides = ASIDE_MAX, reads = 0 }
  if not (ageing or found[1] or found.turned[2]) then
    local head = of_ring(ln, found.turned[1], nil, nil, now, left, true)
    return head, left.more, left.reads
  end
  for _, source in pairs(sources.grouped(found)) do
    local head = source.plain and first(source.plain.key, ageing, now, left)
    if source.ring then
      head = of_ring(ln, source.ring, head, ageing, now, left)
    end
    if head and (not best or picks.is_better(head, best)) then
      best = head
      best.queue = source.kind
      best.entry = source.plain and source.plain.entry
      best.registry = source.plain and source.plain.registry
    end
  end
  return best, left.more, left.reads
end

return picks
