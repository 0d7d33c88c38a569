--- The end of a flow, when its last member has ended.
local children = require("children")
local events = require("events")
local flow = require("flow")
local places = require("places")
local record = require("record")
local told = require("told")

local flow_end = {}

local OUTCOMES = { r = "cancelled", f = "failed", d = "failed" }

local function outcome(fl)
  local cause = flow.cancel(fl)
  return OUTCOMES[cause] or fl.unhandled > 0 and "failed" or "completed"
end

--- The flow has ended: the execution that started it may be waiting for that.
local function tell_parent(fl, now)
  local r = fl.f.pa and places.open(fl.partition, fl.f.pa)
  if r and r.f.cf and children.ended(r, fl.flow, now) then
    places.commit(r, now)
  end
end

--- Ends it, and tells everybody who has to know.
function flow_end.now(fl, now, looked)
  fl.state = outcome(fl)
  record.set_number(fl, "ea", now)
  events.flow_ended(fl, fl.f.le, looked)
  if fl.f.aw then
    told.flow_ended(fl)
  end
  tell_parent(fl, now)
end

return flow_end
