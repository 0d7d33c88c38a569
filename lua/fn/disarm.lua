--- Takes an arm off a lane, because nobody of the process waits any more. What it offered counts for some time.
---
--- @flags allow-oom
--- @arg lane    text
--- @arg process text
--- @arg arm     int
--- @arg mode    text
--- @arg offered text
--- @arg tag     text
--- @ok was_there flag
local arms = require("arms")
local clock = require("clock")
local offers = require("offers")
local reply = require("reply")

return function(partition, lane, process, arm, mode, offered, tag)
  local removed = arms.remove(partition, lane, arms.member(process, arm, mode, offered, tag))
  if removed then
    offers.made(partition, lane, offered, 0, clock.now_ms(partition))
  end
  return reply.ok(removed and "1" or "0")
end
