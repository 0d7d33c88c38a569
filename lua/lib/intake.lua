--- Whether a lane takes in something new.
local depth = require("depth")
local lanes = require("lanes")
local reply = require("reply")

local intake = {}

--- How long something new may be ready in a lane before its first attempt, ms as text or nil; and a refusal
--- when the lane does not take it in.
function intake.admits(partition, name, looked)
  local is = lanes.of(partition, name, looked)
  if not is then
    return nil
  elseif is.state == "d" then
    return nil, reply.err("LANE_DRAINING", name)
  elseif is.max_queued and depth.ready(partition, name) >= is.max_queued then
    return nil, reply.err("LANE_FULL", name, is.max_queued)
  end
  return is.ttl
end

return intake
