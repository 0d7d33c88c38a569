--- Waking workers of a lane in which a claim has become possible.
local heads = require("heads")
local keys = require("keys")
local lanes = require("lanes")
local record = require("record")
local waiters = require("waiters")

local wakes = {}

--- How many there may be behind a head, itself among them, if more than one is of interest.
local function behind(ln, head, most)
  if most == 1 then
    return 1
  end
  return redis.call("ZCARD", head.of_ring and keys.keyed(ln.partition, ln.lane) or head.key)
end

--- Wakes up to `most` workers that can take what is ready in a lane, and for each queue no more than it may hold. Looks
--- at a portion of the queues, from `place` on, nil at first; where keys take turns, this one comes `before` others, if
--- one is given. Answers how many, and the place of the next portion, nil when there is none.
function wakes.some(ln, most, looked, now, before, place)
  local woken, found, rest = 0, {}, nil
  if most > 0 then
    found, rest = heads.portion(ln, place, now, before)
  end
  for _, head in ipairs(found) do
    local r = record.load(ln.partition, head.id)
    if r then
      r.looked = looked
      local left = math.min(behind(ln, head, most), most - woken)
      while left > 0 and waiters.wake(r, head.queue) do
        woken, left = woken + 1, left - 1
      end
    end
    if woken == most then
      break
    end
  end
  return woken, rest
end

--- Wakes one worker that can take what is ready in a lane. When it has not found one among the first queues, the lane
--- is looked at for the rest. Answers whether it has.
function wakes.one(ln, looked, now, before)
  local woken, rest = wakes.some(ln, 1, looked, now, before)
  if woken == 0 and rest then
    lanes.look_on(ln, rest, now)
    lanes.save(ln, now)
  end
  return woken > 0
end

return wakes
