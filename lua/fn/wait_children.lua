--- Gives the lease back until a child flow has ended. The outcome is `waiting`, or `ended` and its state.
---
--- @flags allow-oom
--- @arg id      id
--- @arg attempt int
--- @arg epoch   int
--- @arg lease   bytes  16 bytes
--- @arg digest  text   of the arguments
--- @arg flow    id
--- @arg saves   flag   whether a state is saved with it
--- @arg state   bytes
--- @ok outcome text
--- @err NOT_FOUND STALE_LEASE LEASE_EXPIRED LEASE_REVOKED ALREADY_TERMINAL ALREADY_RELEASED CANCEL_REQUESTED FLOW_NOT_FOUND CHILD_FLOWS
local children = require("children")
local flow = require("flow")
local held = require("held")
local kept = require("kept")
local number = require("number")
local record = require("record")
local reply = require("reply")

return function(partition, id, attempt, epoch, lease_id, digest, flow_id, saves, state)
  return held.by(partition, id, attempt, epoch, lease_id, "w" .. digest, function(r, now)
    if r.f.ca then
      return reply.err("CANCEL_REQUESTED"), false
    end
    local fl = flow.open(partition, flow_id)
    if not fl or fl.f.pa ~= r.id then
      return reply.err("FLOW_NOT_FOUND", flow_id), false
    elseif fl.f.ea then
      return reply.ok("ended " .. fl.state), false
    elseif not children.has_room_for(r, flow_id) then
      return reply.err("CHILD_FLOWS", children.OPEN_MAX + 1), false
    end
    if saves == "1" then
      kept.set_state(r, state)
    end
    children.add(r, flow_id)
    record.set(r, "cw", flow_id)
    r.f.st, r.f.ra = "waiting_children", number.text(now)
    return reply.ok("waiting"), "w"
  end, function()
    return reply.ok("waiting")
  end)
end
