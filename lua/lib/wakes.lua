--- Waking workers of a lane in which a claim has become possible.
local heads = require("heads")
local record = require("record")
local waiters = require("waiters")

local wakes = {}

--- Most queues whose heads are looked at.
local HEADS_MAX = 64

--- Wakes up to `most` workers that can take what is ready in a lane. Answers how many.
function wakes.some(ln, most, looked, now)
  local woken = 0
  for _, head in ipairs(most > 0 and heads.some(ln.partition, ln.lane, HEADS_MAX, ln, now) or {}) do
    local r = record.load(ln.partition, head.id)
    if r then
      r.looked = looked
      while woken < most and waiters.wake(r, head.queue) do
        woken = woken + 1
      end
    end
  end
  return woken
end

return wakes
