--- Whether a lane takes in something new.
local depth = require("depth")
local lanes = require("lanes")
local reply = require("reply")

local intake = {}

--- How many are ready in a lane: counted once in a call, which adds what it stores.
local function ready(partition, name, looked)
  looked.ready = looked.ready or {}
  looked.ready[name] = looked.ready[name] or depth.ready(partition, name)
  return looked.ready[name]
end

--- Takes note of an execution that was stored.
function intake.stored(r, looked)
  local count = looked.ready and looked.ready[r.f.ln]
  if count and r.queue then
    looked.ready[r.f.ln] = count + 1
  end
end

--- How long something new may be ready in a lane before its first attempt, ms as text or nil; and a refusal
--- when the lane does not take it in.
function intake.admits(partition, name, looked)
  local is = lanes.of(partition, name, looked)
  if not is then
    return nil
  elseif is.state == "d" then
    return nil, reply.err("LANE_DRAINING", name)
  elseif is.max_queued and ready(partition, name, looked) >= is.max_queued then
    return nil, reply.err("LANE_FULL", name, is.max_queued)
  end
  return is.ttl
end

return intake
