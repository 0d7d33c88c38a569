--- Waking workers of a lane in which a claim has become possible.
local heads = require("heads")
local keys = require("keys")
local record = require("record")
local waiters = require("waiters")

local wakes = {}

--- Most queues whose heads are looked at.
local HEADS_MAX = 64

--- How many there may be behind a head, itself among them, if more than one is of interest.
local function behind(ln, head, most)
  if most == 1 then
    return 1
  end
  return redis.call("ZCARD", head.of_ring and keys.keyed(ln.partition, ln.lane) or head.key)
end

--- Wakes up to `most` workers that can take what is ready in a lane, and for each queue no more than it may hold.
--- Where keys take turns, this one comes `before` others, if one is given. Answers how many.
function wakes.some(ln, most, looked, now, before)
  local woken = 0
  for _, head in ipairs(most > 0 and heads.some(ln.partition, ln.lane, HEADS_MAX, ln, now, before) or {}) do
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
  return woken
end

return wakes
