--- Takes an arm off a lane, because nobody of the process waits any more.
---
--- @flags allow-oom
--- @arg lane    text
--- @arg process text
--- @arg arm     int
--- @arg mode    text
--- @arg offered text
--- @arg tag     text
--- @ok was_there flag
local reply = require("reply")
local waiters = require("waiters")

return function(partition, lane, process, arm, mode, offered, tag)
  local removed = waiters.remove(partition, lane, waiters.member(process, arm, mode, offered, tag))
  return reply.ok(removed and "1" or "0")
end
