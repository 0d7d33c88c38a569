--- In a cancelled flow no attempt starts any more.
local flow = require("flow")
local record = require("record")
local run = require("run")

local barrier = {}

--- Ends an execution that must not start: one whose deadline has passed, and one that would start a new
--- attempt although its flow is cancelled. Answers whether it did.
function barrier.ends(r, now)
  if run.has_expired(r, now) then
    run.finish(r, "expired", now)
    return true
  elseif not r.f.nd or r.f.ao then
    return false
  end
  local at, reason = flow.cancel_of(r)
  if at then
    run.mark_cancelled(r, reason, at)
    run.finish(r, "cancelled", now)
  end
  return at ~= nil
end

--- Takes the cancellation of the flow for the member's own, unless it has one: the attempt is over, and
--- no other may start.
function barrier.hear_of(r)
  if r.f.nd and not r.f.ca then
    local at, reason = flow.cancel_of(r)
    if at then
      record.set_number(r, "ca", at)
      record.set_text(r, "cr", reason)
    end
  end
end

return barrier
