--- Appends frames to the stream of an execution, all or none. A number that the attempt has used before
--- appends nothing. The code `FRAME_SEQ` is followed by the highest number.
---
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg frames  bytes  five values of each, see `frames`
--- @ok ordinals text  of each within the execution, joined by commas
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED FRAME_SEQ
local clock = require("clock")
local fence = require("fence")
local frames = require("frames")
local holders = require("holders")
local reply = require("reply")
local told = require("told")

return function(partition, id, attempt, epoch, lease_id, text)
  local now = clock.now_ms(partition)
  local holder, refusal = holders.of(partition, id, fence.of(attempt, epoch, lease_id), now)
  if refusal then
    return refusal
  end
  local ordinals, highest = frames.append(partition, id, tonumber(attempt), text, now)
  if not ordinals then
    return reply.err("FRAME_SEQ", highest)
  elseif holder.tw then
    told.frames(partition, id)
  end
  return reply.ok(table.concat(ordinals, ","))
end
