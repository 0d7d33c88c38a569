--- Waking workers of a lane in which a claim has become possible.
local heads = require("heads")
local record = require("record")
local waiters = require("waiters")

local wakes = {}

--- Most queues whose heads are looked at.
local HEADS_MAX = 8

--- Wakes up to `most` workers that can take what is ready in a lane. Answers how many.
function wakes.some(partition, name, most, looked)
  local woken = 0
  for _, head in ipairs(most > 0 and heads.some(partition, name, HEADS_MAX) or {}) do
    local r = record.load(partition, head.id)
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
